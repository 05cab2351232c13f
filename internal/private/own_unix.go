//go:build unix

package private

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// ownFlags follow no link, and do not wait for the other end of a pipe.
const ownFlags = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// isLink says that opening failed for a link: most systems say ELOOP, FreeBSD EMLINK.
func isLink(err error) bool {
	return errors.Is(err, syscall.ELOOP) || errors.Is(err, syscall.EMLINK)
}

// trusted says that this user or root owns it.
func trusted(info os.FileInfo) bool {
	owner, is := info.Sys().(*syscall.Stat_t)
	return is && (owner.Uid == 0 || int(owner.Uid) == os.Geteuid())
}

// readOnly says that Writable has found a file system that cannot be written.
func readOnly(err error) bool { return errors.Is(err, syscall.EROFS) }

func foreign(path string, info os.FileInfo) error {
	if owner, is := info.Sys().(*syscall.Stat_t); is {
		return fmt.Errorf("%s belongs to the user %d, and this is user %d: run this as that user, or chown it if what is in it is yours", path, owner.Uid, os.Geteuid())
	}
	return fmt.Errorf("%s belongs to nobody that this system names", path)
}

// Writable says why nothing can be made in a directory, with the system's own error:
// syscall.EROFS where the file system is one that cannot be written.
func Writable(dir string) error {
	return unix.Access(dir, unix.W_OK|unix.X_OK) //nolint:wrapcheck // whoever calls it says what for
}
