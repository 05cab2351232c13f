//go:build unix

package agefile

import "syscall"

// errReadOnly is what the system says of a file system that cannot be written.
const errReadOnly = syscall.EROFS
