package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func plainLine(seq int, id string) string {
	return fmt.Sprintf(`{"v":1,"id":%q,"seq":%d,"time":"2026-01-02T03:04:05Z","phase":"intent","call":"c%d","new":[1, 2]}`, id, seq, seq)
}

// tailOf returns a tail, and what it yields when it looks.
func tailOf(t *testing.T, dir string) (look func() []string) {
	t.Helper()
	var raw []string
	f := &tail{ctx: t.Context(), dir: dir, seed: maphash.MakeSeed(), yield: func(l Line, err error) bool {
		if err != nil || l.Event == nil {
			t.Fatal(err)
		}
		raw = append(raw, string(l.Raw))
		return true
	}}
	return func() []string {
		raw = nil
		if err := f.catchUp(); err != nil {
			t.Fatal(err)
		}
		return raw
	}
}

func TestATailLosesAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	look := tailOf(t, dir)
	put := func(number int, text string) {
		t.Helper()
		if err := os.WriteFile(segmentPath(dir, number), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	line := func(seq int, id string) string { return plainLine(seq, id) + "\n" }
	steps := []struct {
		name string
		do   func()
		want []string
	}{
		{"an empty directory", func() {}, nil},
		{"a line and a half", func() { put(1, line(1, "a")+plainLine(2, "b")) }, []string{plainLine(1, "a")}},
		{"the other half", func() { put(1, line(1, "a")+line(2, "b")) }, []string{plainLine(2, "b")}},
		{"nothing new", func() {}, nil},
		{"its end cut off", func() { put(1, line(1, "a")) }, nil},
		{"another in its place", func() { put(1, line(1, "a")+line(2, "B")) }, []string{plainLine(2, "B")}},
		{"cut off and grown beyond", func() { put(1, line(1, "a")+line(2, "again")+line(3, "c")) }, []string{plainLine(2, "again"), plainLine(3, "c")}},
		{"two more segments", func() {
			put(1, line(1, "a")+line(2, "again")+line(3, "c")+line(4, "d"))
			put(2, "")
			put(3, line(5, "e"))
		}, []string{plainLine(4, "d"), plainLine(5, "e")}},
		{"a segment that is removed", func() { os.Remove(segmentPath(dir, 3)) }, nil},
		{"and begun again, as long as it was", func() { put(3, line(5, "f")) }, []string{plainLine(5, "f")}},
		{"old ones that are removed", func() { os.Remove(segmentPath(dir, 1)); os.Remove(segmentPath(dir, 2)); put(4, line(6, "g")) }, []string{plainLine(6, "g")}},
	}
	for _, s := range steps {
		s.do()
		if got := look(); !slices.Equal(got, s.want) {
			t.Errorf("%s: %q, want %q", s.name, got, s.want)
		}
	}
}

func TestATailBeginsWhereTheOldestSegmentIs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(segmentPath(dir, 90_000_000), []byte(plainLine(7, "a")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := tailOf(t, dir)(); len(got) != 1 {
		t.Errorf("%q", got)
	}
}

// What is shown beside a writer is what the writer wrote, byte for byte.
func TestFollowedLinesAreThoseOfTheFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	l.most = 2 << 10 // many segments
	const n = 200
	go func() {
		for i := range n {
			if err := l.Record(context.Background(), &Event{Phase: PhaseRefused, Call: strconv.Itoa(i), MCP: MCP{Tool: "<é\u202e>"}}); err != nil {
				t.Error(err)
			}
		}
	}()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var got bytes.Buffer
	seen := 0
	var last error
	for line, err := range FollowLines(ctx, dir) {
		if last = err; err != nil {
			break
		}
		got.Write(append(line.Raw, '\n'))
		if seen++; seen == n {
			cancel()
		}
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("it ended with %v", last)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	var want, read bytes.Buffer
	paths, _ := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	for _, p := range paths {
		content, _ := os.ReadFile(p)
		want.Write(content)
	}
	for line, err := range Lines(dir) {
		if err != nil {
			t.Fatal(err)
		}
		read.Write(append(line.Raw, '\n'))
	}
	if len(paths) < 5 || got.String() != want.String() || read.String() != want.String() {
		t.Errorf("of %d files: %d bytes followed and %d read of %d", len(paths), got.Len(), read.Len(), want.Len())
	}
	if size, err := Size(dir); err != nil || size != int64(want.Len()) {
		t.Errorf("the size is %d, %v", size, err)
	}
}

func TestLinesStandAsTheyAreAndATornOneIsLeftOut(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	odd := strings.Replace(plainLine(1, "a"), `"seq"`, ` "unknown" : "\u0041" ,  "seq"`, 1)
	if err := os.WriteFile(segmentPath(dir, 1), []byte(odd+"\n"+plainLine(2, "b")), 0o600); err != nil {
		t.Fatal(err)
	}
	n := 0
	for l, err := range Lines(dir) {
		if n++; err != nil || string(l.Raw) != odd || l.Event.Seq != 1 {
			t.Errorf("%q, %v", l.Raw, err)
		}
	}
	if n != 1 {
		t.Errorf("%d lines", n)
	}
	if err := os.WriteFile(segmentPath(dir, 1), []byte(odd+"\nnonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var last error
	for _, err := range Lines(dir) {
		last = err
	}
	if last == nil || !strings.Contains(last.Error(), "audit-00000001.jsonl, line 2") {
		t.Errorf("%v", last)
	}
}
