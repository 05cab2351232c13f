//go:build !windows

package audit

import (
	"errors"
	"syscall"
)

// isFull says of an error that there was no room on the disk, or none left for this user.
func isFull(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }
