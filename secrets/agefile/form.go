package agefile

import (
	"errors"
	"maps"
	"slices"
	"time"

	"filippo.io/age"
	jsonv2 "github.com/go-json-experiment/json"

	"github.com/safemcp/safemcp/secrets"
)

// formVersion is the one that this package writes.
const formVersion = 1

const (
	// maxValue is the longest value in bytes: a broker issues none that is longer.
	maxValue = 64 << 10
	// maxRecipients bounds the keys that can open a store.
	maxRecipients = 64
)

// A value is one with a number that no other value of the entry has had.
type value struct {
	Value   []byte    `json:"value"`
	Version uint64    `json:"version"`
	Changed time.Time `json:"changed,omitzero"` // in whole seconds
}

// contents are what is encrypted: the values by path and field, and the public keys
// that whoever writes next has to encrypt to.
type contents struct {
	entries    map[string]map[string]value
	recipients []string
}

// form is contents as they are written down.
type form struct {
	Version    int                         `json:"version"`
	Recipients []string                    `json:"recipients,omitempty"`
	Entries    map[string]map[string]value `json:"entries"`
}

// What is wrong with a text. None of them quotes it.
var (
	errForm  = errors.New("does not hold what this package writes: put back a copy")
	errLater = errors.New("was written by a later version of this package: use that version of the program, also to change it")
)

// parse takes nothing that it would not write: a name that it does not know would be
// lost with the next change, and may be a restriction.
func parse(text []byte) (contents, error) {
	var which struct {
		Version int `json:"version"`
	}
	if jsonv2.Unmarshal(text, &which) != nil || which.Version < formVersion {
		return contents{}, errForm
	}
	if which.Version > formVersion {
		return contents{}, errLater
	}
	var f form
	if jsonv2.Unmarshal(text, &f, jsonv2.RejectUnknownMembers(true)) != nil || len(f.Recipients) > maxRecipients {
		return contents{}, errForm
	}
	for _, r := range f.Recipients {
		if _, err := age.ParseX25519Recipient(r); err != nil {
			return contents{}, errForm
		}
	}
	for path, fields := range f.Entries {
		for field, v := range fields {
			if secrets.KV(path, field).Check() != nil || len(v.Value) == 0 || len(v.Value) > maxValue {
				return contents{}, errForm
			}
		}
	}
	return contents{f.Entries, f.Recipients}, nil
}

func (c contents) text() ([]byte, error) {
	text, err := jsonv2.Marshal(form{formVersion, c.recipients, c.entries}, jsonv2.Deterministic(true))
	if err != nil {
		return nil, errors.New("agefile: nothing was changed: the entries cannot be written down")
	}
	return text, nil
}

// clone returns contents that can be changed without these changing.
func (c contents) clone() contents {
	next := contents{make(map[string]map[string]value, len(c.entries)), slices.Clone(c.recipients)}
	for path, fields := range c.entries {
		next.entries[path] = maps.Clone(fields)
	}
	return next
}
