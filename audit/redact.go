package audit

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/safemcp/safemcp/internal/jsonwalk"
)

const (
	minKey    = 32  // bytes of a key
	nameBytes = 8   // of the name of a key
	macBytes  = 16  // of an HMAC of a field or digest: 128 bits
	maxClear  = 512 // bytes of a value that is recorded clear
	maxItems  = 16  // of a list that are recorded
	maxNodes  = 256 // members and elements within the arguments that are recorded
)

// A Redactor makes what is recorded of arguments. It is safe for concurrent use.
type Redactor struct {
	name          string
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
	name, err := derive(key, "v2/name")
	if err != nil {
		return nil, err
	}
	r.name = hex.EncodeToString(name[:nameBytes])
	if r.field, err = derive(key, "v2/field"); err != nil {
		return nil, err
	}
	if r.digest, err = derive(key, "v2/digest"); err != nil {
		return nil, err
	}
	r.scratch.New = func() any {
		return &scratch{field: hmac.New(sha256.New, r.field), digest: hmac.New(sha256.New, r.digest)}
	}
	return r, nil
}

// Key returns the name of the key, which says nothing about it: 16 hexadecimal digits. Events
// have it as their Key, so that after a change of the key it is known which one made an HMAC.
func (r *Redactor) Key() string { return r.name }

// derive returns the key of one purpose (RFC 5869).
func derive(key []byte, purpose string) ([]byte, error) {
	out, err := hkdf.Key(sha256.New, key, nil, "safemcp/audit/"+purpose, sha256.Size)
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
	path          []byte // of the value that is redacted
	left          int    // of maxNodes
	hex           []byte // HMACs, and values that are clear
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
// over its path too, so that equal values join within a field and not across; see
// [Redactor.HMAC]. Of a list the first 16 elements are recorded, and of all that is within
// the arguments 256 members and elements: what is beyond is in the digest.
func (r *Redactor) Args(raw json.RawMessage, rules Rules, valid bool) Args {
	out := Args{Bytes: len(raw)}
	s, _ := r.scratch.Get().(*scratch)
	defer r.scratch.Put(s)
	s.members, s.text, s.hex = s.members[:0], s.text[:0], s.hex[:0]
	if (!valid && !jsontext.Value(raw).IsValid()) || !s.read(raw, rules) {
		s.digest.Reset()
		s.digest.Write(ofRaw)
		s.digest.Write(raw)
		s.appendHex(s.digest)
		out.Digest = string(s.hex)
		return out
	}
	known := 0
	for i := range s.members {
		if s.members[i].declared >= 0 {
			known++
		}
	}
	out.Unknown = len(s.members) - known
	if known > 0 {
		out.Fields = make([]Field, 0, known)
	}
	s.left = maxNodes
	for i := range s.members {
		if m := &s.members[i]; m.declared >= 0 {
			s.path = appendName(s.path[:0], s.text[m.name:m.value])
			f := Field{Name: rules[m.declared].Name}
			s.redact(&f, s.text[m.value:m.end], &rules[m.declared], valid)
			out.Fields = append(out.Fields, f)
		}
	}
	s.orderedDigest(rules)
	all := string(s.hex) // one allocation for all of them
	out.Digest = all[len(all)-2*macBytes:]
	settle(out.Fields, all)
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

// redact fills the field of a value, whose path the scratch has. What its texts are is put
// into one string, which settle divides in the end: until then they stand for their length.
func (s *scratch) redact(f *Field, value []byte, declared *FieldRule, valid bool) {
	rule := declared.Rule
	if c := value[0]; (c == 't' || c == 'f' || c == 'n') && rule == RuleHMAC {
		rule = RuleClear // a boolean, or null
	}
	switch {
	case rule == RuleDrop:
		f.Len = -1
		return
	case (rule == RuleClear || (rule == RuleClosed && valid && chosen(value))) && len(value) <= maxClear && !nested(value, declared):
		f.Clear = zeros[:len(value)]
		s.hex = append(s.hex, value...)
		return
	}
	f.Len = length(value)
	if rule == RuleLen {
		return
	}
	switch {
	case value[0] == '{' && declared.Within != nil && s.left > 0:
		s.object(f, value, declared.Within, valid)
	case value[0] == '[' && s.left > 0 && f.Name != "":
		s.list(f, value, declared, valid)
	default:
		f.HMAC = zeros[:2*macBytes]
		s.mark(value)
	}
}

// chosen says that a value of a closed list is written as the list has it: a number can be
// written in many ways, which would be the caller's words.
func chosen(value []byte) bool {
	if c := value[0]; c != '-' && (c < '0' || c > '9') {
		return true
	}
	for i, c := range value {
		if c != '-' && (c < '0' || c > '9') || i > maxDigits {
			return false
		}
	}
	return true
}

// maxDigits is as long as a whole number can be that is exact everywhere.
const maxDigits = 16

// nested says that a value has members which are recorded by rules of their own.
func nested(value []byte, declared *FieldRule) bool {
	return declared.Within != nil && (value[0] == '{' || value[0] == '[')
}

// object records the members of an object by their rules.
func (s *scratch) object(f *Field, value []byte, rules Rules, valid bool) {
	path := len(s.path)
	jsonwalk.EachMember(value, 0, func(name []byte, at int) int {
		end := jsonwalk.Skip(value, at)
		i := rules.find(name, 0)
		if i < 0 {
			f.within().Unknown++
			return end
		}
		s.left--
		s.path = appendName(append(s.path, '.'), name)
		n := f.within()
		n.Fields = append(n.Fields, Field{Name: rules[i].Name})
		s.redact(&n.Fields[len(n.Fields)-1], value[at:end], &rules[i], valid)
		s.path = s.path[:path]
		return end
	})
}

// list records the first elements of a list, each by the rule of the list. One that is a
// list itself is one value.
func (s *scratch) list(f *Field, value []byte, declared *FieldRule, valid bool) {
	path := len(s.path)
	s.path = append(s.path, "[]"...)
	jsonwalk.EachElement(value, 0, func(_, at int) int {
		end := jsonwalk.Skip(value, at)
		if n := f.within(); len(n.Items) < maxItems && s.left > 0 {
			s.left--
			n.Items = append(n.Items, Field{})
			s.redact(&n.Items[len(n.Items)-1], value[at:end], declared, valid)
		}
		return end
	})
	s.path = s.path[:path]
}

// mark appends the HMAC of a canonical value under the path that the scratch has.
func (s *scratch) mark(value []byte) {
	binary.BigEndian.PutUint64(s.size[:], uint64(len(s.path)))
	s.field.Reset()
	s.field.Write(s.size[:])
	s.field.Write(s.path)
	s.field.Write(value)
	s.appendHex(s.field)
}

// zeros stands for texts that are not divided yet.
var zeros = strings.Repeat("0", maxClear)

// settle gives the fields their texts, which stand in all in the order of the fields, and
// returns what is behind them.
func settle(fields []Field, all string) string {
	for i := range fields {
		f := &fields[i]
		if n := len(f.Clear) + len(f.HMAC); n > 0 { // one of both
			if f.Clear != "" {
				f.Clear = all[:n]
			} else {
				f.HMAC = all[:n]
			}
			all = all[n:]
		}
		if f.Nested != nil {
			all = settle(f.Nested.Items, settle(f.Nested.Fields, all))
		}
	}
	return all
}

// HMAC returns the HMAC by which a value of a field is recorded, to find the events that
// hold it. The path is the field's name; of a member of an object both names with a dot
// between, of an element of a list the list's with [] behind it: customer.email, tags[]. In
// a name the characters . [ ] and \ stand behind a \.
// The error says that value is no JSON.
func (r *Redactor) HMAC(path string, value json.RawMessage) (string, error) {
	if !jsontext.Value(value).IsValid() {
		return "", errors.New("audit: the value of a field is JSON, a text in quotes")
	}
	s, _ := r.scratch.Get().(*scratch)
	defer r.scratch.Put(s)
	s.text, s.hex = s.text[:0], s.hex[:0]
	value = bytes.TrimSpace(value)
	if !s.canonical(value) {
		return "", errors.New("audit: the value has no canonical form")
	}
	s.path = append(s.path[:0], path...)
	s.mark(s.text)
	return string(s.hex), nil
}

func (s *scratch) appendHex(h hash.Hash) {
	s.sum = h.Sum(s.sum[:0])
	s.hex = hex.AppendEncode(s.hex, s.sum[:macBytes])
}
