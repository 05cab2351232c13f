package audit

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A log that has gone on to another key is not taken up with the one before: nobody could
// verify what follows.
func TestRefutedAFormerKeyGoesOnWriting(t *testing.T) {
	t.Parallel()
	var keys, publics []string
	for range 3 {
		signing, public, err := GenerateKey()
		must(t, err)
		keys, publics = append(keys, signing), append(publics, public)
	}
	for name, last := range map[string]*Options{
		"the first again":                  {SigningKey: keys[0]},
		"the second again":                 {SigningKey: keys[1]},
		"the second again, with the first": {SigningKey: keys[1], FormerSigningKey: keys[0]},
		"the first again, with the second": {SigningKey: keys[0], FormerSigningKey: keys[1]},
	} {
		dir := filepath.Join(t.TempDir(), "log")
		ran(t, dir, &Options{SigningKey: keys[0]}, 5)
		ran(t, dir, &Options{SigningKey: keys[1], FormerSigningKey: keys[0]}, 5)
		ran(t, dir, &Options{SigningKey: keys[2], FormerSigningKey: keys[1]}, 5)
		l, err := Open(dir, last)
		if err != nil {
			continue
		}
		t.Errorf("%s: a log whose key is the third was taken up", name)
		must(t, l.Record(t.Context(), &Event{Phase: PhaseOutcome, Call: "c"}))
		must(t, l.Close())
		for i, public := range publics {
			r, err := verify(dir, &VerifyOptions{PublicKey: public}, nil)
			must(t, err)
			if r.Bad != nil {
				t.Errorf("%s: with key %d: %v", name, i+1, r.Bad)
			}
		}
		if l, err := Open(dir, &Options{SigningKey: keys[2]}); err != nil {
			t.Errorf("%s: and not with its own key any more: %v", name, err)
		} else {
			must(t, l.Close())
		}
	}
}

// The same with the log's own key, of which an older copy was put back.
func TestRefutedAnOlderSignerPutBack(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "log")
	ran(t, dir, nil, 5)
	first := publicIn(t, dir)
	old := contentOf(t, filepath.Join(dir, signerFile))
	must(t, NextKeys(dir, false, true))
	ran(t, dir, nil, 5)
	second := publicIn(t, dir)
	must(t, os.WriteFile(filepath.Join(dir, signerFile), old, 0o600))
	l, err := Open(dir, nil)
	if err != nil {
		return
	}
	must(t, l.Record(t.Context(), &Event{Phase: PhaseOutcome, Call: "c"}))
	must(t, l.Close())
	for _, public := range []string{first, second} {
		r, err := verify(dir, &VerifyOptions{PublicKey: public}, nil)
		must(t, err)
		t.Errorf("it was taken up; verified with %s: %v", public, r.Bad)
	}
	_, err = Open(dir, nil)
	t.Errorf("and the next start: %v", err)
}

// What Record took can be read again.
func TestRefutedFieldsThatAreDeepPoisonTheLog(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "log")
	l, err := Open(dir, nil)
	must(t, err)
	// As safetool has it of an answer that is a list of objects with lists of objects: eight levels, within "result".
	var rules Rules
	for range 8 {
		rules = Rules{{Name: "c", Within: rules}}
	}
	rules = Rules{{Name: "result", Within: rules}}
	raw := `{"result":` + strings.Repeat(`[{"c":`, 8) + `[1]` + strings.Repeat(`}]`, 8) + `}`
	args := l.Redactor().Args(json.RawMessage(raw), rules, true)
	must(t, l.Record(t.Context(), &Event{Phase: PhaseOutcome, Call: "c", Answer: args}))
	must(t, l.Close())
	if r, err := verify(dir, nil, nil); err != nil || r.Bad != nil {
		t.Errorf("verify: %v %v", err, r.Bad)
	}
	for e, err := range Read(dir) {
		if err != nil {
			t.Errorf("read: %v", err)
		}
		_ = e
	}
	if l, err := Open(dir, nil); err != nil {
		t.Errorf("open: %v", err)
	} else {
		must(t, l.Close())
	}
}

// What is valid JSON for encoding/json alone may have a name twice.
func TestRefutedNamesThatStandTwicePoisonTheLog(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "log")
	l, err := Open(dir, nil)
	must(t, err)
	raw := json.RawMessage(`{"a":"x","a":"y"}`)
	args := l.Redactor().Args(raw, Rules{{Name: "a"}}, json.Valid(raw)) // as safetool's recordableAnswer
	must(t, l.Record(t.Context(), &Event{Phase: PhaseOutcome, Call: "c", Answer: args}))
	must(t, l.Close())
	if r, err := verify(dir, nil, nil); err != nil || r.Bad != nil {
		t.Errorf("verify: %v %v", err, r.Bad)
	}
	for _, err := range Read(dir) {
		if err != nil {
			t.Errorf("read: %v", err)
		}
	}
	if l, err := Open(dir, nil); err != nil {
		t.Errorf("open: %v", err)
	} else {
		must(t, l.Close())
	}
}

// Values of different fields do not join, whatever their names.
func TestRefutedFieldsOfDifferentNamesJoin(t *testing.T) {
	t.Parallel()
	r, err := NewRedactor(bytes.Repeat([]byte{7}, 32))
	must(t, err)
	one := r.Args(json.RawMessage(`{"a.b":"x","c[]":"x"}`), Rules{{Name: "a.b"}, {Name: "c[]"}}, true)
	two := r.Args(json.RawMessage(`{"a":{"b":"x"},"c":["x"]}`), Rules{{Name: "a", Within: Rules{{Name: "b"}}}, {Name: "c"}}, true)
	if one.Fields[0].HMAC == two.Fields[0].Nested.Fields[0].HMAC {
		t.Error("a.b is joined with b in a")
	}
	if one.Fields[1].HMAC == two.Fields[1].Nested.Items[0].HMAC {
		t.Error("c[] is joined with an element of c")
	}
}

// An argument is found whatever its name.
func TestRefutedAnArgumentWithADotIsNotFound(t *testing.T) {
	t.Parallel()
	key := bytes.Repeat([]byte{7}, 32)
	r, err := NewRedactor(key)
	must(t, err)
	for _, name := range []string{"user.name", "ids[]", "a[]b"} {
		raw, err := json.Marshal(map[string]string{name: "x"})
		must(t, err)
		e := &Event{Args: r.Args(raw, Rules{{Name: name}}, true)}
		a, err := Find(name, []json.RawMessage{json.RawMessage(`"x"`)}, [][]byte{key})
		if err == nil && !a.in(e) {
			t.Errorf("%s is not found, and nothing says why", name)
		}
	}
}

// Each bit of a log whose last checkpoint is the change of keys.
func TestRefutedABitOfTheFormerKeysSignature(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "log")
	ran(t, dir, nil, 3)
	first := publicIn(t, dir)
	must(t, NextKeys(dir, false, true))
	ran(t, dir, nil, 0)
	last := publicIn(t, dir)
	path := notesPath(dir, 2)
	whole := contentOf(t, path)
	for who, public := range map[string]string{"first": first, "last": last} {
		missed := 0
		for i := 0; i < len(whole); i += 3 {
			changed := bytes.Clone(whole)
			changed[i] ^= 1 << (i % 8)
			must(t, os.WriteFile(path, changed, 0o600))
			if r, err := verify(dir, &VerifyOptions{PublicKey: public}, nil); err == nil && r.Bad == nil {
				missed++
			}
		}
		if missed > 0 {
			t.Errorf("with the %s key %d flips of a bit are not found", who, missed)
		}
	}
	// and the next start does not go on over it
	changed := bytes.Clone(whole)
	at := bytes.Index(changed, []byte("\n\n— ")) + len("\n\n— safemcp/audit/0123456789abcdef AAAAAAAAAAAAAAAA")
	if changed[at]++; changed[at] > 'z' {
		changed[at] = 'A'
	}
	must(t, os.WriteFile(path, changed, 0o600))
	if l, err := Open(dir, nil); err == nil {
		must(t, l.Close())
		t.Error("it was taken up")
	}
}

// A bit between the last two checkpoints: both are whole for who looks, and cover events.
func TestRefutedTwoCheckpointsAreTakenForATornOne(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "log")
	for range 3 {
		ran(t, dir, nil, 3)
	}
	path := notesPath(dir, 1)
	whole := contentOf(t, path)
	var starts []int
	for rest := whole; ; {
		n, r := cutNote(rest)
		if n == nil {
			break
		}
		starts = append(starts, len(whole)-len(rest))
		rest = r
	}
	second := starts[len(starts)-2]
	at := second + bytes.Index(whole[second:], []byte("\n\n"))
	changed := bytes.Clone(whole)
	changed[at+1] ^= 1
	must(t, os.WriteFile(path, changed, 0o600))
	if r, err := verify(dir, nil, nil); err != nil || r.Bad == nil {
		t.Errorf("verify: %v %v", err, r.Bad)
	}
	l, err := Open(dir, nil)
	if err == nil {
		must(t, l.Close())
		t.Errorf("it was taken up, two checkpoints cut away: %q", noticed(t, dir))
	}
}

// A checkpoint of nothing shows nothing, and that is said; one of another log is of another.
func TestRefutedSinceACheckpointOfNothing(t *testing.T) {
	t.Parallel()
	signing, public, err := GenerateKey()
	must(t, err)
	one, two := filepath.Join(t.TempDir(), "log"), filepath.Join(t.TempDir(), "log")
	ran(t, one, &Options{SigningKey: signing}, 3)
	ran(t, two, &Options{SigningKey: signing}, 3)
	first, _ := cutNote(contentOf(t, notesPath(one, 1)))
	r, err := verify(two, &VerifyOptions{PublicKey: public, Since: string(first)}, nil)
	must(t, err)
	if r.Bad == nil {
		t.Errorf("held against a checkpoint of another log: well; it cannot know: %q", r.CannotKnow)
	}
}

// Who knows the first key is told that the change of keys is not here any more.
func TestRefutedTheFirstKeyAfterRetention(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "log")
	ran(t, dir, nil, 3)
	first := publicIn(t, dir)
	must(t, NextKeys(dir, false, true))
	l, err := Open(dir, &Options{SegmentBytes: 1500})
	must(t, err)
	for range 30 {
		must(t, l.Record(t.Context(), &Event{Phase: PhaseOutcome, Call: "c"}))
	}
	for n := 1; n < 4; n++ {
		must(t, l.removeSegment(t.Context(), segmentFile{n, segmentPath(dir, n)}))
	}
	must(t, l.Close())
	r, err := verify(dir, &VerifyOptions{PublicKey: publicIn(t, dir)}, nil)
	if err != nil || r.Bad != nil {
		t.Errorf("last: %v %v", err, r.Bad)
	}
	r, err = verify(dir, &VerifyOptions{PublicKey: first}, nil) // anybody could have signed what is here
	if err != nil || r.Bad == nil || !strings.Contains(r.Bad.Reason, "verify it with the newer key") {
		t.Errorf("first: %v %v", err, r.Bad)
	}
}

// The key before, which was stolen, is still in the options: what its thief writes is not
// taken up and signed with the new one.
func TestRefutedAFormerKeyLaundersALog(t *testing.T) {
	t.Parallel()
	a, _, err := GenerateKey()
	must(t, err)
	b, public, err := GenerateKey()
	must(t, err)
	dir, forged := filepath.Join(t.TempDir(), "log"), filepath.Join(t.TempDir(), "forged")
	o := &Options{SigningKey: b, FormerSigningKey: a, Key: bytes.Repeat([]byte{1}, 32)}
	ran(t, dir, &Options{SigningKey: a, Key: o.Key}, 9)
	ran(t, dir, o, 9) // it has gone on
	ran(t, forged, &Options{SigningKey: a, Key: bytes.Repeat([]byte{2}, 32)}, 3)
	files, err := filepath.Glob(filepath.Join(dir, "audit-*"))
	must(t, err)
	for _, f := range files {
		must(t, os.Remove(f))
	}
	for _, name := range []string{"audit-00000001.jsonl", "audit-00000001.checkpoints"} {
		must(t, os.WriteFile(filepath.Join(dir, name), contentOf(t, filepath.Join(forged, name)), 0o600))
	}
	l, err := Open(dir, o)
	if err != nil {
		return
	}
	must(t, l.Close())
	r, err := verify(dir, &VerifyOptions{PublicKey: public}, nil)
	must(t, err)
	t.Errorf("taken up and signed; verified with the new key alone: %v, %d events", r.Bad, r.Events)
}
