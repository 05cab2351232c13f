package audit

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/safemcp/safemcp/internal/jsonwalk"
)

const (
	minKey   = 32  // bytes of a key
	macBytes = 16  // of an HMAC of a field or digest: 128 bits
	maxClear = 512 // bytes of a value that is recorded clear
)

// A Redactor makes what is recorded of arguments. It is safe for concurrent use.
type Redactor struct {
	field, digest []byte
	scratch       sync.Pool
}

// NewRedactor returns a redactor whose HMACs are made with keys derived from key,
// which has at least 32 bytes. With the same key they are the same, so that values
// can be joined over restarts.
func NewRedactor(key []byte) (*Redactor, error) {
	if len(key) < minKey {
		return nil, fmt.Errorf("audit: a key has at least %d bytes", minKey)
	}
	r := &Redactor{}
	var err error
	if r.field, err = derive(key, "field"); err != nil {
		return nil, err
	}
	if r.digest, err = derive(key, "digest"); err != nil {
		return nil, err
	}
	r.scratch.New = func() any {
		return &scratch{field: hmac.New(sha256.New, r.field), digest: hmac.New(sha256.New, r.digest)}
	}
	return r, nil
}

// derive returns the key of one purpose (RFC 5869).
func derive(key []byte, purpose string) ([]byte, error) {
	out, err := hkdf.Key(sha256.New, key, nil, "safemcp/audit/v1/"+purpose, sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("audit: deriving a key: %w", err)
	}
	return out, nil
}

// A scratch is what one redaction works with.
type scratch struct {
	field, digest hash.Hash
	members       []member
	at            []int  // of each declared argument, its place among the members and 1
	text          []byte // canonical names and values
	hex           []byte
	sum           []byte
	size          [8]byte
}

// A member is one argument, by its places in the scratch's text.
type member struct {
	name, value, end int
	declared         int // which of the rules is its own, or -1
}

// Args returns what is recorded of raw, the arguments of a call. valid says that
// they were decoded strictly, no name twice, and have passed validation, so that
// values of closed lists are known to be from them. Without it raw may be any bytes:
// what is no JSON object has a digest and a size alone.
//
// The digest is an HMAC over the arguments in a canonical form, in which neither
// the order of members nor the way of writing strings shows. The HMAC of a field is
// over its name too, so that equal values join within a field and not across.
func (r *Redactor) Args(raw json.RawMessage, rules Rules, valid bool) Args {
	out := Args{Bytes: len(raw)}
	s, _ := r.scratch.Get().(*scratch)
	defer r.scratch.Put(s)
	s.members, s.text, s.hex = s.members[:0], s.text[:0], s.hex[:0]
	if (!valid && !jsontext.Value(raw).IsValid()) || !s.read(raw, rules) {
		s.digest.Reset()
		s.digest.Write([]byte("raw\x00"))
		s.digest.Write(raw)
		s.appendHex(s.digest)
		out.Digest = string(s.hex)
		return out
	}
	known, size := 0, 0
	for i := range s.members {
		if s.members[i].declared >= 0 {
			known++
		}
	}
	out.Unknown = len(s.members) - known
	if known > 0 {
		out.Fields = make([]Field, 0, known)
	}
	for i := range s.members {
		if m := &s.members[i]; m.declared >= 0 {
			f := s.redact(m, &rules[m.declared], valid)
			size += len(f.Clear)
			out.Fields = append(out.Fields, f)
		}
	}
	s.orderedDigest(rules)
	share(out.Fields, size)
	all := string(s.hex) // one allocation for all of them
	out.Digest = all[len(all)-2*macBytes:]
	for i, from := 0, 0; i < len(out.Fields); i++ {
		if f := &out.Fields[i]; f.HMAC != "" {
			f.HMAC = all[from : from+2*macBytes]
			from += 2 * macBytes
		}
	}
	return out
}

// read puts the members of an object into the scratch in canonical form. It says
// false of what is no object.
func (s *scratch) read(raw []byte, rules Rules) (ok bool) {
	at := jsonwalk.Space(raw, 0)
	ok = at < len(raw) && raw[at] == '{'
	if !ok {
		return false
	}
	if cap(s.at) < len(rules) {
		s.at = make([]int, len(rules))
	}
	s.at = s.at[:len(rules)]
	clear(s.at)
	next := 0
	jsonwalk.EachMember(raw, at, func(name []byte, value int) int {
		end := jsonwalk.Skip(raw, value)
		m := member{name: len(s.text), declared: rules.find(name, next)}
		s.text = append(s.text, name...)
		m.value = len(s.text)
		ok = s.canonical(raw[value:end]) && ok
		m.end = len(s.text)
		s.members = append(s.members, m)
		if m.declared >= 0 {
			next = m.declared + 1
			s.at[m.declared] = len(s.members)
		}
		return end
	})
	return ok
}

// canonical appends a value in canonical form: RFC 8785, but numbers as they are
// written, since whole numbers of more than 53 bits are not to be confused.
func (s *scratch) canonical(value []byte) bool {
	switch value[0] {
	case '{', '[':
		if settled(value) {
			s.text = append(s.text, value...)
			return true
		}
		v := jsontext.Value(bytes.Clone(value))
		if v.Canonicalize(jsontext.CanonicalizeRawInts(false), jsontext.CanonicalizeRawFloats(false)) != nil {
			return false
		}
		s.text = append(s.text, v...)
	case '"':
		if bytes.IndexByte(value, '\\') < 0 {
			s.text = append(s.text, value...)
			return true
		}
		unquoted, err := jsontext.AppendUnquote(nil, value)
		if err != nil {
			return false
		}
		s.text, err = jsontext.AppendQuote(s.text, unquoted)
		return err == nil
	default:
		s.text = append(s.text, value...)
	}
	return true
}

// settled says that a list has only one form anyway: no objects, whose members could
// stand in another order, no escapes and no white space between its elements.
func settled(value []byte) bool {
	inString := false
	for _, c := range value {
		switch {
		case c == '\\':
			return false
		case c == '"':
			inString = !inString
		case !inString && (c == '{' || c <= ' '):
			return false
		}
	}
	return true
}

// redact makes the field of a member. Its HMAC is only marked here: all of them
// become one string in the end.
func (s *scratch) redact(m *member, declared *FieldRule, valid bool) (f Field) {
	value := s.text[m.value:m.end]
	f.Name = declared.Name
	rule := declared.Rule
	if (value[0] == 't' || value[0] == 'f') && rule == RuleHMAC {
		rule = RuleClear // a boolean
	}
	switch {
	case rule == RuleDrop:
		f.Len = -1
		return f
	case (rule == RuleClear || (rule == RuleClosed && valid)) && len(value) <= maxClear:
		f.Clear = value
		return f
	}
	f.Len = length(value)
	if rule == RuleLen {
		return f
	}
	binary.BigEndian.PutUint64(s.size[:], uint64(m.value-m.name))
	s.field.Reset()
	s.field.Write(s.size[:])
	s.field.Write(s.text[m.name:m.end])
	s.appendHex(s.field)
	f.HMAC = "-"
	return f
}

// share gives the fields copies of their values that are clear, out of one slice.
func share(fields []Field, size int) {
	if size == 0 {
		return
	}
	all := make([]byte, 0, size)
	for i := range fields {
		if f := &fields[i]; f.Clear != nil {
			start := len(all)
			all = append(all, f.Clear...)
			f.Clear = all[start:len(all):len(all)]
		}
	}
}

// orderedDigest appends the digest of the members: the declared ones in their order,
// then the others by name.
func (s *scratch) orderedDigest(rules Rules) {
	s.digest.Reset()
	s.digest.Write([]byte("object\x00"))
	others := len(s.members)
	for i := range rules {
		if s.at[i] > 0 {
			s.digestMember(&s.members[s.at[i]-1])
			others--
		}
	}
	if others > 0 {
		s.members = slices.DeleteFunc(s.members, func(m member) bool { return m.declared >= 0 })
		slices.SortFunc(s.members, func(a, b member) int {
			return bytes.Compare(s.text[a.name:a.value], s.text[b.name:b.value])
		})
		for i := range s.members {
			s.digestMember(&s.members[i])
		}
	}
	s.appendHex(s.digest)
}

func (s *scratch) digestMember(m *member) {
	binary.BigEndian.PutUint32(s.size[:4], uint32(m.value-m.name))
	binary.BigEndian.PutUint32(s.size[4:], uint32(m.end-m.value))
	s.digest.Write(s.size[:])
	s.digest.Write(s.text[m.name:m.end])
}

func (s *scratch) appendHex(h hash.Hash) {
	s.sum = h.Sum(s.sum[:0])
	s.hex = hex.AppendEncode(s.hex, s.sum[:macBytes])
}

// length is how long a canonical value is, in its own units.
func length(value []byte) int {
	n := 0
	switch value[0] {
	case '"':
		unquoted := value[1 : len(value)-1]
		if bytes.IndexByte(unquoted, '\\') >= 0 {
			unquoted, _ = jsontext.AppendUnquote(nil, value)
		}
		return utf8.RuneCount(unquoted)
	case '[':
		jsonwalk.EachElement(value, 0, func(_, at int) int { n++; return jsonwalk.Skip(value, at) })
		return n
	case '{':
		jsonwalk.EachMember(value, 0, func(_ []byte, at int) int { n++; return jsonwalk.Skip(value, at) })
		return n
	}
	return len(value)
}
