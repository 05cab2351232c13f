package audit

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A crash at each step of changes of keys, of what was not synced too.
func TestRefutedCrashesOfChangesOfKeys(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	base := t.TempDir()
	dir := filepath.Join(base, "log")
	d := &simDisk{}
	o := &Options{SegmentBytes: 1500, reserve: 8}
	var publics []string
	rotate := func() {
		signing, _, err := GenerateKey()
		must(t, err)
		must(t, writeWhole(d, filepath.Join(dir, signerFile+nextSuffix), []byte(signing+"\n")))
		must(t, writeWhole(d, filepath.Join(dir, keyFile+nextSuffix), []byte(hex.EncodeToString(bytes.Repeat([]byte{byte(len(publics))}, 32))+"\n")))
	}
	for run := range 3 {
		if run > 0 {
			rotate()
		}
		l, err := openOn(d, dir, o)
		must(t, err)
		for i := range 5 {
			call := fmt.Sprintf("r%d-%d", run, i)
			must(t, l.Record(t.Context(), &Event{Phase: PhaseIntent, Call: call, Key: l.redactor.Key()}))
			d.ack(call + string(PhaseIntent))
		}
		must(t, l.Close())
		publics = append(publics, publicIn(t, dir))
	}
	c := &crashable{dir: dir, now: map[string]*inode{}, kept: map[string]*inode{}, named: true}
	for i, s := range d.steps {
		c.take(s)
		for range 1 { // six were tried, for five minutes
			err := func() error {
				into, err := os.MkdirTemp(base, "crash") //nolint:usetesting // there are many
				must(t, err)
				defer os.RemoveAll(into)
				at := filepath.Join(into, "log")
				must(t, os.Mkdir(at, 0o700))
				for path, content := range c.crash(random) {
					must(t, os.WriteFile(filepath.Join(at, filepath.Base(path)), content, 0o600))
				}
				for range 2 {
					l, err := openOn(osDisk{}, at, o)
					if err != nil {
						return fmt.Errorf("not taken up: %w", err)
					}
					must(t, l.Record(t.Context(), &Event{Phase: PhaseNotice, Call: "afterwards"}))
					must(t, l.Close())
				}
				found := map[string]bool{}
				for e, err := range Read(at) {
					if err != nil {
						return err
					}
					found[e.Call+string(e.Phase)] = true
				}
				for _, call := range c.acknowledged {
					if !found[call] {
						return fmt.Errorf("%s is not there", call)
					}
				}
				own := publicIn(t, at)
				for n, public := range publics {
					r, err := verify(at, &VerifyOptions{PublicKey: public}, nil)
					if err != nil {
						return err
					}
					if r.Bad != nil {
						known := false // the key has signed by then
						for _, later := range publics[n:] {
							known = known || later == own
						}
						if known {
							return fmt.Errorf("key %d: %w", n, r.Bad)
						}
					}
				}
				return nil
			}()
			if err != nil {
				t.Fatalf("after step %d, %s %s: %v", i, s.kind, filepath.Base(s.path), err)
			}
		}
	}
}

// A torn end, of lines or checkpoints, and a change of keys at the same start.
func TestRefutedTornAndRotated(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	dir := filepath.Join(base, "log")
	o := &Options{SegmentBytes: 1500}
	ran(t, dir, o, 8)
	l, err := Open(dir, o)
	must(t, err)
	must(t, l.Record(t.Context(), &Event{Phase: PhaseIntent, Call: "open"}))
	must(t, l.Close())
	first := publicIn(t, dir)
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	must(t, err)
	last := 0
	for n := 1; exists(segmentPath(dir, n)); n++ {
		last = n
	}
	for _, what := range []string{segmentPath(dir, last), notesPath(dir, last)} {
		whole := contentOf(t, what)
		for size := 0; size <= len(whole); size += 13 {
			at := filepath.Join(base, fmt.Sprintf("t%d%s", size, filepath.Ext(what)))
			must(t, os.Mkdir(at, 0o700))
			for _, f := range files {
				content := contentOf(t, f)
				if f == what {
					content = content[:size]
				}
				must(t, os.WriteFile(filepath.Join(at, filepath.Base(f)), content, 0o600))
			}
			must(t, NextKeys(at, true, true))
			l, err := Open(at, o)
			if err != nil {
				if strings.Contains(err.Error(), "not left like this") && filepath.Ext(what) == ".jsonl" || size == 0 || strings.Contains(err.Error(), "missing") {
					continue // covered lines are gone
				}
				t.Errorf("%s cut to %d: %v", filepath.Base(what), size, err)
				continue
			}
			must(t, l.Record(t.Context(), &Event{Phase: PhaseNotice, Call: "x"}))
			must(t, l.Close())
			for _, public := range []string{first, publicIn(t, at)} {
				if r, err := verify(at, &VerifyOptions{PublicKey: public}, nil); err != nil || r.Bad != nil {
					t.Errorf("%s cut to %d: %v %v", filepath.Base(what), size, err, r.Bad)
				}
			}
		}
	}
}

func randomJSON(random *rand.Rand, depth int) string {
	names := []string{"a", "b", "c", "a.b", "[]", "\\u0061", "", "ä", "x\\ud83d\\ude00", "é\\\"q"}
	switch n := random.IntN(12); {
	case n < 3 && depth > 0:
		var b strings.Builder
		b.WriteString("{ ")
		seen := map[string]bool{}
		for i := range random.IntN(5) {
			name := names[random.IntN(len(names))]
			key := strings.ReplaceAll(name, "\\u0061", "a")
			if seen[key] {
				continue
			}
			seen[key] = true
			if len(seen) > 1 {
				b.WriteString(" ,")
			}
			_ = i
			fmt.Fprintf(&b, "%q :\t", "")
			s := b.String()
			b.Reset()
			b.WriteString(strings.TrimSuffix(s, "\"\" :\t"))
			b.WriteString(`"` + name + "\" :\t" + randomJSON(random, depth-1))
		}
		b.WriteString("\n}")
		return b.String()
	case n < 6 && depth > 0:
		var parts []string
		for range random.IntN(22) {
			parts = append(parts, randomJSON(random, depth-1))
		}
		return "[" + strings.Join(parts, ", ") + " ]"
	}
	leaves := []string{`"canary"`, `"c\u0061nary \ud83d\ude00 \" \\"`, `1e5`, `-0.0`, `17`, `true`, `false`, `null`, `""`, `"` + strings.Repeat("canary", 200) + `"`, `"\u202e\u0000"`, `123456789012345678901234567890`}
	return leaves[random.IntN(len(leaves))]
}

func randomRules(random *rand.Rand, depth int) (rules Rules) {
	for _, name := range []string{"a", "b", "c", "a.b", "", "ä", "x😀", "é\"q"} {
		if random.IntN(3) == 0 {
			continue
		}
		f := FieldRule{Name: name, Rule: []Rule{RuleHMAC, RuleLen, RuleDrop}[random.IntN(3)]}
		if depth > 0 && random.IntN(2) == 0 {
			f.Within = randomRules(random, depth-1)
		}
		rules = append(rules, f)
	}
	return rules
}

// Whatever arguments and rules: no panic, nothing clear, and what is written reads back.
func TestRefutedRandomRedaction(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	r, err := NewRedactor(bytes.Repeat([]byte{7}, 32))
	must(t, err)
	most := 0
	for range 2000 {
		raw := json.RawMessage("{" + `"a":` + randomJSON(random, 4) + `,"c": ` + randomJSON(random, 4) + `, "z":` + randomJSON(random, 3) + "}")
		if !json.Valid(raw) {
			t.Fatalf("%s", raw)
		}
		rules := randomRules(random, 4)
		for _, valid := range []bool{true, false} {
			args := r.Args(raw, rules, valid)
			e := &Event{Version: 2, ID: "x", Seq: 1, Time: time.Unix(1, 0).UTC(), Phase: PhaseOutcome, Args: args}
			line, err := e.MarshalJSON()
			must(t, err)
			most = max(most, len(line))
			if bytes.Contains(line, []byte("canary")) {
				t.Fatalf("%s: %s", raw, line)
			}
			back := new(Event)
			if err := back.UnmarshalJSON(line); err != nil {
				t.Fatalf("%v\n%s\n%s", err, raw, line)
			}
			again, err := back.MarshalJSON()
			must(t, err)
			if !bytes.Equal(line, again) {
				t.Fatalf("%s\n%s", line, again)
			}
			if !valid && !reflect.DeepEqual(args.Digest, back.Args.Digest) {
				t.Fatal("digest")
			}
		}
	}
	t.Logf("at most %d bytes", most)
}

// Buffered events and others, callers that leave, a disk that fails, Close in the midst.
func TestRefutedBufferedUnderTrouble(t *testing.T) {
	t.Parallel()
	for round := range 30 {
		dir := filepath.Join(t.TempDir(), "log")
		d := &heldDisk{let: make(chan struct{})}
		l, err := openOn(d, dir, &Options{SegmentBytes: 4000})
		must(t, err)
		var group sync.WaitGroup
		var mu sync.Mutex
		acked := map[string]bool{}
		var buffered, lostAcked atomic.Int64
		stop := make(chan struct{})
		group.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					d.broken.Store(false)
					return
				case <-time.After(time.Millisecond):
					if round%2 == 0 {
						d.broken.Store(i%3 == 1)
					}
				}
			}
		})
		var writers sync.WaitGroup
		for w := range 16 {
			writers.Go(func() {
				for i := range 60 {
					call := fmt.Sprintf("w%d-%d", w, i)
					ctx, cancel := context.WithCancel(t.Context())
					if i%5 == 0 {
						cancel()
					} else if i%7 == 0 {
						go cancel()
					}
					e := &Event{Phase: PhaseOutcome, Call: call, Buffered: i%3 == 0}
					err := l.Record(ctx, e)
					cancel()
					if err == nil && !e.Buffered {
						mu.Lock()
						acked[call] = true
						mu.Unlock()
					} else if err == nil {
						buffered.Add(1)
					}
				}
			})
		}
		if round%3 == 0 {
			time.Sleep(3 * time.Millisecond)
			go func() { _ = l.Close() }()
		}
		writers.Wait()
		close(stop)
		group.Wait()
		done := make(chan error, 1)
		go func() { done <- l.Close() }()
		select {
		case err := <-done:
			if err != nil && round%2 != 0 {
				t.Error(err)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("Close hangs")
		}
		seen := map[string]int{}
		var inLog, told int64
		for e, err := range Read(dir) {
			must(t, err)
			if e.Decision.Rule == "buffered_lost" {
				n := 0
				if _, err := fmt.Sscanf(e.Decision.Reason[strings.Index(e.Decision.Reason, " on ")+4:], "%d events", &n); err == nil {
					told += int64(n)
				} else {
					told++
				}
			}
			if e.Call != "" {
				seen[e.Call]++
				if e.Buffered {
					inLog++
				}
			}
		}
		for call := range acked {
			if seen[call] == 0 {
				lostAcked.Add(1)
			}
		}
		for call, n := range seen {
			if n > 1 {
				t.Errorf("%s stands %d times", call, n)
			}
		}
		if lostAcked.Load() > 0 {
			t.Errorf("%d acknowledged are lost", lostAcked.Load())
		}
		if inLog+told != buffered.Load() && l.err == nil {
			t.Errorf("round %d: %d buffered were taken, %d are there, %d are said to be lost", round, buffered.Load(), inLog, told)
		}
		if r, err := verify(dir, nil, nil); err != nil || r.Bad != nil {
			t.Error(err, r.Bad)
		}
	}
}

// Whatever is cut, doubled, moved or spliced of a log that has had three keys is found with
// each of them; what is cut from the end, with a checkpoint from elsewhere.
func TestRefutedSplicesAcrossKeys(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	build := func(name string) (dir string, publics []string) {
		dir = filepath.Join(base, name)
		for i := range 3 {
			if i > 0 {
				must(t, NextKeys(dir, false, true))
			}
			ran(t, dir, &Options{SegmentBytes: 1500}, 20)
			publics = append(publics, publicIn(t, dir))
		}
		return dir, publics
	}
	dir, publics := build("log")
	files, err := filepath.Glob(filepath.Join(dir, "audit-*"))
	must(t, err)
	whole := map[string][]byte{}
	for _, f := range files {
		whole[f] = contentOf(t, f)
	}
	r, err := verify(dir, &VerifyOptions{PublicKey: publics[0]}, nil)
	must(t, err)
	if r.Bad != nil {
		t.Fatal(r.Bad)
	}
	n := len(files) / 2
	signed, _, err := lastNote(dir, []segmentFile{{n, segmentPath(dir, n)}})
	must(t, err)
	restore := func() {
		now, _ := filepath.Glob(filepath.Join(dir, "audit-*"))
		for _, f := range now {
			must(t, os.Remove(f))
		}
		for f, b := range whole {
			must(t, os.WriteFile(f, b, 0o600))
		}
	}
	tried := 0
	check := func(what string) {
		t.Helper()
		for i, public := range publics {
			for name, since := range map[string]string{"none": "", "brief": r.Checkpoint, "signed": string(signed)} {
				tried++
				got, err := verify(dir, &VerifyOptions{PublicKey: public, Since: since}, nil)
				if err == nil && got.Bad == nil {
					if since == "" && got.Events < r.Events {
						continue // cut from the end
					}
					t.Errorf("%s, key %d, since %s: not found (%d of %d events)", what, i, name, got.Events, r.Events)
				}
			}
		}
		restore()
	}
	pieces := func(f string) (all [][]byte) {
		if filepath.Ext(f) == ".jsonl" {
			for l := range bytes.Lines(whole[f]) {
				all = append(all, l)
			}
			return all
		}
		for rest := whole[f]; ; {
			one, more := cutNote(rest)
			if one == nil {
				return all
			}
			all, rest = append(all, one), more
		}
	}
	for fi, f := range files {
		must(t, os.Remove(f))
		check("removed " + filepath.Base(f))
		all := pieces(f)
		put := func(what string, p [][]byte) {
			must(t, os.WriteFile(f, bytes.Join(p, nil), 0o600))
			check(what + " in " + filepath.Base(f))
		}
		last := fi >= len(files)-2
		for i := range all {
			if !last || i < len(all)-1 || filepath.Ext(f) == ".jsonl" {
				put(fmt.Sprintf("removed %d of %d", i, len(all)), append(append([][]byte{}, all[:i]...), all[i+1:]...))
			}
			put(fmt.Sprintf("doubled %d", i), append(append(append([][]byte{}, all[:i+1]...), all[i]), all[i+1:]...))
			if i > 0 {
				p := append([][]byte{}, all...)
				p[i-1], p[i] = p[i], p[i-1]
				put(fmt.Sprintf("swapped %d", i), p)
			}
		}
	}
	// ends cut at each piece, consistently
	for end := n - 1; end > 0; end-- {
		for m := end + 1; m <= n; m++ {
			must(t, os.Remove(segmentPath(dir, m)))
			must(t, os.Remove(notesPath(dir, m)))
		}
		check(fmt.Sprintf("cut behind segment %d", end))
		{
			for m := end + 2; m <= n; m++ {
				must(t, os.Remove(segmentPath(dir, m)))
				must(t, os.Remove(notesPath(dir, m)))
			}
			must(t, os.WriteFile(segmentPath(dir, end+1), nil, 0o600))
			must(t, os.WriteFile(notesPath(dir, end+1), pieces(notesPath(dir, end+1))[0], 0o600))
			check(fmt.Sprintf("cut at the beginning of segment %d", end+1))
		}
	}
	// from the beginning, and renamed
	for from := 2; from <= n; from++ {
		for m := 1; m < from; m++ {
			must(t, os.Remove(segmentPath(dir, m)))
			must(t, os.Remove(notesPath(dir, m)))
		}
		check(fmt.Sprintf("cut before segment %d", from))
	}
	// another log's segments
	other, _ := build("other")
	for f := range whole {
		g := filepath.Join(other, filepath.Base(f))
		if !exists(g) {
			continue
		}
		must(t, os.WriteFile(f, contentOf(t, g), 0o600))
		check("another log's " + filepath.Base(f))
	}
	t.Logf("%d tried", tried)
}
