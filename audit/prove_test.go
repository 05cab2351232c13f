package audit

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

// The tree is that of RFC 6962, as somebody else computes it.
func TestTheTreeIsThatOfRFC6962(t *testing.T) {
	t.Parallel()
	var ours tree
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) (out []tlog.Hash, err error) {
		for _, i := range indexes {
			out = append(out, stored[i])
		}
		return out, nil
	})
	for n := range int64(300) {
		line := []byte(strings.Repeat("x", int(n)))
		hashes, err := tlog.StoredHashes(n, line, reader)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, hashes...)
		ours.add(line)
		want, err := tlog.TreeHash(n+1, reader)
		if err != nil || tlog.Hash(ours.root()) != want {
			t.Fatalf("%d leaves: %v, %v, %v", n+1, ours.root(), want, err)
		}
		var again tree
		if err := again.settle(ours.size, ours.edge); err != nil || again.root() != ours.root() {
			t.Fatalf("%d leaves, from their edge: %v", n+1, err)
		}
	}
}

// A proof of every event holds with the public key alone, of no other event, at no other
// place, and under no other key.
func TestEveryEventCanBeProved(t *testing.T) {
	t.Parallel()
	dir, _ := long(t)
	public, err := ReadPublicKey(filepath.Join(dir, publicFile))
	if err != nil {
		t.Fatal(err)
	}
	_, other, err := GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	var before *Proof
	for seq := uint64(1); seq <= 200; seq += 7 {
		made, err := Prove(dir, seq)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(made)
		if err != nil {
			t.Fatal(err)
		}
		p := new(Proof)
		if err := json.Unmarshal(text, p); err != nil {
			t.Fatal(err)
		}
		if err := p.Check(public); err != nil {
			t.Errorf("event %d: %v", seq, err)
		}
		if before != nil {
			for name, forged := range map[string]*Proof{
				"another event":      {Event: before.Event, Seq: p.Seq, Checkpoint: p.Checkpoint, Hashes: p.Hashes},
				"a changed event":    {Event: p.Event[:len(p.Event)-1] + " ", Seq: p.Seq, Checkpoint: p.Checkpoint, Hashes: p.Hashes},
				"another place":      {Event: p.Event, Seq: p.Seq + 1, Checkpoint: p.Checkpoint, Hashes: p.Hashes},
				"beyond":             {Event: p.Event, Seq: 201, Checkpoint: p.Checkpoint, Hashes: p.Hashes},
				"none":               {Event: p.Event, Seq: 0, Checkpoint: p.Checkpoint, Hashes: p.Hashes},
				"other hashes":       {Event: p.Event, Seq: p.Seq, Checkpoint: p.Checkpoint, Hashes: before.Hashes},
				"no hashes":          {Event: p.Event, Seq: p.Seq, Checkpoint: p.Checkpoint},
				"a hash that is not": {Event: p.Event, Seq: p.Seq, Checkpoint: p.Checkpoint, Hashes: []string{"x"}},
				"a larger tree":      {Event: p.Event, Seq: p.Seq, Checkpoint: strings.Replace(p.Checkpoint, "\n200\n", "\n201\n", 1), Hashes: p.Hashes},
			} {
				if forged.Check(public) == nil {
					t.Errorf("event %d: a proof of %s holds", seq, name)
				}
			}
		}
		if p.Check(other) == nil || p.Check("x") == nil {
			t.Errorf("event %d: it holds under another key", seq)
		}
		before = p
	}
	for _, seq := range []uint64{0, 201} {
		if _, err := Prove(dir, seq); err == nil {
			t.Errorf("event %d was proved", seq)
		}
	}
}

// Of any two checkpoints the later can be proved to have grown from the earlier, and one of
// another log, or of a log that was rewritten in between, cannot.
func TestGrowthCanBeProved(t *testing.T) {
	t.Parallel()
	dir, files := long(t)
	public, err := ReadPublicKey(filepath.Join(dir, publicFile))
	if err != nil {
		t.Fatal(err)
	}
	var kept []string // checkpoints
	for i := 1; files[notesPath(dir, i)] != nil; i++ {
		for rest := files[notesPath(dir, i)]; len(rest) > 0; {
			var signed []byte
			signed, rest = cutNote(rest)
			kept = append(kept, string(signed))
		}
	}
	held := 0
	for _, from := range kept[1:] { // the first is of nothing
		p, err := ProveGrowth(dir, from)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Check(public); err != nil {
			t.Errorf("from %q: %v", from, err)
		}
		held++
		if p.From != p.To {
			if (&TreeProof{From: p.To, To: p.From, Hashes: p.Hashes}).Check(public) == nil {
				t.Error("it was proved to have shrunk")
			}
			if len(p.Hashes) > 0 && (&TreeProof{From: p.From, To: p.To, Hashes: p.Hashes[1:]}).Check(public) == nil {
				t.Error("it holds without a hash")
			}
		}
	}
	if held < 5 {
		t.Errorf("%d checkpoints", held)
	}
	key, err := readSigner(filepath.Join(dir, signerFile))
	if err != nil {
		t.Fatal(err)
	}
	rewritten := t.TempDir()
	l := opened(t, rewritten, &Options{SigningKey: key})
	l.origin = strings.SplitN(kept[0], "\n", 2)[0] // it pretends to be the other
	for range 250 {
		if err := l.Record(t.Context(), &Event{Phase: PhaseNotice}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	p, err := ProveGrowth(rewritten, kept[len(kept)-1])
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Check(public); err == nil || !strings.Contains(err.Error(), "rewritten") {
		t.Errorf("a log that was rewritten: %v", err)
	}
}
