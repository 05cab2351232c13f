//go:build !unix && !windows

package arg

import (
	"errors"
	"io/fs"
	"os"
)

const withoutWaiting = 0

// namesOf fails: nothing is known about names here.
func namesOf(*os.File, fs.FileInfo) (names, error) {
	return names{}, errors.New("the system does not say how many names the file has: set PathOptions.HardLinks")
}

// namesIn returns how many names a file has, which nobody says here.
func namesIn(fs.FileInfo) (names, bool) { return names{}, false }
