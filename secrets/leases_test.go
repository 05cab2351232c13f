package secrets

import (
	"errors"
	"testing"
	"time"
)

func leased(t *testing.T, id string, expires time.Time) *Credential {
	t.Helper()
	c, err := NewCredential(CredentialData{Binding: KV("a", "b"), Value: NewSecret([]byte("0123456789abcdef")), ID: id, Expires: expires})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A provider may give one lease several times: that one of them is given up must not
// end it for the others.
func TestALeaseIsRevokedWhenNobodyHasIt(t *testing.T) {
	t.Parallel()
	now := time.Now()
	l := &leases{held: map[lease]*holding{}, most: 10}
	hold := func(c *Credential) {
		if err := l.hold(c, now); err != nil {
			t.Fatal(err)
		}
	}
	first, second := leased(t, "shared", now.Add(time.Hour)), leased(t, "shared", now.Add(2*time.Hour))
	hold(first)
	hold(second)
	if l.giveUp(first); !l.needed(first) {
		t.Error("revoked while another has it")
	}
	if todo := l.close(now); len(todo) != 1 || todo[0] != second {
		t.Errorf("to be revoked: %v", todo)
	}
	l.forget(first)
	if len(l.held) != 0 {
		t.Errorf("%d are held", len(l.held))
	}
	if err := l.hold(first, now); !errors.Is(err, ErrClosed) || !l.isClosed() {
		t.Errorf("got %v", err)
	}

	l = &leases{held: map[lease]*holding{}, most: 10}
	hold(first)
	l.giveUp(first)
	if l.giveUp(first); l.needed(first) {
		t.Error("not revoked though nobody got it")
	}
	hold(first)
	if !l.needed(first) {
		t.Error("what was given up twice is owed")
	}
}

func TestLeasesAreBoundedAndExpire(t *testing.T) {
	t.Parallel()
	now := time.Now()
	l := &leases{held: map[lease]*holding{}, most: 3}
	for range 3 {
		if err := l.hold(leased(t, "", now.Add(time.Minute)), now); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.hold(leased(t, "one more", time.Time{}), now); err == nil {
		t.Error("there is no bound")
	}
	if err := l.hold(leased(t, "", time.Time{}), now); err != nil {
		t.Errorf("what cannot be revoked takes a place: %v", err)
	}
	later := now.Add(2 * time.Minute)
	if err := l.hold(leased(t, "one more", time.Time{}), later); err != nil || len(l.held) != 1 {
		t.Errorf("what has expired takes a place: %d, %v", len(l.held), err)
	}
}
