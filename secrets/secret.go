package secrets

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
)

// redacted is what a secret looks like to everybody.
const redacted = "[redacted]"

// A Secret is a value that does not show. Whatever prints, logs or marshals it
// writes "[redacted]": fmt, log/slog, encoding/json and its second version,
// encoding/xml, encoding/gob and templates. Where fmt may not call methods, in
// unexported fields and for the verb %p, an address of code is printed: the bytes
// are held by a closure, which reflection can neither call nor look into. They
// cannot be read back from any of those forms.
//
// The zero value is an empty secret. A Secret is not comparable, since == would
// take a time that tells where two values differ. It is safe for concurrent use.
type Secret struct {
	value func() []byte
}

// NewSecret returns a Secret of a copy of value. An empty value gives the zero
// Secret.
func NewSecret(value []byte) Secret {
	if len(value) == 0 {
		return Secret{}
	}
	own := bytes.Clone(value)
	return Secret{value: func() []byte { return own }}
}

// Use calls f with a copy of the bytes and returns what f returns. The copy is
// f's own: changing it changes nothing here, and it is not wiped afterwards,
// because a handler that keeps it against advice would then go on signing with a
// key of zeros. Keep it no longer than needed: a copy cannot be rotated.
//
// An empty secret and a nil f are errors, and f is not called.
func (s Secret) Use(f func([]byte) error) error {
	switch {
	case f == nil:
		return errors.New("secrets: Use was called without a function")
	case s.value == nil:
		return errors.New("secrets: the secret is empty")
	}
	return f(bytes.Clone(s.value()))
}

// IsZero reports whether the secret is empty.
func (s Secret) IsZero() bool { return s.value == nil }

// bytes returns the value itself, which must not be changed or leave the package.
func (s Secret) bytes() []byte {
	if s.value == nil {
		return nil
	}
	return s.value()
}

// String returns "[redacted]".
func (Secret) String() string { return redacted }

// GoString returns "[redacted]".
func (Secret) GoString() string { return redacted }

// Format implements [fmt.Formatter] and writes "[redacted]" for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue implements [slog.LogValuer].
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements [encoding.TextMarshaler].
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON implements [json.Marshaler].
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalBinary implements [encoding.BinaryMarshaler].
func (Secret) MarshalBinary() ([]byte, error) { return []byte(redacted), nil }

// GobEncode implements [gob.GobEncoder]. There is no decoder: what was redacted
// cannot be had back.
func (Secret) GobEncode() ([]byte, error) { return []byte(redacted), nil }
