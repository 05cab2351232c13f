package audit

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// A Proof shows, with a checkpoint and the public key alone and without the log, that an
// event is in the log (RFC 6962, section 2.1.1). It is safe to hand out as far as the event
// is: of the other events it holds hashes. It reads and writes as JSON.
type Proof struct {
	Event      string   `json:"event"`      // its line, byte for byte, without the end of line
	Seq        uint64   `json:"seq"`        // its number
	Checkpoint string   `json:"checkpoint"` // a signed one that covers it
	Hashes     []string `json:"hashes"`     // of the tree, in base64, from the event's neighbour up
}

// ErrNotCovered is returned by Prove for an event that no checkpoint covers yet.
var ErrNotCovered = errors.New("audit: no checkpoint covers the event yet: a log that runs makes one within a second, and when it is closed")

// Prove returns the proof that an event, by its number, is in the log in dir, under its
// last checkpoint. It reads the log once, in memory that does not grow with it, and does
// not verify it: see [Proof.Check]. It may run beside the log's writer.
func Prove(dir string, seq uint64) (*Proof, error) {
	segments, err := segmentsOf(dir)
	if err != nil {
		return nil, err
	}
	if seq == 0 || len(segments) == 0 {
		return nil, fmt.Errorf("audit: there is no event %d in %s", seq, dir)
	}
	signed, last, err := lastNote(dir, segments)
	if err != nil {
		return nil, err
	}
	if last == nil || last.size < seq {
		return nil, ErrNotCovered
	}
	tree := tlogTree{dir: dir, segments: segments}
	var line string
	tree.see = func(number uint64, text []byte) {
		if number == seq {
			line = string(text)
		}
	}
	size, index := int64(last.size), int64(seq-1)
	proof, err := prove(&tree, func(r tlog.HashReader) ([]tlog.Hash, error) { return tlog.ProveRecord(size, index, r) })
	if err != nil {
		return nil, err
	}
	return &Proof{Event: line, Seq: seq, Checkpoint: string(signed), Hashes: encoded(proof)}, nil
}

// Check says nil where the proof shows that its event is in the log whose public key is one
// of these: a log may have had several. It needs nothing else.
func (p *Proof) Check(publicKeys ...string) error {
	c, err := checked(p.Checkpoint, publicKeys)
	if err != nil {
		return err
	}
	hashes, err := hashesOf(p.Hashes)
	if err != nil {
		return err
	}
	if p.Seq == 0 || p.Seq > c.size || c.size > math.MaxInt64 {
		return errors.New("audit: the proof's checkpoint does not cover its event")
	}
	var t tree
	leaf := tlog.Hash(t.add([]byte(p.Event)))
	if err := tlog.CheckRecord(hashes, int64(c.size), tlog.Hash(c.root), int64(p.Seq-1), leaf); err != nil {
		return errors.New("audit: the proof does not hold: this event, as it stands, is not in the log at that place")
	}
	return nil
}

// A TreeProof shows that a log has only grown from one checkpoint to a later one, without
// the log (RFC 6962, section 2.1.2).
type TreeProof struct {
	From   string   `json:"from"` // both signed
	To     string   `json:"to"`
	Hashes []string `json:"hashes"` // in base64
}

// ProveGrowth returns the proof that the log in dir grew from a signed checkpoint that was
// kept elsewhere to its last one. It reads the log as Prove does.
func ProveGrowth(dir, from string) (*TreeProof, error) {
	older, err := openCheckpoint([]byte(from), nil)
	if err != nil {
		return nil, fmt.Errorf("audit: the checkpoint to prove from: %w", err)
	}
	segments, err := segmentsOf(dir)
	if err != nil {
		return nil, err
	}
	signed, last, err := lastNote(dir, segments)
	if err != nil {
		return nil, err
	}
	if last == nil || last.size < older.size || older.size == 0 {
		return nil, fmt.Errorf("audit: the log in %s has no checkpoint after that one", dir)
	}
	tree := tlogTree{dir: dir, segments: segments, see: func(uint64, []byte) {}}
	proof, err := prove(&tree, func(r tlog.HashReader) ([]tlog.Hash, error) {
		return tlog.ProveTree(int64(last.size), int64(older.size), r)
	})
	if err != nil {
		return nil, err
	}
	return &TreeProof{From: from, To: string(signed), Hashes: encoded(proof)}, nil
}

// Check says nil where the proof shows that the log whose public key is one of these, and
// may be another at its end, has only grown. It needs nothing else.
func (p *TreeProof) Check(publicKeys ...string) error {
	from, err := checked(p.From, publicKeys)
	if err != nil {
		return err
	}
	to, err := checked(p.To, publicKeys)
	if err != nil {
		return err
	}
	hashes, err := hashesOf(p.Hashes)
	if err != nil {
		return err
	}
	if from.origin != to.origin || from.size == 0 || from.size > to.size || to.size > math.MaxInt64 {
		return errors.New("audit: the proof's checkpoints are not one after the other of one log")
	}
	if err := tlog.CheckTree(hashes, int64(to.size), tlog.Hash(to.root), int64(from.size), tlog.Hash(from.root)); err != nil {
		return errors.New("audit: the proof does not hold: the log was rewritten between the checkpoints")
	}
	return nil
}

func checked(signed string, publicKeys []string) (*checkpoint, error) {
	verifiers := make([]note.Verifier, len(publicKeys))
	err := errSignature
	for i, key := range publicKeys {
		var wrong error
		if verifiers[i], wrong = verifierOf(key); wrong != nil {
			return nil, wrong
		}
	}
	for _, verifier := range verifiers {
		var c *checkpoint
		if c, err = openCheckpoint([]byte(signed), verifier); err == nil {
			return c, nil
		}
	}
	return nil, fmt.Errorf("audit: the proof's checkpoint: %w", err)
}

// prove makes a proof twice: first to learn which hashes it needs, then of those.
func prove(t *tlogTree, from func(tlog.HashReader) ([]tlog.Hash, error)) ([]tlog.Hash, error) {
	t.wanted = map[int64]tlog.Hash{}
	if _, err := from(tlog.HashReaderFunc(t.want)); err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	if err := t.read(); err != nil {
		return nil, err
	}
	proof, err := from(tlog.HashReaderFunc(t.have))
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	return proof, nil
}

// A tlogTree keeps some hashes of a log's tree while its lines go by.
type tlogTree struct {
	dir      string
	segments []segmentFile
	see      func(number uint64, line []byte)
	wanted   map[int64]tlog.Hash
}

func (t *tlogTree) want(indexes []int64) ([]tlog.Hash, error) {
	for _, i := range indexes {
		t.wanted[i] = tlog.Hash{}
	}
	return make([]tlog.Hash, len(indexes)), nil
}

func (t *tlogTree) have(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, at := range indexes {
		hashes[i] = t.wanted[at]
	}
	return hashes, nil
}

func (t *tlogTree) read() error {
	lines := tree{full: func(level int, n uint64, h root) {
		at := tlog.StoredHashIndex(level, int64(n))
		if _, ok := t.wanted[at]; ok {
			t.wanted[at] = tlog.Hash(h)
		}
	}}
	for _, s := range t.segments {
		err := eachLine(s.path, func(_ int, line []byte, whole bool) error {
			if whole {
				lines.add(line)
				t.see(lines.size, line)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// lastNote returns the last checkpoint of a log, nil where it has none.
func lastNote(dir string, segments []segmentFile) (signed []byte, last *checkpoint, err error) {
	for _, s := range slices.Backward(segments) {
		n := notes{path: notesPath(dir, s.number), trust: new(trust)} // Check looks at the signature
		if err := n.load(); err != nil {
			return nil, nil, fmt.Errorf("audit: the checkpoints of %s: %w", filepath.Base(s.path), err)
		}
		for n.next != nil {
			signed, last = n.signed, n.next
			if err := n.take(); err != nil {
				return nil, nil, fmt.Errorf("audit: the checkpoints of %s: %w", filepath.Base(s.path), err)
			}
		}
		if last != nil {
			return signed, last, nil
		}
	}
	return nil, nil, nil
}

func encoded(hashes []tlog.Hash) []string {
	out := make([]string, len(hashes))
	for i, h := range hashes {
		out[i] = encode64(root(h))
	}
	return out
}

func hashesOf(all []string) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(all))
	for i, s := range all {
		var h root
		if !decode64(s, &h) {
			return nil, errors.New("audit: the proof holds something that is no hash")
		}
		out[i] = tlog.Hash(h)
	}
	return out, nil
}
