package secrets

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Kind says what sort of credential a [Binding] names.
type Kind string

// The kinds of credentials.
const (
	KindKV       Kind = "kv"       // a stored value
	KindDatabase Kind = "database" // a user and password made for the occasion
	KindTransit  Kind = "transit"  // a key that stays where it is and is used there
)

// Bounds of a binding's parts, in bytes.
const (
	maxPath  = 512
	maxField = 128
)

// A Binding says where a credential comes from. It is comparable, holds no secret
// and may be printed. Bindings are written down by a server's author, never made
// from what a caller says: a path like "tools/../../sys" would reach anything.
type Binding struct {
	kind    Kind
	path    string
	field   string
	version int  // 0: the latest; below: AtVersion was given none
	caller  bool // each caller has their own
}

// KV names one field of a stored entry, for example KV("app/share", "key"), in its
// latest version.
func KV(path, field string) Binding { return Binding{kind: KindKV, path: path, field: field} }

// Database names the role for which a user of a database is made.
func Database(role string) Binding { return Binding{kind: KindDatabase, path: role} }

// Transit names a key that signs, encrypts or decrypts without being handed out: see
// [Key].
func Transit(key string) Binding { return Binding{kind: KindTransit, path: key} }

// AtVersion returns the binding for that version of a stored entry, from 1, whatever
// is stored after it. Check refuses it for what is no KV.
func (b Binding) AtVersion(version int) Binding {
	b.version = version
	if version < 1 {
		b.version = -1
	}
	return b
}

// PerCaller returns the binding for credentials that callers do not share: each gets
// one of their own, made with their ID in the [Request]. Without it those of one
// tenant do share, and a provider does not learn who calls.
func (b Binding) PerCaller() Binding {
	b.caller = true
	return b
}

// Kind returns what sort of credential this is; it is empty on the zero Binding.
func (b Binding) Kind() Kind { return b.kind }

// Path returns the path of a KV binding, the role of a database, or the name of a
// transit key.
func (b Binding) Path() string { return b.path }

// Field returns the field of a KV binding, and "" for the other kinds.
func (b Binding) Field() string { return b.field }

// Version returns the version that [Binding.AtVersion] pinned, and 0 for the latest.
func (b Binding) Version() int { return max(b.version, 0) }

// IsPerCaller reports whether callers have credentials of their own.
func (b Binding) IsPerCaller() bool { return b.caller }

// String returns the binding in one line, as in "kv:app/share#key", with a version
// "kv:app/share#key@3", or "database:readonly+caller" where callers have their own.
// Characters that [Binding.Check] refuses are shown as "_".
func (b Binding) String() string {
	if b.kind == "" {
		return "no binding"
	}
	s := string(b.kind) + ":" + printable(b.path)
	if b.kind == KindKV {
		s += "#" + printable(b.field)
	}
	if b.version != 0 {
		s += "@" + strconv.Itoa(b.version)
	}
	if b.caller {
		s += "+caller"
	}
	return s
}

// Check returns what is wrong with the binding, in a sentence, or nil. It refuses
// whatever a store could read as another place than the one that is written:
// empty parts, "." and "..", slashes at either end, "\", "%", "?", "#", invalid
// UTF-8, characters that do not show, spaces around a part, more than 512 bytes of
// path or 128 of field, a slash in the name of a role or a key, and a version that is
// under 1 or not that of a stored entry.
func (b Binding) Check() error {
	switch {
	case b.version < 0:
		return errors.New("secrets: AtVersion was given a version under 1: the first is 1, and a binding without AtVersion has the latest")
	case b.version > 0 && b.kind != KindKV:
		return errors.New("secrets: AtVersion is for what is stored: make the binding with KV")
	}
	switch b.kind {
	case KindKV:
		if err := checkPart("path", b.path, maxPath); err != nil {
			return err
		}
		return checkPart("field", b.field, maxField)
	case KindDatabase, KindTransit:
		what := map[Kind]string{KindDatabase: "role", KindTransit: "key"}[b.kind]
		if strings.Contains(b.path, "/") {
			return fmt.Errorf("secrets: the %s of a binding is a name and has no slash", what)
		}
		return checkPart(what, b.path, maxField)
	default:
		return errors.New("secrets: the binding is empty: make one with KV, Database or Transit")
	}
}

// checkPart does not quote what it refuses: it may hold terminal sequences.
func checkPart(what, s string, most int) error {
	switch {
	case s == "":
		return fmt.Errorf("secrets: the %s of a binding is empty", what)
	case len(s) > most:
		return fmt.Errorf("secrets: the %s of a binding has %d bytes, and at most %d are allowed", what, len(s), most)
	case !utf8.ValidString(s):
		return fmt.Errorf("secrets: the %s of a binding is not valid UTF-8", what)
	}
	if i := strings.IndexFunc(s, forbidden); i >= 0 {
		r, _ := utf8.DecodeRuneInString(s[i:])
		return fmt.Errorf("secrets: the %s of a binding holds the character %U at byte %d, which is not allowed", what, r, i)
	}
	for part := range strings.SplitSeq(s, "/") {
		switch {
		case part == "":
			return fmt.Errorf("secrets: the %s of a binding begins or ends with a slash, or has two in a row", what)
		case part == "." || part == "..":
			return fmt.Errorf("secrets: the %s of a binding holds %q as a part", what, part)
		case strings.TrimSpace(part) != part:
			return fmt.Errorf("secrets: the %s of a binding has a part that begins or ends with a space", what)
		}
	}
	return nil
}

func forbidden(r rune) bool {
	return strings.ContainsRune(`\%?#`, r) || !unicode.IsPrint(r)
}

func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || forbidden(r) {
			return '_'
		}
		return r
	}, s)
}

// label is the name that stands for a value that was redacted. It is ASCII
// without quotes, backslashes and brackets, so that it fits into a JSON string, a
// shell's quotes and a log line alike.
func (b Binding) label() string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("-_./:#@+", r):
			return r
		default:
			return '_'
		}
	}, b.String())
}
