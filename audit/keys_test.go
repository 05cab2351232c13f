package audit

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// noticed returns the rules of the notices in a log, in order.
func noticed(t *testing.T, dir string) (rules []string) {
	t.Helper()
	for e, err := range Read(dir) {
		must(t, err)
		if e.Phase == PhaseNotice {
			rules = append(rules, e.Decision.Rule)
		}
	}
	return rules
}

func ran(t *testing.T, dir string, o *Options, events int) {
	t.Helper()
	l, err := Open(dir, o)
	must(t, err)
	for range events {
		must(t, l.Record(t.Context(), &Event{Phase: PhaseOutcome, Call: "c"}))
	}
	must(t, l.Close())
}

// A log goes on to another signing key. Who knows the first follows it, and who knows the
// last verifies all of it.
func TestALogGoesOnToAnotherSigningKey(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "log")
	var publics []string
	for range 4 {
		if err := NextKeys(filepath.Dir(dir), true, false); err == nil {
			t.Error("a key was made where there is no log")
		}
		if len(publics) > 0 {
			must(t, NextKeys(dir, false, true))
		}
		ran(t, dir, &Options{SegmentBytes: 1500}, 12)
		publics = append(publics, publicIn(t, dir))
	}
	if slices.Sort(publics); len(slices.Compact(publics)) != 4 {
		t.Fatalf("the key stayed: %q", publics)
	}
	for i, public := range publics {
		r, err := verify(dir, &VerifyOptions{PublicKey: public}, nil)
		if err != nil || r.Bad != nil || r.Covered != uint64(r.Events) || r.Events != 4*12+6 {
			t.Errorf("with key %d: %v, %+v", i, err, r)
		}
	}
	if rules := noticed(t, dir); !slices.Equal(rules, []string{"signing_key", "signing_key_begun", "signing_key", "signing_key_begun", "signing_key", "signing_key_begun"}) {
		t.Errorf("the log says %q", rules)
	}
	if exists(filepath.Join(dir, signerFile+nextSuffix)) {
		t.Error("the key that was to come next is there still")
	}
	_, other, err := GenerateKey()
	must(t, err)
	r, err := verify(dir, &VerifyOptions{PublicKey: other}, nil)
	must(t, err)
	if r.Bad == nil || r.Bad.File != "audit-00000001.checkpoints" || !strings.Contains(r.Bad.Reason, "not signed") {
		t.Errorf("with a stranger's key: %v", r.Bad)
	}
}

// Whoever holds the log and none of its keys changes nothing unnoticed, on either side of a
// change of keys, and does not make one.
func TestNoKeyIsSlippedIn(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "log")
	ran(t, dir, nil, 5)
	first := publicIn(t, dir)
	must(t, NextKeys(dir, false, true))
	ran(t, dir, nil, 5)
	last := publicIn(t, dir)
	files, err := filepath.Glob(filepath.Join(dir, "audit-*"))
	must(t, err)
	if len(files) != 4 {
		t.Fatalf("got %q", files)
	}
	for _, public := range []string{first, last} {
		found := func(what string) {
			t.Helper()
			if r, err := verify(dir, &VerifyOptions{PublicKey: public}, nil); err == nil && r.Bad == nil {
				t.Errorf("%s, with key %s: not found", what, public)
			}
		}
		for _, path := range files {
			whole, err := os.ReadFile(path)
			must(t, err)
			for i := 0; i < len(whole); i += 17 {
				changed := bytes.Clone(whole)
				changed[i] ^= 1 << (i % 8)
				must(t, os.WriteFile(path, changed, 0o600))
				found(filepath.Base(path))
				if t.Failed() {
					return
				}
			}
			must(t, os.WriteFile(path, whole, 0o600))
		}
		// a checkpoint that names a key of an attacker's, signed with it alone
		signing, public, err := GenerateKey()
		must(t, err)
		signer, _, _, err := signerOf(signing)
		must(t, err)
		path := notesPath(dir, 2)
		whole, err := os.ReadFile(path)
		must(t, err)
		note, _ := cutNote(whole)
		c, err := openCheckpoint(note, nil)
		must(t, err)
		c.key, c.former = public, publicIn(t, dir)
		forged, err := c.sign(signer, signer)
		must(t, err)
		must(t, os.WriteFile(path, forged, 0o600))
		found("a forged change of keys")
		c.key, c.former = "", ""
		forged, err = c.sign(signer)
		must(t, err)
		must(t, os.WriteFile(path, forged, 0o600))
		found("another signer without a change of keys")
		must(t, os.WriteFile(path, whole, 0o600))
		if r, err := verify(dir, &VerifyOptions{PublicKey: public}, nil); err == nil && r.Bad == nil {
			t.Error("the attacker's own key verifies the log")
		}
		if r, err := verify(dir, &VerifyOptions{PublicKey: first}, nil); err != nil || r.Bad != nil {
			t.Fatalf("it was not put back: %v %v", err, r.Bad)
		}
	}
}

// The holder of the key before the last cannot rewrite what was before: whoever knows the
// last one sees it.
func TestAFormerKeyIsWorthNothing(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "log")
	ran(t, dir, nil, 5)
	former, err := readSigner(filepath.Join(dir, signerFile))
	must(t, err)
	must(t, NextKeys(dir, false, true))
	ran(t, dir, nil, 5)
	forger, _, _, err := signerOf(former)
	must(t, err)
	// segment 1 again, with another event in the place of the second
	text, err := os.ReadFile(segmentPath(dir, 1))
	must(t, err)
	lines := bytes.SplitAfter(text, []byte("\n"))
	at := bytes.Index(lines[1], []byte(`"call":"c"`))
	changed := bytes.Clone(lines[1][:len(lines[1])-1-sumSize])
	changed[at+8] = 'd'
	lines[1] = append(appendSum(changed, 0), '\n')
	must(t, os.WriteFile(segmentPath(dir, 1), bytes.Join(lines, nil), 0o600))
	notes, err := os.ReadFile(notesPath(dir, 1))
	must(t, err)
	var forged []byte
	var tr tree
	var previous root
	for note, rest := cutNote(notes); note != nil; note, rest = cutNote(rest) {
		c, err := openCheckpoint(note, nil)
		must(t, err)
		for tr.size < c.size {
			tr.add(bytes.TrimSuffix(lines[tr.size], []byte("\n")))
		}
		c.root, c.previous = tr.root(), previous
		signed, err := c.sign(forger)
		must(t, err)
		previous = hashOfNote(signed)
		forged = append(forged, signed...)
	}
	must(t, os.WriteFile(notesPath(dir, 1), forged, 0o600))
	r, err := verify(dir, nil, nil)
	if err != nil || r.Bad == nil {
		t.Errorf("the former key rewrote the log: %v %+v", err, r)
	}
}

func TestKeysThatAreGivenAreFollowed(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "log")
	a, _, err := GenerateKey()
	must(t, err)
	b, public, err := GenerateKey()
	must(t, err)
	one, two := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	ran(t, dir, &Options{SigningKey: a, Key: one}, 3)
	if _, err := Open(dir, &Options{SigningKey: b, Key: one}); err == nil || !strings.Contains(err.Error(), "not signed") {
		t.Fatalf("another key was taken without the one before: %v", err)
	}
	for range 3 { // it is not needed any more, and ignored
		ran(t, dir, &Options{SigningKey: b, FormerSigningKey: a, Key: two}, 3)
	}
	ran(t, dir, &Options{SigningKey: b, Key: two}, 3)
	if rules := noticed(t, dir); !slices.Equal(rules, []string{"signing_key", "signing_key_begun"}) {
		t.Errorf("the log says %q", rules)
	}
	if r, err := verify(dir, &VerifyOptions{PublicKey: public}, nil); err != nil || r.Bad != nil {
		t.Errorf("%v, %v", err, r.Bad)
	}
	if _, err := Open(dir, &Options{SigningKey: b, FormerSigningKey: "no key", Key: two}); err == nil {
		t.Error("what is no key was taken")
	}
}

// Wherever the process dies while the log goes on to other keys, it does so at the next
// start, and nothing is lost.
func TestACrashWhileKeysChange(t *testing.T) {
	t.Parallel()
	for dies := 1; ; dies++ {
		dir := filepath.Join(t.TempDir(), "log")
		ran(t, dir, nil, 5)
		first := publicIn(t, dir)
		must(t, NextKeys(dir, true, true))
		d := &dying{left: dies}
		l, err := openOn(d, dir, nil)
		if err == nil {
			_ = l.Close() // on a disk that is dead, maybe
		}
		if d.left > 0 { // it did not die
			if err != nil || dies < 10 {
				t.Fatalf("%d steps: %v", dies, err)
			}
			return
		}
		ran(t, dir, nil, 5)
		last := publicIn(t, dir)
		if exists(filepath.Join(dir, signerFile+nextSuffix)) || exists(filepath.Join(dir, keyFile+nextSuffix)) || last == first {
			t.Fatalf("step %d: the keys did not change", dies)
		}
		for _, public := range []string{first, last} {
			if r, err := verify(dir, &VerifyOptions{PublicKey: public}, nil); err != nil || r.Bad != nil {
				t.Fatalf("step %d: %v, %v", dies, err, r.Bad)
			}
		}
	}
}

// A dying disk does so many things, and then nothing any more.
type dying struct {
	osDisk
	left int
}

var errDead = errors.New("dead")

func (d *dying) step() error {
	if d.left--; d.left <= 0 {
		return errDead
	}
	return nil
}

func (d *dying) create(path string) (segment, error) {
	if err := d.step(); err != nil {
		return nil, err
	}
	s, err := d.osDisk.create(path)
	return &dyingSegment{s, d}, err
}

func (d *dying) reopen(path string) (segment, error) {
	if err := d.step(); err != nil {
		return nil, err
	}
	s, err := d.osDisk.reopen(path)
	return &dyingSegment{s, d}, err
}

func (d *dying) remove(path string) error {
	if err := d.step(); err != nil {
		return err
	}
	return d.osDisk.remove(path)
}

func (d *dying) rename(from, to string) error {
	if err := d.step(); err != nil {
		return err
	}
	return d.osDisk.rename(from, to)
}

type dyingSegment struct {
	segment
	d *dying
}

func (s *dyingSegment) Write(b []byte) (int, error) {
	if err := s.d.step(); err != nil {
		return 0, err
	}
	return s.segment.Write(b)
}

func (s *dyingSegment) Sync() error {
	if err := s.d.step(); err != nil {
		return err
	}
	return s.segment.Sync()
}

// With the key of arguments what was recorded can be found, before and after a change;
// without it nothing can be tried, and the log verifies.
func TestAForgottenKeyErasesWhatWasTyped(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "log")
	rules := Rules{{Name: "name"}}
	record := func() (hmac string) {
		l, err := Open(dir, nil)
		must(t, err)
		args := l.Redactor().Args(json.RawMessage(`{"name":"Ann"}`), rules, true)
		must(t, l.Record(t.Context(), &Event{Phase: PhaseIntent, Call: "c", Key: l.Redactor().Key(), Args: args}))
		must(t, l.Record(t.Context(), &Event{Phase: PhaseOutcome, Call: "c"}))
		must(t, l.Close())
		return args.Fields[0].HMAC
	}
	before := record()
	must(t, NextKeys(dir, true, false))
	after := record()
	if before == after {
		t.Error("two keys have one HMAC")
	}
	if rules := noticed(t, dir); !slices.Equal(rules, []string{"field_key"}) {
		t.Errorf("the log says %q", rules)
	}
	kept, err := filepath.Glob(filepath.Join(dir, "key.*"))
	must(t, err)
	if len(kept) != 1 {
		t.Fatalf("got %q", kept)
	}
	all, err := Keys(dir)
	must(t, err)
	var found []string
	for _, key := range all {
		r, err := NewRedactor(key)
		must(t, err)
		h, err := r.HMAC("name", json.RawMessage(`"Ann"`))
		must(t, err)
		found = append(found, h)
	}
	if !slices.Contains(found, before) || !slices.Contains(found, after) || len(found) != 2 {
		t.Errorf("%q and %q are not found among %q", before, after, found)
	}
	text, err := os.ReadFile(kept[0])
	must(t, err)
	if _, err := hex.DecodeString(strings.TrimSpace(string(text))); err != nil || !strings.HasPrefix(filepath.Base(kept[0]), "key.") {
		t.Errorf("%s: %v", kept[0], err)
	}
	must(t, os.Remove(kept[0]))
	if all, err := Keys(dir); err != nil || len(all) != 1 {
		t.Errorf("%d keys, %v", len(all), err)
	}
	if r, err := verify(dir, nil, nil); err != nil || r.Bad != nil {
		t.Errorf("without the key of arguments: %v, %v", err, r.Bad)
	}
	record()
}

// A checkpoint that is signed with another key is named, although the next one is not.
func TestTheCheckpointThatIsNotSignedIsNamed(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "log")
	ran(t, dir, nil, 5)
	path := notesPath(dir, 1)
	whole := contentOf(t, path)
	first, rest := cutNote(whole)
	c, err := openCheckpoint(first, nil)
	must(t, err)
	signing, _, err := GenerateKey()
	must(t, err)
	signer, _, _, err := signerOf(signing)
	must(t, err)
	forged, err := c.sign(signer)
	must(t, err)
	must(t, os.WriteFile(path, append(forged, rest...), 0o600))
	r, err := verify(dir, nil, nil)
	if err != nil || r.Bad == nil || !strings.Contains(r.Bad.Reason, "the checkpoint at byte 0: it is not signed") {
		t.Errorf("%v, %v", err, r.Bad)
	}
}

// Both keys sign a change of keys, whoever of them is known.
func TestAChangeOfKeysIsSignedByBoth(t *testing.T) {
	t.Parallel()
	key := func() (note.Signer, note.Verifier, string) {
		signing, _, err := GenerateKey()
		must(t, err)
		signer, verifier, public, err := signerOf(signing)
		must(t, err)
		return signer, verifier, public
	}
	former, knownFormer, formerly := key()
	next, knownNext, public := key()
	other, knownOther, _ := key()
	c := checkpoint{origin: newOrigin(), time: time.Unix(1, 0), segment: 2, key: public, former: formerly}
	for name, signers := range map[string][]note.Signer{"both": {former, next}, "the former twice": {former, former}, "the next twice": {next, next}, "another for the next": {former, other}, "another for the former": {other, next}} {
		signed, err := c.sign(signers...)
		if err != nil {
			continue // signed twice with one key
		}
		for who, verifier := range map[string]note.Verifier{"former": knownFormer, "next": knownNext, "other": knownOther} {
			for _, awaiting := range []bool{true, false} {
				tr := trust{verifier: verifier, awaiting: awaiting}
				_, err := tr.open(signed, func(err error) error { return err })
				good := err == nil && tr.settled() == nil
				want := name == "both" && who != "other"
				if good != want {
					t.Errorf("signed by %s, %s known, awaiting %v: %v, %v", name, who, awaiting, err, tr.settled())
				}
				if good && !sameKey(tr.verifier, knownNext) {
					t.Errorf("signed by %s, %s known: the next key is not the one that is known then", name, who)
				}
			}
		}
	}
}

// What was typed is found by whoever has the key, wherever in the arguments it was, and
// not by who has none.
func TestArgumentsAreFound(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "log")
	person := Rules{{Name: "name"}, {Name: "age"}, {Name: "city", Rule: RuleClosed}}
	rules := Rules{{Name: "who", Within: person}, {Name: "all", Within: person}, {Name: "tags"}, {Name: "note", Rule: RuleClear}}
	record := func(call, raw string) {
		l, err := Open(dir, nil)
		must(t, err)
		must(t, l.Record(t.Context(), &Event{Phase: PhaseOutcome, Call: call, Key: l.Redactor().Key(), Args: l.Redactor().Args(json.RawMessage(raw), rules, true)}))
		must(t, l.Record(t.Context(), &Event{Phase: PhaseOutcome, Call: call + "'", Key: l.Redactor().Key(), Answer: l.Redactor().Args(json.RawMessage(raw), rules, true)}))
		must(t, l.Close())
	}
	record("a", `{"who":{"name":"Ann","age":17,"city":"Paris"},"tags":["x","é"],"note":"a \u202e b"}`)
	must(t, NextKeys(dir, true, false))
	record("b", `{"who":{"name":"Ben"},"all":[{"name":"Ann","age":18}],"tags":["y","x"],"note":"Ann"}`)
	keys, err := Keys(dir)
	must(t, err)
	for _, c := range []struct {
		path, value, with, without string
	}{
		{"who.name", `"Ann"`, "a a'", ""},
		{"who.name", `"\u0041nn"`, "a a'", ""},
		{"all[].name", `"Ann"`, "b b'", ""},
		{"name", `"Ann"`, "", ""},
		{"who.age", `17`, "a a'", ""},
		{"who.age", `"17"`, "", ""},
		{"who.city", `"Paris"`, "a a'", "a a'"},
		{"tags[]", `"x"`, "a a' b b'", ""},
		{"tags[]", `"\u00e9"`, "a a'", ""},
		{"tags", `"x"`, "", ""},
		{"note", `"a \u202e b"`, "a a'", "a a'"},
		{"note", `"Ann"`, "b b'", "b b'"},
	} {
		for want, keys := range map[string][][]byte{c.with: keys, c.without + " ": nil} {
			a, err := Find(c.path, []json.RawMessage{json.RawMessage(c.value)}, keys)
			must(t, err)
			var got []string
			for l, err := range (&Filter{Arguments: []*Argument{a}}).Lines(Lines(dir)) {
				must(t, err)
				got = append(got, l.Event.Call)
			}
			if strings.Join(got, " ") != strings.TrimSpace(want) {
				t.Errorf("%s=%s with %d keys: %q, not %q", c.path, c.value, len(keys), got, want)
			}
		}
	}
	for path, value := range map[string]string{"": `1`, "a": `bare`} {
		if _, err := Find(path, []json.RawMessage{json.RawMessage(value)}, nil); err == nil {
			t.Errorf("%q=%q was taken", path, value)
		}
	}
}
