//go:build !unix && !windows

package arg

import (
	"errors"
	"io/fs"
	"os"
)

const withoutWaiting = 0

// linksOf fails: nothing is known about names here.
func linksOf(*os.File, fs.FileInfo) (uint64, error) {
	return 0, errors.New("the system does not say how many names the file has: set PathOptions.HardLinks")
}

// linksIn returns how many names a file has, which nobody says here.
func linksIn(fs.FileInfo) (links uint64, known bool) { return 0, false }
