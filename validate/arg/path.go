package arg

import (
	"encoding/json"
	"errors"
	"os"
	"strings"

	"github.com/safemcp/safemcp/validate"
)

// A PathBinding says which directory the paths of one kind are in. It is asked whenever
// one is decoded, of a zero value, and answers the same each time.
type PathBinding interface{ Path() PathOptions }

// PathOptions are where paths lead. The zero value leads nowhere.
type PathOptions struct {
	// Root is the directory, opened by the program, which keeps it open. Required. What
	// is mounted below it is in it: give a tree that holds no /proc and no devices.
	Root *os.Root
	// Name stands for the directory where a path is printed; empty is "root".
	Name string
	// HardLinks takes files that have more than one name. One name can be outside of the
	// directory, so that without it they are refused. A file that was given a name within
	// the last 50 ms is then waited for. What the system counts and what it finds by a name
	// are two questions: where its clock is coarse (Linux before 6.13), or not compared
	// (Windows), who makes and removes names of one file at a high rate while it is opened
	// can get past this, and past nothing else.
	HardLinks bool
	// Writable lets [Path.Create] write. Without it nothing is written.
	Writable bool
	// MaxBytes is the most that [Path.ReadFile] reads; 0 is 16 MiB.
	MaxBytes int64
	// MaxEntries is the most names that [Path.List] lists; 0 is 10,000.
	MaxEntries int
}

// A Path names a file or directory below the directory of its binding. It is relative,
// in parts separated by single slashes on every system, or "." for the directory itself.
//
// No part is "..", ends in a dot or a space, or holds a backslash or a colon (a drive, or
// a stream of NTFS); none is a name that Windows keeps for a device (NUL, COM1.txt), on
// any system. Symbolic links are followed as long as they stay in the directory, also
// while it changes: [os.Root] opens each part on its own. Devices, pipes and sockets are
// refused before they are opened where they stand still, and before anything is read or
// written in any case. Where [os.Root] does not hold (GOOS js), neither does this.
type Path[B PathBinding] struct {
	in   *PathOptions
	name string
}

// maxPath bounds a path, in characters. The file system bounds each part of it.
const maxPath = 1024

const (
	pathPart  = `[^/\\:` + controls + `]*[^/\\:. ` + controls + `]`
	pathTaken = "a path in the directory, as in reports/2024.txt: parts between single slashes, none at the beginning or end; " +
		"no part is .. or ends in a dot or space, none holds a backslash or colon, and none is a device's name such as NUL or COM1; . is the directory itself"
)

var errPath = validate.Refuse("must be " + pathTaken)

// options are those of the binding, with their defaults.
func (Path[B]) options() (PathOptions, error) {
	o, err := ask(func() PathOptions { var b B; return b.Path() })
	switch {
	case err != nil:
		return o, err
	case o.Root == nil:
		return o, errors.New("it is bound to no directory: let its binding's Path return a Root that os.OpenRoot opened")
	case o.MaxBytes < 0 || o.MaxEntries < 0:
		return o, errors.New("its binding's bounds are negative: 0 is the default")
	}
	if o.Name == "" {
		o.Name = "root"
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = 16 << 20
	}
	if o.MaxEntries == 0 {
		o.MaxEntries = 10_000
	}
	return o, nil
}

// ArgumentSchema implements [validate.Described]. It fails where the binding has no Root.
func (p Path[B]) ArgumentSchema() (json.RawMessage, error) {
	if _, err := p.options(); err != nil {
		return nil, err
	}
	return aSchema{
		Pattern:     `^(\.|` + pathPart + `(/` + pathPart + `)*)$`,
		MaxLength:   maxPath,
		Description: pathTaken,
	}.raw()
}

// UnmarshalText reads a path. Nothing is opened or looked up. An error leaves p unset.
func (p *Path[B]) UnmarshalText(sent []byte) error {
	*p = Path[B]{}
	o, err := p.options()
	if err != nil {
		return err
	}
	s := string(sent)
	if err := checkPath(s); err != nil {
		return err
	}
	p.in, p.name = &o, s
	return nil
}

func checkPath(s string) error {
	switch {
	case s == "" || longer(s, maxPath):
		return atMost(maxPath)
	case unseen(s):
		return errInvisible
	case s == ".":
		return nil
	}
	for part := range strings.SplitSeq(s, "/") {
		if part == "" || strings.ContainsAny(part, `\:`) || strings.HasSuffix(part, ".") || strings.HasSuffix(part, " ") || reserved(part) {
			return errPath
		}
	}
	return nil
}

// devices are the names that Windows keeps, whatever follows a dot after them.
var devices = map[string]bool{"CON": true, "PRN": true, "AUX": true, "NUL": true, "CLOCK$": true, "CONIN$": true, "CONOUT$": true}

// reserved says that a part of a path is a device on Windows: "nul", "Com1.txt", "LPT²",
// "AUX .txt".
func reserved(part string) bool {
	base, _, _ := strings.Cut(part, ".")
	base = strings.ToUpper(strings.TrimRight(base, " "))
	if devices[base] {
		return true
	}
	number, port := strings.CutPrefix(base, "COM")
	if !port {
		number, port = strings.CutPrefix(base, "LPT")
	}
	return port && (len(number) == 1 && number >= "0" && number <= "9" || number == "¹" || number == "²" || number == "³")
}

// Child returns the path of a name in the directory that p is, one that [Path.List]
// returned for example. It refuses what decoding refuses, and names of several parts.
func (p Path[B]) Child(name string) (Path[B], error) {
	if p.in == nil {
		return Path[B]{}, ErrUnset
	}
	if name == "." || strings.Contains(name, "/") {
		return Path[B]{}, errPath
	}
	if p.name != "." {
		name = p.name + "/" + name
	}
	if err := checkPath(name); err != nil {
		return Path[B]{}, err
	}
	return Path[B]{p.in, name}, nil
}

// IsZero says that the argument was not given.
func (p Path[B]) IsZero() bool { return p.in == nil }

// String is for people to read: the directory's Name, a colon and the path. It is not
// the name of a file, and nothing opens it.
func (p Path[B]) String() string {
	if p.in == nil {
		return "(unset)"
	}
	return p.in.Name + ":" + p.name
}

// MarshalText returns the path as it was sent, for an answer that holds it.
func (p Path[B]) MarshalText() ([]byte, error) { return []byte(p.name), nil }
