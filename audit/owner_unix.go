//go:build unix

package audit

import (
	"fmt"
	"os"
	"syscall"
)

// ours says that a file belongs to this user: what another one makes beside it, the server
// could not read.
func ours(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	if owner, is := info.Sys().(*syscall.Stat_t); is && int(owner.Uid) != os.Geteuid() {
		return fmt.Errorf("audit: the keys of the log belong to the user %d, and this is user %d, whose files the server could not read: run this as that user", owner.Uid, os.Geteuid())
	}
	return nil
}
