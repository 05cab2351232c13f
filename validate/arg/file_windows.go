package arg

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// withoutWaiting is for pipes and terminals, which no name of a file leads to here.
const withoutWaiting = 0

// linksOf returns how many names an open file has.
func linksOf(f *os.File, _ fs.FileInfo) (uint64, error) {
	var info syscall.ByHandleFileInformation
	if err := syscall.GetFileInformationByHandle(syscall.Handle(f.Fd()), &info); err != nil {
		return 0, fmt.Errorf("the system does not say how many names the file has: %w", err)
	}
	return uint64(info.NumberOfLinks), nil
}

// linksIn returns how many names a file has, which a description does not say here.
func linksIn(fs.FileInfo) (links uint64, known bool) { return 0, false }
