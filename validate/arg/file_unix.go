//go:build unix

package arg

import (
	"errors"
	"io/fs"
	"os"
	"reflect"
	"syscall"
)

// withoutWaiting opens a pipe without waiting for somebody at its other end, and a
// terminal without making it the process's own. It changes nothing for files.
const withoutWaiting = syscall.O_NONBLOCK | syscall.O_NOCTTY

// namesOf returns how many names an open file has.
func namesOf(_ *os.File, info fs.FileInfo) (names, error) {
	if n, known := namesIn(info); known {
		return n, nil
	}
	return names{}, errors.New("the system does not say how many names the file has")
}

// namesIn returns how many names a file has, as far as its description says so.
func namesIn(info fs.FileInfo) (n names, known bool) {
	stat, known := info.Sys().(*syscall.Stat_t)
	if !known {
		return names{}, false
	}
	n.links = uint64(stat.Nlink)                          //nolint:unconvert // it is of another size on each system
	for _, field := range []string{"Ctim", "Ctimespec"} { // and this has another name
		if f := reflect.ValueOf(*stat).FieldByName(field); f.IsValid() {
			if at, ok := reflect.TypeAssert[syscall.Timespec](f); ok {
				n.changed = at.Nano()
			}
		}
	}
	return n, true
}
