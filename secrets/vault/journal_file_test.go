package vault

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gofrs/flock"

	"github.com/safemcp/safemcp/secrets"
)

// A journal holds what is alive, however much has come and gone, and what is added is on
// disk when add returns.
func TestAJournalHoldsWhatIsAlive(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "journal")
	head := entry{Vault: "https://vault.example.org/v1/", Namespace: "team"}
	j, err := openJournal(dir, head)
	if err != nil {
		t.Fatal(err)
	}
	stays := []entry{{Accessor: "stays"}, {Lease: "database/creds/r/stays"}}
	for _, e := range stays {
		if err := j.add(e); err != nil {
			t.Fatal(err)
		}
	}
	path := j.path(journalEnding)
	j.lines = slack // as after that many that have gone
	for range 10 {
		comes := entry{Lease: "database/creds/r/comes"}
		if err := j.add(comes); err != nil {
			t.Fatal(err)
		}
		j.drop(comes)
	}
	all, mine, err := read(path, head)
	if err != nil || !mine {
		t.Fatalf("%v %v", mine, err)
	}
	for _, e := range stays {
		if !slices.Contains(all, e) {
			t.Errorf("%v is not in %v", e, all)
		}
	}
	if text, _ := os.ReadFile(path); bytes.Count(text, []byte("\n")) > 12 {
		t.Errorf("%s", text)
	}
	if _, mine, _ := read(path, entry{Vault: head.Vault}); mine {
		t.Error("another namespace's is ours")
	}
	if free, err := flock.New(j.path(lockEnding)).TryLock(); err != nil || free {
		t.Errorf("a journal in use is not locked: %v", err)
	}
	if err := j.close(true); err != nil {
		t.Error(err)
	}
	if err := j.add(entry{Accessor: "late"}); err == nil {
		t.Error("what comes after the end is taken, and nobody revokes it")
	}
	lock := flock.New(j.path(lockEnding))
	if free, err := lock.TryLock(); err != nil || !free {
		t.Errorf("what was left is locked: %v", err)
	}
	_ = lock.Close()
	if all, _, err = read(path, head); err != nil || len(all) < 2 {
		t.Errorf("%v %v", all, err)
	}
}

// A write that fails is told and is no end: the next may succeed.
func TestAJournalIsWrittenAgain(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "journal")
	head := entry{Vault: "https://vault.example.org/v1/"}
	j, err := openJournal(dir, head)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.add(entry{Accessor: "first"}); err != nil {
		t.Fatal(err)
	}
	_ = j.file.Close()
	away := dir + ".away"
	if err := os.Rename(dir, away); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := j.add(entry{Accessor: "lost"}); !errors.Is(err, secrets.ErrUnavailable) || !strings.Contains(err.Error(), "journal") {
			t.Errorf("%v", err)
		}
	}
	if err := os.Rename(away, dir); err != nil {
		t.Fatal(err)
	}
	if err := j.add(entry{Accessor: "second"}); err != nil {
		t.Fatal(err)
	}
	all, mine, err := read(j.path(journalEnding), head)
	if err != nil || !mine || len(all) != 2 || !slices.Contains(all, entry{Accessor: "first"}) || !slices.Contains(all, entry{Accessor: "second"}) {
		t.Errorf("%v %v %v", all, mine, err)
	}
	if err := j.close(false); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("%v is left", left)
	}
}

// Who is killed while a journal is begun leaves nothing behind for ever.
func TestAJournalThatWasNotBegunIsSweptAway(t *testing.T) {
	t.Parallel()
	j, err := openJournal(filepath.Join(t.TempDir(), "journal"), entry{Vault: "v"})
	if err != nil {
		t.Fatal(err)
	}
	killed := &journal{dir: j.dir, name: "KILLED"}
	half := filepath.Join(j.dir, "."+killed.name+journalEnding+".tmp-7")
	for _, path := range []string{killed.path(lockEnding), half} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	(&heir{p: &provider{journal: j}}).sweep()
	left, err := os.ReadDir(j.dir)
	if err != nil || len(left) != 2 { // the lock and the file of the one that lives
		t.Errorf("%v, %v", left, err)
	}
	if err := j.close(false); err != nil {
		t.Error(err)
	}
}
