package arg

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// withoutWaiting is for pipes and terminals, which no name of a file leads to here.
const withoutWaiting = 0

// namesOf returns how many names an open file has.
func namesOf(f *os.File, _ fs.FileInfo) (names, error) {
	var info syscall.ByHandleFileInformation
	if err := syscall.GetFileInformationByHandle(syscall.Handle(f.Fd()), &info); err != nil {
		return names{}, fmt.Errorf("the system does not say how many names the file has: %w", err)
	}
	return names{links: uint64(info.NumberOfLinks)}, nil
}

// namesIn returns how many names a file has, which a description does not say here.
func namesIn(fs.FileInfo) (names, bool) { return names{}, false }
