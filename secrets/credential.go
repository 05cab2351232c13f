package secrets

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/safemcp/safemcp/secrets/scan"
)

// maxName bounds versions, accessors and names of fields, in bytes.
const maxName = 256

// A Credential is what a call works with: one value, several that belong together, or
// a key that is used where it is, and what is known about them. It cannot be changed
// and is safe for concurrent use; printed, it shows its binding and version.
type Credential struct {
	binding Binding
	value   Secret
	fields  map[string]Secret
	key     Key
	version string
	id      string
	expires time.Time
	origin  Origin

	generation *generation // nil where no broker has it
	issued     *Credential // what the provider gave, where this is the broker's copy of it
}

// root is what the provider gave.
func (c *Credential) root() *Credential {
	if c.issued != nil {
		return c.issued
	}
	return c
}

// An Origin is what the store of a credential has on its own record of having issued
// it, so that the two records can be joined. Nothing in it is secret, and what a store
// does not have is empty.
type Origin struct {
	Request  string // its name for the request, such as Vault's request_id
	Role     string // for which it was issued
	Accessor string // a hash of the name of the token that asked, as "hmac-sha256:…" or "sha256:…"
}

// CredentialData is what a [Provider] makes a [Credential] of.
type CredentialData struct {
	// Binding is the one that was asked for.
	Binding Binding
	// Value is the main value: the stored value, a database's password. It may be
	// left out where Fields has what is needed.
	Value Secret
	// Fields are the values of a credential that has several, for example
	// "username" and "password".
	Fields map[string]Secret
	// Key is what a binding of [KindTransit] gives in the place of values.
	Key Key
	// Version names the generation of the value. It changes when the value does.
	Version string
	// ID is the provider's own name for what it issued, a lease or an accessor, by
	// which it renews and revokes. It is recorded, so it must not be a secret.
	ID string
	// Expires is when the credential ends to be valid; zero if it does not.
	Expires time.Time
	// Origin joins the credential with the records of its store.
	Origin Origin
}

// NewCredential returns a credential of a copy of d. It refuses a wrong binding,
// one without any value or key, and a Version, ID, name of a field or part of Origin
// that is over 256 bytes, does not print or contains one of the values.
func NewCredential(d CredentialData) (*Credential, error) {
	if err := d.Binding.Check(); err != nil {
		return nil, err
	}
	c := &Credential{
		binding: d.Binding, value: d.Value, fields: maps.Clone(d.Fields), key: d.Key,
		version: d.Version, id: d.ID, expires: d.Expires, origin: d.Origin,
	}
	if c.empty() {
		return nil, fmt.Errorf("secrets: a credential for %s without a value", d.Binding)
	}
	public := map[string]string{
		"version": d.Version, "ID": d.ID,
		"request": d.Origin.Request, "role": d.Origin.Role, "accessor": d.Origin.Accessor,
	}
	for name, value := range c.fields {
		if name == "" || value.IsZero() {
			return nil, fmt.Errorf("secrets: a credential for %s with a field that has no name or no value", d.Binding)
		}
		public["name of a field"] += name + "\n"
		if err := checkPublic("name of a field", name); err != nil {
			return nil, err
		}
	}
	for _, what := range []string{"version", "ID", "request", "role", "accessor"} {
		if err := checkPublic(what, public[what]); err != nil {
			return nil, err
		}
	}
	for what, text := range public {
		if c.shows(text) {
			return nil, fmt.Errorf("secrets: the %s of a credential for %s contains its value", what, d.Binding)
		}
	}
	return c, nil
}

func checkPublic(what, s string) error {
	if len(s) > maxName || strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) >= 0 {
		return fmt.Errorf("secrets: the %s of a credential is over %d bytes or holds control characters", what, maxName)
	}
	return nil
}

// empty reports whether there is nothing to work with.
func (c *Credential) empty() bool { return c.value.IsZero() && len(c.fields) == 0 && c.key == nil }

// shows reports whether text contains one of the values. Those that are too short
// to be told from chance do not count.
func (c *Credential) shows(text string) bool {
	for _, v := range c.values() {
		if len(v) >= scan.MinValue && bytes.Contains([]byte(text), v) {
			return true
		}
	}
	return false
}

// values returns every value, which must not be changed.
func (c *Credential) values() [][]byte {
	var all [][]byte
	if !c.value.IsZero() {
		all = append(all, c.value.bytes())
	}
	for _, name := range slices.Sorted(maps.Keys(c.fields)) {
		all = append(all, c.fields[name].bytes())
	}
	return all
}

// Binding returns where the credential comes from.
func (c *Credential) Binding() Binding { return c.binding }

// Secret returns the main value. It is the zero Secret where there are only fields.
func (c *Credential) Secret() Secret { return c.value }

// Field returns one of several values by name, and whether there is one.
func (c *Credential) Field(name string) (Secret, bool) {
	s, ok := c.fields[name]
	return s, ok
}

// Key returns the key of a binding of [KindTransit], and whether there is one.
func (c *Credential) Key() (Key, bool) { return c.key, c.key != nil }

// Origin returns what joins the credential with the records of its store.
func (c *Credential) Origin() Origin { return c.origin }

// Version returns the generation of the value: two credentials of one binding
// with the same version have the same values.
func (c *Credential) Version() string { return c.version }

// ID returns the provider's name for what it issued. It is no secret, and empty
// where there is nothing to renew or revoke.
func (c *Credential) ID() string { return c.id }

// Expires returns when the credential ends to be valid; zero if it does not.
func (c *Credential) Expires() time.Time { return c.expires }

// String returns the binding and the version.
func (c *Credential) String() string {
	if c == nil {
		return "no credential"
	}
	if c.version == "" {
		return c.binding.String()
	}
	return c.binding.String() + " version " + c.version
}

// GoString returns what String does.
func (c *Credential) GoString() string { return c.String() }

// LogValue implements [slog.LogValuer].
func (c *Credential) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalText implements [encoding.TextMarshaler].
func (c *Credential) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// GobEncode refuses: a credential is issued to a call and goes nowhere from there.
func (c *Credential) GobEncode() ([]byte, error) {
	return nil, errors.New("secrets: a credential cannot be encoded")
}
