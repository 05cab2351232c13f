//go:build unix

package arg

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// withoutWaiting opens a pipe without waiting for somebody at its other end, and a
// terminal without making it the process's own. It changes nothing for files.
const withoutWaiting = syscall.O_NONBLOCK | syscall.O_NOCTTY

// linksOf returns how many names an open file has.
func linksOf(_ *os.File, info fs.FileInfo) (uint64, error) {
	if links, known := linksIn(info); known {
		return links, nil
	}
	return 0, errors.New("the system does not say how many names the file has")
}

// linksIn returns how many names a file has, as far as its description says so.
func linksIn(info fs.FileInfo) (links uint64, known bool) {
	stat, known := info.Sys().(*syscall.Stat_t)
	if !known {
		return 0, false
	}
	return uint64(stat.Nlink), true //nolint:unconvert // it is of another size on each system
}
