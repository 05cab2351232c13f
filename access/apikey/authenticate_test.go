package apikey

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/safemcp/safemcp/access"
)

func TestAKeyNamesItsCaller(t *testing.T) {
	t.Parallel()
	s, c := fresh(t)
	g := ada
	g.Expires = noon.Add(time.Hour)
	key, e := create(t, s, g)
	want := access.NewPrincipal("apikey", "ada")
	want.Tenant, want.Client, want.Expires, want.ScopesFixed = "finance", e.ID, noon.Add(time.Hour), true
	want.Roles, want.Scopes = []string{"reader"}, []string{"weather:read"}
	never := func() error { return errors.New("spent") }
	for _, r := range []*http.Request{
		with("Authorization", "Bearer "+key), with("authorization", "bearer "+key), with("Authorization", "BEARER   "+key), with("X-API-Key", key),
	} {
		if p, err := s.Authenticate(r, never); err != nil || !reflect.DeepEqual(p, want) {
			t.Errorf("%+v, %v", p, err)
		}
	}
	for range 60 { // read again each second, the file has it still
		c.pass(time.Minute - time.Second)
		if _, err := ask(s, key); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.CredentialHeaders(); !slices.Equal(got, []string{"Authorization", "X-Api-Key"}) {
		t.Errorf("%q", got)
	}
}

func TestWhatIsOfAnotherKindIsLeftToOthers(t *testing.T) {
	t.Parallel()
	s, _ := fresh(t)
	key, _ := create(t, s, ada)
	for _, r := range []*http.Request{
		with(), with("Authorization", ""), with("Authorization", "Bearer"), with("Authorization", "Bearer "), with("Authorization", "Bearer eyJhbGciOi"),
		with("Authorization", "Basic "+key), with("Authorization", key), with("Authorization", "Bearer\t"+key), with("Authorization", "Bearer MSK_"+key[4:]),
		with("Cookie", "X-API-Key="+key), with("Proxy-Authorization", "Bearer "+key),
	} {
		if p, err := s.Authenticate(r, nil); !errors.Is(err, access.ErrNoCredentials) || p.Known() {
			t.Errorf("%v: %v, %v", r.Header, p, err)
		}
	}
}

// The proxy in front may have looked at the other one.
func TestNoRequestWithTwoCredentialsIsTaken(t *testing.T) {
	t.Parallel()
	s, _ := fresh(t)
	key, _ := create(t, s, ada)
	other, _ := create(t, s, Grant{Name: "bob"})
	for _, r := range []*http.Request{
		with("Authorization", "Bearer "+key, "X-API-Key", key), with("Authorization", "Bearer "+key, "X-API-Key", other),
		with("Authorization", "Bearer "+key, "X-API-Key", ""), with("Authorization", "", "X-API-Key", key),
		with("Authorization", "Bearer eyJhbGciOi", "X-API-Key", key), with("Authorization", "Basic YTpi", "X-API-Key", key),
		with("Authorization", "Bearer "+key, "Authorization", "Bearer "+key), with("Authorization", "Bearer "+key, "Authorization", "Basic YTpi"),
		with("X-API-Key", key, "X-API-Key", key), with("X-API-Key", key, "x-api-key", ""),
	} {
		p, err := s.Authenticate(r, nil)
		if !errors.Is(err, ErrAmbiguous) || errors.Is(err, access.ErrNoCredentials) || p.Known() || told(err.Error(), key) {
			t.Errorf("%v, %v", p, err)
		}
	}
	for _, list := range []string{key + "," + other, key + ", " + key, "Bearer " + key, ""} {
		if p, err := ask(s, list); !errors.Is(err, ErrMalformed) || p.Known() {
			t.Errorf("%v, %v", p, err)
		}
	}
}

func TestAKeyEndsToTheSecond(t *testing.T) {
	t.Parallel()
	s, c := fresh(t)
	g := ada
	g.Expires = noon.Add(time.Hour)
	key, _ := create(t, s, g)
	c.pass(time.Hour - time.Nanosecond)
	if _, err := ask(s, key); err != nil {
		t.Error(err)
	}
	c.pass(time.Nanosecond)
	if p, err := ask(s, key); !errors.Is(err, ErrExpired) || p.Known() || told(err.Error(), key) {
		t.Errorf("%v, %v", p, err)
	}
}

// Another process changes the file; the one that serves knows a second later, and does
// not look at the file at each request until then.
func TestARevokedKeyStopsWithinASecond(t *testing.T) {
	t.Parallel()
	serving, c := fresh(t)
	other := opened(t, serving.state().path, c)
	key, e := create(t, other, ada)
	kept, _ := create(t, other, ada)
	if _, err := ask(serving, key); !errors.Is(err, ErrUnknown) {
		t.Errorf("the file was read again within the second: %v", err)
	}
	c.pass(time.Second)
	if _, err := ask(serving, key); err != nil {
		t.Fatal(err)
	}
	c.pass(time.Second / 2)
	if _, err := other.Revoke(t.Context(), e.ID); err != nil {
		t.Fatal(err)
	}
	c.pass(time.Second / 2)
	if p, err := ask(serving, key); !errors.Is(err, ErrRevoked) || p.Known() || told(err.Error(), key) {
		t.Errorf("a second later: %v, %v", p, err)
	}
	if _, err := ask(serving, kept); err != nil {
		t.Error(err)
	}
	// its own changes count at once
	key, e = create(t, serving, ada)
	if _, err := ask(serving, key); err != nil {
		t.Error(err)
	}
	if _, err := serving.Revoke(t.Context(), e.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := ask(serving, key); !errors.Is(err, ErrRevoked) {
		t.Error(err)
	}
	// a clock that was set back must not make what was seen look new
	keptID := must(ask(serving, kept)).Client
	c.pass(-time.Hour)
	if _, err := other.Revoke(t.Context(), keptID); err != nil {
		t.Fatal(err)
	}
	if _, err := ask(serving, kept); !errors.Is(err, ErrRevoked) {
		t.Error(err)
	}
}

// Some file systems keep the time of a file in steps, so that two states may have the
// same time and size.
func TestAStateWithTheSameTimeAndSizeIsNoticed(t *testing.T) {
	t.Parallel()
	serving, c := fresh(t)
	path := serving.state().path
	_, a := create(t, serving, ada)
	_, b := create(t, serving, ada)
	states := make([][]byte, 2)
	for i, id := range []string{a.ID, b.ID} {
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := opened(t, path, c).Revoke(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if states[i], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, before, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for i, id := range []string{a.ID, b.ID} {
		if err := os.WriteFile(path, states[i], 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, noon, noon); err != nil {
			t.Fatal(err)
		}
		all, err := serving.List()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range all {
			if e.Revoked.IsZero() == (e.ID == id) {
				t.Errorf("state %d is not the one that is seen: %+v", i, e)
			}
		}
	}
}

// A file that cannot be used refuses every key, says that it is not the keys' fault,
// and works again when it is put right.
func TestAFileThatCannotBeReadAnswersNobody(t *testing.T) {
	t.Parallel()
	s, c := fresh(t)
	path := s.state().path
	key, _ := create(t, s, ada)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, harm := range map[string]func(){
		"removed":     func() { must(os.Remove(path)) },
		"empty":       func() { must(os.Truncate(path, 0)) },
		"cut short":   func() { must(os.Truncate(path, int64(len(good)-9))) },
		"longer":      func() { must(os.WriteFile(path, append(slices.Clone(good), 'x'), 0o600)) },
		"far longer":  func() { must(os.Truncate(path, most+1)) },
		"a directory": func() { must(os.Remove(path)); must(os.Mkdir(path, 0o700)) },
		"open to all": func() { must(os.Chmod(path, 0o644)) },
	} {
		harm()
		if _, err := ask(s, key); err != nil {
			t.Errorf("%s: looked at within the second: %v", name, err)
		}
		for range 3 {
			c.pass(time.Second)
			p, err := ask(s, key)
			if open := name == "open to all" && os.PathSeparator == '\\'; !open && (!errors.Is(err, access.ErrUnavailable) || p.Known() || told(err.Error(), key)) {
				t.Errorf("%s: %v, %v", name, p, err)
			}
			if _, err := ask(s, "msk_x"); !errors.Is(err, ErrMalformed) {
				t.Errorf("%s: what is no key needs no file: %v", name, err)
			}
		}
		if _, _, err := s.Create(t.Context(), ada); err == nil && name != "open to all" {
			t.Errorf("%s: it was written over", name)
		}
		must(os.RemoveAll(path))
		must(os.WriteFile(path, good, 0o600))
		must(os.Chmod(path, 0o600))
		c.pass(time.Second)
		if _, err := ask(s, key); err != nil {
			t.Errorf("%s, and put right: %v", name, err)
		}
	}
}

func TestAStoreThatNobodyOpenedKnowsNobody(t *testing.T) {
	t.Parallel()
	_, key := newKey()
	for _, s := range []*Store{nil, {}} {
		if p, err := ask(s, key); !errors.Is(err, access.ErrUnavailable) || p.Known() {
			t.Errorf("%v, %v", p, err)
		}
		_, _, created := s.Create(t.Context(), ada)
		_, _, rotated := s.Rotate(t.Context(), "aaaaaaaaaaaa", 0)
		_, revoked := s.Revoke(t.Context(), "aaaaaaaaaaaa")
		_, listed := s.List()
		for _, err := range []error{created, rotated, revoked, listed} {
			if err == nil {
				t.Error("no error")
			}
		}
		_ = fmt.Sprintf("%v %+v %#v", s, s, s)
	}
}

// Keys come and go while others are checked: none that is valid is refused, and none
// is taken after Revoke has returned.
func TestChangingWhileChecking(t *testing.T) {
	t.Parallel()
	s, c := fresh(t)
	other := opened(t, s.state().path, c)
	kept, _ := create(t, s, ada)
	done := make(chan struct{})
	var checks, changes sync.WaitGroup
	for range 4 {
		checks.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				c.pass(time.Second / 4)
				if p, err := ask(s, kept); err != nil || p.Subject != "ada" {
					t.Error(err)
				}
			}
		})
	}
	for _, store := range []*Store{s, other} {
		changes.Go(func() {
			for range 20 {
				key, e := create(t, store, Grant{Name: "bob"})
				if _, err := ask(store, key); err != nil {
					t.Error(err)
				}
				if _, err := store.Revoke(t.Context(), e.ID); err != nil {
					t.Error(err)
				}
				if _, err := ask(store, key); !errors.Is(err, ErrRevoked) {
					t.Error(err)
				}
			}
		})
	}
	changes.Wait()
	close(done)
	checks.Wait()
}
