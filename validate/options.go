package validate

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Options change how a type or a schema is compiled. Nil is the zero value.
type Options struct {
	// Allow holds the allowlists that the rule allow=NAME may name.
	Allow map[string]Allowlist
	// Schema is an author's own JSON Schema (draft 2020-12 or draft-07). It is
	// listed in place of the derived one and enforced beside the type.
	Schema json.RawMessage
}

// An Allowlist holds the values that are allowed at the moment. It must be safe for
// concurrent use. An error refuses the call: what cannot be looked up is not
// allowed. The context ends after 5 seconds, for a source that does not answer.
type Allowlist interface {
	Values(ctx context.Context) ([]string, error)
}

// static is an allowlist that does not change, so that a schema may list it.
type static []string

// Static returns an allowlist of a copy of values. It is listed in the schema as an
// enum.
func Static(values ...string) Allowlist { return static(slices.Clone(values)) }

// Values implements [Allowlist].
func (s static) Values(context.Context) ([]string, error) { return s, nil }

// AllowFunc lets a function be an [Allowlist]. It is asked at each call.
type AllowFunc func(ctx context.Context) ([]string, error)

// Values calls f.
func (f AllowFunc) Values(ctx context.Context) ([]string, error) { return f(ctx) }

// sourceTimeout is how long an allowlist has to say what is allowed.
const sourceTimeout = 5 * time.Second

// valuesOf asks an allowlist under recover: its source is somebody else's code.
func valuesOf(ctx context.Context, list Allowlist) (values []string, err error) {
	if fixed, is := list.(static); is {
		return fixed, nil
	}
	ctx, cancel := context.WithTimeout(ctx, sourceTimeout)
	defer cancel()
	defer func() {
		if r := recover(); r != nil {
			values, err = nil, fmt.Errorf("it panicked: %v", r)
		}
	}()
	return list.Values(ctx)
}
