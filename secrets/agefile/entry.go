package agefile

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/safemcp/safemcp/secrets"
)

// An Entry is what may be known of a value.
type Entry struct {
	// Binding names it.
	Binding secrets.Binding
	// Version changes when the value does; it is that of the credential that is
	// issued.
	Version string
	// Bytes is the length of the value.
	Bytes int
	// Changed is when the value was stored, in whole seconds by the clock of whoever
	// did.
	Changed time.Time
}

// List returns the entries as they stand in the file now, sorted by path and field. No
// value is among what it returns.
func (s *Store) List() ([]Entry, error) {
	in := s.inner()
	in.mu.Lock()
	defer in.mu.Unlock()
	if err := in.refresh(); err != nil {
		return nil, err
	}
	var all []Entry
	for path, fields := range in.data.entries {
		for field, v := range fields {
			all = append(all, Entry{secrets.KV(path, field), v.name(), len(v.Value), v.Changed})
		}
	}
	slices.SortFunc(all, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Binding.Path(), b.Binding.Path()), cmp.Compare(a.Binding.Field(), b.Binding.Field()))
	})
	return all, nil
}

// name is the version as credentials have it.
func (v value) name() string { return strconv.FormatUint(v.Version, 36) }

// fieldsOf returns the names of fields, sorted.
func fieldsOf[V any](fields map[string]V) []string { return slices.Sorted(maps.Keys(fields)) }
