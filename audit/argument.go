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
	path   []string // names; "" is an element of a list
	values []string // canonical
	hmacs  []string
}

// Find returns the argument that has one of the values at a path, see [Redactor.HMAC] for
// its form, as it is recorded clear or with one of the keys, see [Keys]. The error says
// which value is no JSON.
func Find(path string, values []json.RawMessage, keys [][]byte) (*Argument, error) {
	a := &Argument{path: pathOf(path)}
	if path == "" {
		return nil, errors.New("audit: the path of an argument is its name")
	}
	var s scratch
	for _, value := range values {
		s.text = s.text[:0]
		if !json.Valid(value) || !s.canonical(bytes.TrimSpace(value)) {
			return nil, fmt.Errorf("audit: the value %q is no JSON", value)
		}
		a.values = append(a.values, string(s.text))
		for _, key := range keys {
			r, err := NewRedactor(key)
			if err != nil {
				return nil, err
			}
			hmac, err := r.HMAC(path, value)
			if err != nil {
				return nil, err
			}
			a.hmacs = append(a.hmacs, hmac)
		}
	}
	return a, nil
}

// pathOf divides a path: customers[].name is customers, an element, and name.
func pathOf(path string) []string {
	names := strings.Split(strings.ReplaceAll(path, "[]", ".[]"), ".")
	for i := range names {
		if names[i] == "[]" {
			names[i] = ""
		}
	}
	return names
}

// in says whether an event has the argument, in what it was asked or in what it answered.
func (a *Argument) in(e *Event) bool {
	return a.among(a.path, e.Args.Fields) || a.among(a.path, e.Answer.Fields)
}

func (a *Argument) among(path []string, fields []Field) bool {
	return slices.ContainsFunc(fields, func(f Field) bool { return f.Name == path[0] && a.at(path[1:], &f) })
}

func (a *Argument) at(path []string, f *Field) bool {
	switch {
	case len(path) == 0:
		return a.is(f)
	case path[0] == "":
		return slices.ContainsFunc(f.nested().Items, func(item Field) bool { return a.at(path[1:], &item) })
	}
	return a.among(path, f.nested().Fields)
}

// is says whether a field has one of the values.
func (a *Argument) is(f *Field) bool {
	if f.Clear == "" {
		return f.HMAC != "" && slices.Contains(a.hmacs, f.HMAC)
	}
	var s scratch
	return s.canonical([]byte(f.Clear)) && slices.Contains(a.values, string(s.text))
}
