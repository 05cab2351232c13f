package validate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/safemcp/safemcp/internal/private"
)

// mostFileBytes bounds the file of an allowlist.
const mostFileBytes = 4 << 20

// AllowFile returns an allowlist that is in a file: one value a line, without the white
// space around it; empty lines, and those that begin with #, are left out. It is read
// anew each time that it is asked, so that a change is seen within the lifetime of
// [Cached]. An empty file allows nothing.
//
// The file and its directory must belong to this user or root, and others must not be
// able to write to them. It has at most 4 MiB, and its last line ends as every other
// does: one that does not may still be being written, and half of a value is another.
// Whoever changes it best writes a new one beside it and renames that. While it breaks
// any of this, it is a source that fails.
//
// The path may lead through links, as that of a file in a mounted ConfigMap of Kubernetes
// does: those that this user or root made, and that nobody else can replace. They are
// followed anew each time.
func AllowFile(path string) Allowlist { return allowFile(path) }

type allowFile string

// mostSwaps is how often a file is looked for again that has gone between its links were
// followed and it was opened: whoever replaces a whole directory takes the old one away.
const mostSwaps = 10

// Values reads the file.
func (path allowFile) Values(ctx context.Context) (values []string, err error) {
	for range mostSwaps {
		if values, err = path.read(); !errors.Is(err, fs.ErrNotExist) || ctx.Err() != nil {
			break
		}
	}
	return values, err
}

func (path allowFile) read() ([]string, error) {
	at, err := private.Resolve(string(path))
	if err != nil {
		return nil, err
	}
	if err := private.Dir(filepath.Dir(at)); err != nil {
		return nil, err
	}
	f, before, err := private.OpenTrusted(at, mostFileBytes, "look whether every line in it is one of yours")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := whole(f, before)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", at, err)
	}
	values, err := lines(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", at, err)
	}
	return values, nil
}

// whole reads a file that is as it was before when it has been read: else half of it may
// be of one list and half of another.
func whole(f fs.File, before fs.FileInfo) (string, error) {
	content, err := io.ReadAll(io.LimitReader(f, mostFileBytes+1))
	if err != nil {
		return "", err //nolint:wrapcheck // the caller names the path
	}
	after, err := f.Stat()
	if err != nil {
		return "", err //nolint:wrapcheck // the caller names the path
	}
	if size := before.Size(); int64(len(content)) != size || after.Size() != size || !after.ModTime().Equal(before.ModTime()) {
		return "", errors.New("it was changed while it was read")
	}
	return string(content), nil
}

// lines are the values in the text of a file.
func lines(content string) ([]string, error) {
	if content == "" {
		return nil, nil
	}
	content, whole := strings.CutSuffix(content, "\n")
	if !whole {
		return nil, errors.New("its last line has no end, so that it may be half of one: end it with a line feed")
	}
	var values []string
	number := 0
	for line := range strings.SplitSeq(content, "\n") {
		number++
		line = strings.Trim(line, " \t\r")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if why := unfit(line); why != "" {
			return nil, fmt.Errorf("line %d %s", number, why)
		}
		values = append(values, line)
	}
	return values, nil
}
