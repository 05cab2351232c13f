package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// A checkpoint says, signed, what the tree of a log was when it had so many events. Its
// text is that of C2SP tlog-checkpoint, with lines of our own behind the three:
//
//	safemcp/audit/4f9c2e0d77aa41b0
//	200
//	CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
//	time 2026-11-26T08:00:00.5Z
//	previous q0qhRUBqS6bXm6cE1E3vYmB2KcPq1x1mFQdXhG1p6aM=
//	segment 3
//	edge R3B8…= 0a1c…= …
//	key safemcp/audit/9c0e5f…+5a0b…+AX… safemcp/audit/4f9c…+7e11…+AZ…
//
//	— safemcp/audit/4f9c2e0d77aa41b0 7WMI…
//	— safemcp/audit/9c0e5f… 5Bqk…
//
// "previous" is the SHA-256 of the checkpoint before, as it stands. A segment begins with
// one that has the edge of the tree, from which the segment can be verified without those
// before it. Where it has a "key" that is the public one of what follows, behind which stands
// the one of what is before: it is signed with both.
type checkpoint struct {
	origin   string
	size     uint64
	root     root
	time     time.Time
	previous root
	segment  int    // which begins with it, or 0
	edge     []root // of the tree, where a segment begins
	key      string // public, that signs from here on, where it is another than before
	former   string // public, of what is before
}

// maxCheckpoint bounds a checkpoint, in bytes. The largest has an edge of 64 hashes.
const maxCheckpoint = 8 << 10

// maxSize bounds the number of events of a log. Computing with trees that are much larger
// does not end.
const maxSize = 1 << 48

var (
	errCheckpoint = errors.New("it is not a checkpoint of this log")
	errSignature  = errors.New("it is not signed with the log's key")
)

func (c *checkpoint) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%d\n%s\ntime %s\n", c.origin, c.size, encode64(c.root), c.time.UTC().Format(time.RFC3339Nano))
	if c.previous != (root{}) {
		fmt.Fprintf(&b, "previous %s\n", encode64(c.previous))
	}
	if c.segment > 0 {
		fmt.Fprintf(&b, "segment %d\nedge", c.segment)
		for _, h := range c.edge {
			b.WriteString(" " + encode64(h))
		}
		b.WriteByte('\n')
		if c.key != "" {
			b.WriteString("key " + c.key + " " + c.former + "\n")
		}
	}
	return b.String()
}

// sign returns the checkpoint as a signed note.
func (c *checkpoint) sign(signers ...note.Signer) ([]byte, error) {
	signed, err := note.Sign(&note.Note{Text: c.text()}, signers...)
	if err != nil {
		return nil, fmt.Errorf("audit: signing a checkpoint: %w", err)
	}
	return signed, nil
}

// openCheckpoint reads a signed checkpoint. There is one form of each: what parses and is
// written otherwise is refused. Without a verifier the signature is not looked at; with one
// it is that of one of the two, where it has two.
func openCheckpoint(signed []byte, verifier note.Verifier) (*checkpoint, error) {
	end := bytes.LastIndex(signed, []byte("\n\n"))
	if end < 0 {
		return nil, errCheckpoint
	}
	c, err := parseCheckpoint(string(signed[:end+1]))
	if err != nil {
		return nil, err
	}
	lines := bytes.SplitAfter(signed[end+2:], []byte("\n"))
	want := 1
	if c.key != "" {
		want = 2
	}
	if len(lines) != want+1 || len(lines[want]) > 0 {
		return nil, errCheckpoint
	}
	for _, line := range lines[:want] {
		if !canonicalSignature(line) {
			return nil, errCheckpoint
		}
	}
	if verifier != nil && !signedBy(signed, verifier) {
		return nil, errSignature
	}
	return c, nil
}

// signedBy says that a note has a signature of a key, and a good one.
func signedBy(signed []byte, verifier note.Verifier) bool {
	_, err := note.Open(signed, note.VerifierList(verifier))
	return err == nil
}

// canonicalSignature says that a line of signature is in its one form: base64 has bits that
// do not count at its end.
func canonicalSignature(line []byte) bool {
	parts := strings.Split(string(line), " ")
	if len(parts) != 3 || parts[0] != "—" || !strings.HasSuffix(parts[2], "\n") {
		return false
	}
	text := strings.TrimSuffix(parts[2], "\n")
	raw, err := base64.StdEncoding.DecodeString(text)
	return err == nil && base64.StdEncoding.EncodeToString(raw) == text
}

func parseCheckpoint(text string) (*checkpoint, error) {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) < 4 {
		return nil, errCheckpoint
	}
	var c checkpoint
	var err error
	c.origin = lines[0]
	if id, ok := strings.CutPrefix(c.origin, originPrefix); !ok || len(id) != 16 || strings.Trim(id, "0123456789abcdef") != "" {
		return nil, errCheckpoint
	}
	if c.size, err = strconv.ParseUint(lines[1], 10, 64); err != nil || c.size > maxSize {
		return nil, errCheckpoint
	}
	at, timed := strings.CutPrefix(lines[3], "time ")
	if c.time, err = time.Parse(time.RFC3339Nano, at); err != nil || !timed || !decode64(lines[2], &c.root) {
		return nil, errCheckpoint
	}
	rest := lines[4:]
	if len(rest) > 0 && strings.HasPrefix(rest[0], "previous ") {
		if !decode64(rest[0][len("previous "):], &c.previous) {
			return nil, errCheckpoint
		}
		rest = rest[1:]
	}
	if len(rest) > 1 && strings.HasPrefix(rest[0], "segment ") && strings.HasPrefix(rest[1], "edge") {
		if c.segment, err = strconv.Atoi(rest[0][len("segment "):]); err != nil || c.segment < 1 {
			return nil, errCheckpoint
		}
		for _, s := range strings.Fields(rest[1])[1:] {
			var h root
			if !decode64(s, &h) {
				return nil, errCheckpoint
			}
			c.edge = append(c.edge, h)
		}
		if len(rest) > 2 {
			c.key, _ = strings.CutPrefix(rest[2], "key ")
			c.key, c.former, _ = strings.Cut(c.key, " ")
		}
	}
	if c.text() != text {
		return nil, errCheckpoint
	}
	return &c, nil
}

func encode64(h root) string { return base64.StdEncoding.EncodeToString(h[:]) }

func decode64(s string, h *root) bool {
	b, err := base64.StdEncoding.DecodeString(s)
	return err == nil && copy(h[:], b) == len(b) && len(b) == len(h)
}

// hashOfNote is what the next checkpoint says of the one before.
func hashOfNote(signed []byte) root { return sha256.Sum256(signed) }

// cutNote returns the first of the notes in b and what follows, or no note where none is
// whole.
func cutNote(b []byte) (signed, rest []byte) {
	at := bytes.Index(b, []byte("\n\n— "))
	if at < 0 {
		return nil, b
	}
	for end := at + 2; ; { // lines of signatures
		size := bytes.IndexByte(b[end:], '\n')
		if size < 0 {
			return nil, b
		}
		end += size + 1
		if !bytes.HasPrefix(b[end:], []byte("— ")) {
			return b[:end], b[end:]
		}
	}
}
