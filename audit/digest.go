package audit

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// orderedDigest appends the digest of the members: the declared ones in their order,
// then the others by name.
func (s *scratch) orderedDigest(rules Rules) {
	s.digest.Reset()
	s.digest.Write(ofObject)
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

// What digests are of, so that none is one of another kind.
var ofObject, ofAnswer, ofRaw = []byte("object\x00"), []byte("answer\x00"), []byte("raw\x00")

// A Digest is made of an answer, piece by piece. It is for one goroutine at a time.
type Digest struct {
	r *Redactor
	s *scratch
}

// Answer begins the digest of an answer: the HMAC-SHA-256, cut to 128 bits, under the key of
// digests, over the word "answer", a zero byte, and of each piece its kind and its content,
// each behind its length in bytes (64 bits, big endian). Which pieces an answer has is said
// in docs/privacy.md, for whoever has the answer and the key and wants to know whether it is
// the one.
func (r *Redactor) Answer() Digest {
	s, _ := r.scratch.Get().(*scratch)
	s.digest.Reset()
	s.digest.Write(ofAnswer)
	return Digest{r: r, s: s}
}

// Add adds a piece.
func (d *Digest) Add(kind, content string) {
	d.begin(kind, len(content))
	s := d.s
	for len(content) > 0 { // in parts, so that nothing large is kept
		part := content[:min(len(content), partBytes)]
		content = content[len(part):]
		s.text = append(s.text[:0], part...)
		s.digest.Write(s.text)
	}
}

// AddBytes adds a piece.
func (d *Digest) AddBytes(kind string, content []byte) {
	d.begin(kind, len(content))
	d.s.digest.Write(content)
}

const partBytes = 32 << 10

func (d *Digest) begin(kind string, size int) {
	s := d.s
	s.text = binary.BigEndian.AppendUint64(s.text[:0], uint64(len(kind)))
	s.text = append(s.text, kind...)
	s.text = binary.BigEndian.AppendUint64(s.text, uint64(size))
	s.digest.Write(s.text)
}

// Sum ends the digest and returns it in hexadecimal. The Digest is not used again.
func (d *Digest) Sum() string {
	d.s.hex = d.s.hex[:0]
	d.s.appendHex(d.s.digest)
	sum := string(d.s.hex)
	d.r.scratch.Put(d.s)
	d.s = nil
	return sum
}
