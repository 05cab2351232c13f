package safetool

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/safemcp/safemcp/internal/bridge"
)

// A headerSchema is what a schema says of headers (SEP-2243): x-mcp-header names one
// that repeats the argument, for gateways that read no bodies.
type headerSchema struct {
	Type       any                     `json:"type"`
	Header     json.RawMessage         `json:"x-mcp-header"`
	Properties map[string]headerSchema `json:"properties"`
}

// paramHeaders returns the arguments of a schema that have headers, or what is wrong
// with them: a client leaves a tool out whose headers are.
func paramHeaders(schema json.RawMessage) ([]bridge.ParamHeader, error) {
	if !strings.Contains(string(schema), "x-mcp-header") {
		return nil, nil
	}
	var root headerSchema
	if err := json.Unmarshal(schema, &root); err != nil {
		return nil, nil //nolint:nilerr // a property of that name, or what a validator understands and this does not
	}
	var found []bridge.ParamHeader
	taken := map[string]bool{}
	if err := root.headers(nil, taken, &found); err != nil {
		return nil, err
	}
	return found, nil
}

func (h *headerSchema) headers(path []string, taken map[string]bool, found *[]bridge.ParamHeader) error {
	for _, name := range slices.Sorted(maps.Keys(h.Properties)) {
		p := h.Properties[name]
		at := append(slices.Clone(path), name)
		if p.Header != nil {
			header, err := p.header()
			if err == nil && taken[strings.ToLower(header)] {
				err = errors.New("the header is another argument's already")
			}
			if err != nil {
				return fmt.Errorf("x-mcp-header of %s: %w", strings.Join(at, "."), err)
			}
			taken[strings.ToLower(header)] = true
			*found = append(*found, bridge.ParamHeader{Path: at, Name: header})
		}
		if err := p.headers(at, taken, found); err != nil {
			return err
		}
	}
	return nil
}

func (h *headerSchema) header() (string, error) {
	if h.Type != "string" && h.Type != "integer" && h.Type != "boolean" {
		return "", errors.New("only a string, an integer or a boolean has a header")
	}
	var name string
	if json.Unmarshal(h.Header, &name) != nil || name == "" {
		return "", errors.New("it has to be a header's name")
	}
	for _, c := range []byte(name) {
		letter := c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
		if !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) { // RFC 9110 section 5.6.2
			return "", errors.New("it has a character that no header's name has")
		}
	}
	return name, nil
}
