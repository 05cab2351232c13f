package serve

import "golang.org/x/sys/unix"

// duplicate makes descriptor to what from is. Not every Linux has dup2.
func duplicate(from, to int) error { return unix.Dup3(from, to, 0) } //nolint:wrapcheck // a system call
