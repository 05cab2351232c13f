package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// An Argument is a value of a field that events are looked through for, see [Filter]. It is
// safe for concurrent use.
type Argument struct {
	places []place
	values []string // canonical
}

// A place is where an argument may stand, and the HMACs of its values there.
type place struct {
	path  []string // names; "" is an element of a list
	hmacs []string
}

// Find returns the argument that has one of the values at a path, see [Redactor.HMAC] for
// its form, as it is recorded clear or with one of the keys, see [Keys]. A path with dots or
// brackets is a name with them as well. The error says which value is no JSON.
func Find(path string, values []json.RawMessage, keys [][]byte) (*Argument, error) {
	if path == "" {
		return nil, errors.New("audit: the path of an argument is its name")
	}
	a := &Argument{}
	var s scratch
	for _, value := range values {
		s.text = s.text[:0]
		if !json.Valid(value) || !s.canonical(bytes.TrimSpace(value)) {
			return nil, fmt.Errorf("audit: the value %q is no JSON", value)
		}
		a.values = append(a.values, string(s.text))
	}
	paths := []string{path}
	if literal := string(appendName(nil, []byte(path))); literal != path {
		paths = append(paths, literal)
	}
	for _, path := range paths {
		p := place{path: pathOf(path)}
		for _, key := range keys {
			r, err := NewRedactor(key)
			if err != nil {
				return nil, err
			}
			for _, value := range values {
				hmac, err := r.HMAC(path, value)
				if err != nil {
					return nil, err
				}
				p.hmacs = append(p.hmacs, hmac)
			}
		}
		a.places = append(a.places, p)
	}
	return a, nil
}

// appendName appends a name to a path: what divides paths is escaped.
func appendName(path, name []byte) []byte {
	for _, c := range name {
		if c == '.' || c == '[' || c == ']' || c == '\\' {
			path = append(path, '\\')
		}
		path = append(path, c)
	}
	return path
}

// pathOf divides a path: customers[].name is customers, an element, and name.
func pathOf(path string) (names []string) {
	var name []byte
	element := false // the last was one, behind which no name has to be
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case c == '\\' && i+1 < len(path):
			i++
			name, element = append(name, path[i]), false
		case c == '.':
			if !element {
				names = append(names, string(name))
			}
			name, element = nil, false
		case c == '[' && strings.HasPrefix(path[i:], "[]"):
			if !element {
				names = append(names, string(name))
			}
			names, name, element = append(names, ""), nil, true
			i++
		default:
			name, element = append(name, c), false
		}
	}
	if !element {
		names = append(names, string(name))
	}
	return names
}

// in says whether an event has the argument, in what it was asked or in what it answered.
func (a *Argument) in(e *Event) bool {
	return slices.ContainsFunc(a.places, func(p place) bool {
		return a.among(p, p.path, e.Args.Fields) || a.among(p, p.path, e.Answer.Fields)
	})
}

func (a *Argument) among(p place, path []string, fields []Field) bool {
	return slices.ContainsFunc(fields, func(f Field) bool { return f.Name == path[0] && a.at(p, path[1:], &f) })
}

func (a *Argument) at(p place, path []string, f *Field) bool {
	switch {
	case len(path) == 0 && f.Clear == "":
		return f.HMAC != "" && slices.Contains(p.hmacs, f.HMAC)
	case len(path) == 0:
		var s scratch
		return s.canonical([]byte(f.Clear)) && slices.Contains(a.values, string(s.text))
	case path[0] == "":
		return slices.ContainsFunc(f.nested().Items, func(item Field) bool { return a.at(p, path[1:], &item) })
	}
	return a.among(p, path, f.nested().Fields)
}
