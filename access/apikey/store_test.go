package apikey

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"github.com/safemcp/safemcp/access"
)

func TestRotationGivesTheSameGrantAndLetsTheOldKeyEnd(t *testing.T) {
	t.Parallel()
	s, c := fresh(t)
	g := ada
	g.Expires = noon.Add(30 * 24 * time.Hour)
	old, first := create(t, s, g)
	next, second, err := s.Rotate(t.Context(), first.ID, 24*time.Hour)
	if err != nil || next == old || second.ID == first.ID || !reflect.DeepEqual(second.Grant, first.Grant) || second.Replaces != first.ID {
		t.Fatalf("%+v, %v", second, err)
	}
	all, err := s.List()
	if err != nil || len(all) != 2 || all[0].ReplacedBy != second.ID || !all[0].Expires.Equal(noon.Add(24*time.Hour)) {
		t.Errorf("%+v, %v", all, err)
	}
	c.pass(24*time.Hour - time.Second)
	for _, key := range []string{old, next} {
		if _, err := ask(s, key); err != nil {
			t.Error(err)
		}
	}
	if _, _, err := s.Rotate(t.Context(), first.ID, 0); err == nil || !strings.Contains(err.Error(), second.ID) {
		t.Errorf("rotated twice: %v", err)
	}
	c.pass(time.Second)
	if _, err := ask(s, old); !errors.Is(err, ErrExpired) {
		t.Error(err)
	}
	if _, err := ask(s, next); err != nil {
		t.Error(err)
	}
	if _, _, err := s.Rotate(t.Context(), first.ID, 0); !errors.Is(err, ErrExpired) {
		t.Error(err)
	}
	// without a grace the old key ends at once, and the new one with the first's end
	third, e, err := s.Rotate(t.Context(), second.ID, 0)
	if err != nil || !e.Expires.Equal(g.Expires) {
		t.Errorf("%+v, %v", e, err)
	}
	if _, err := ask(s, next); !errors.Is(err, ErrExpired) {
		t.Error(err)
	}
	if _, err := ask(s, third); err != nil {
		t.Error(err)
	}
}

// Rotation must not be a way to make a key last longer, nor to bring one back.
func TestRotationProlongsNothing(t *testing.T) {
	t.Parallel()
	s, c := fresh(t)
	g := ada
	g.Expires = noon.Add(time.Hour)
	old, e := create(t, s, g)
	next, _, err := s.Rotate(t.Context(), e.ID, 48*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	c.pass(time.Hour)
	for _, key := range []string{old, next} {
		if _, err := ask(s, key); !errors.Is(err, ErrExpired) {
			t.Error(err)
		}
	}
	_, e = create(t, s, ada)
	if _, err := s.Revoke(t.Context(), e.ID); err != nil {
		t.Fatal(err)
	}
	if key, _, err := s.Rotate(t.Context(), e.ID, 0); !errors.Is(err, ErrRevoked) || key != "" {
		t.Errorf("%v", err)
	}
	_, e = create(t, s, ada)
	for _, grace := range []time.Duration{-1, longestGrace + 1} {
		if key, _, err := s.Rotate(t.Context(), e.ID, grace); err == nil || key != "" {
			t.Errorf("%v: no error", grace)
		}
	}
}

func TestRevokingAgainKeepsTheFirstTime(t *testing.T) {
	t.Parallel()
	s, c := fresh(t)
	_, e := create(t, s, ada)
	for range 2 {
		if got, err := s.Revoke(t.Context(), e.ID); err != nil || !got.Revoked.Equal(noon) {
			t.Errorf("%+v, %v", got, err)
		}
		c.pass(time.Hour)
	}
	for _, id := range []string{"aaaaaaaaaaaa", "", "AAAAAAAAAAAA", "../../etc"} {
		if _, err := s.Revoke(t.Context(), id); !errors.Is(err, ErrUnknown) {
			t.Errorf("%q: %v", id, err)
		}
		if _, _, err := s.Rotate(t.Context(), id, 0); !errors.Is(err, ErrUnknown) {
			t.Errorf("%q: %v", id, err)
		}
	}
}

func TestAGrantThatCouldForgeALineIsRefused(t *testing.T) {
	t.Parallel()
	s, _ := fresh(t)
	long := strings.Repeat("é", 129)
	for name, g := range map[string]Grant{
		"no name":               {},
		"a long name":           {Name: long},
		"a line":                {Name: "ada\nroot"},
		"an escape":             {Name: "ada\x1b[2J"},
		"no character":          {Name: "ada\x00"},
		"a turn to the left":    {Name: "ada\u202Etoor"},
		"no width":              {Name: "ada\u200B"},
		"no UTF-8":              {Name: "ada\xff"},
		"a space":               {Name: "ada "},
		"a space that is wide":  {Name: "ada\u00a0b"},
		"a tenant in two lines": {Name: "ada", Tenant: "a\nb"},
		"a long tenant":         {Name: "ada", Tenant: long},
		"an empty role":         {Name: "ada", Roles: []string{""}},
		"a role with a tab":     {Name: "ada", Roles: []string{"a\tb"}},
		"an empty scope":        {Name: "ada", Scopes: []string{""}},
		"two scopes in one":     {Name: "ada", Scopes: []string{"a b"}},
		"a scope with a quote":  {Name: "ada", Scopes: []string{`a"b`}},
		"a scope in Greek":      {Name: "ada", Scopes: []string{"α"}},
		"many roles":            {Name: "ada", Roles: slices.Repeat([]string{"a"}, 65)},
		"many scopes":           {Name: "ada", Scopes: slices.Repeat([]string{"a"}, 65)},
		"a time that is past":   {Name: "ada", Expires: noon.Add(-time.Second)},
		"now":                   {Name: "ada", Expires: noon.Add(time.Second - 1)},
		"the year 10000":        {Name: "ada", Expires: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		if key, e, err := s.Create(t.Context(), g); err == nil || key != "" || e.ID != "" || strings.ContainsAny(err.Error(), "\x1b\x00\u202e") {
			t.Errorf("%s: %q, %v", name, key, err)
		}
	}
	if _, err := os.Stat(s.state().path); err == nil {
		t.Error("a file was made")
	}
	g := Grant{Name: strings.Repeat("é", 128), Roles: []string{"b", "a", "b"}, Scopes: []string{"x", "x"}}
	_, e := create(t, s, g)
	if !slices.Equal(e.Roles, []string{"a", "b"}) || !slices.Equal(e.Scopes, []string{"x"}) || g.Roles[0] != "b" {
		t.Errorf("%+v", e)
	}
}

// The ID of a principal is made from the name alone; sessions and limits hang on it.
func TestTwoTenantsNeverShareAName(t *testing.T) {
	t.Parallel()
	s, _ := fresh(t)
	_, e := create(t, s, ada)
	other := ada
	other.Tenant = "sales"
	if key, _, err := s.Create(t.Context(), other); err == nil || key != "" || !strings.Contains(err.Error(), e.ID) {
		t.Errorf("got %v", err)
	}
	create(t, s, ada)
	for _, e := range must(s.List()) {
		if _, err := s.Revoke(t.Context(), e.ID); err != nil {
			t.Fatal(err)
		}
	}
	create(t, s, other)
}

// What List and Authenticate return must not be a way to change what the store knows.
func TestNobodyWritesIntoTheStoreThroughAnAnswer(t *testing.T) {
	t.Parallel()
	s, _ := fresh(t)
	key, e := create(t, s, ada)
	e.Scopes[0], e.Roles[0] = "admin", "admin"
	for _, e := range must(s.List()) {
		e.Scopes[0], e.Roles[0] = "admin", "admin"
	}
	p := must(ask(s, key))
	_ = append(p.Scopes, "admin")
	if p := must(ask(s, key)); p.Scopes[0] != "weather:read" || p.Roles[0] != "reader" || len(p.Scopes[:cap(p.Scopes)]) != 1 {
		t.Errorf("%+v", p)
	}
}

// Neither a key nor a part of its secret is anywhere but in what Create and Rotate
// returned.
func TestNothingButTheAnswerShowsAKey(t *testing.T) {
	t.Parallel()
	s, c := fresh(t)
	key, e := create(t, s, ada)
	second, e2, err := s.Rotate(t.Context(), e.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	p := must(ask(s, second))
	c.pass(time.Second)
	_, expired := ask(s, key)
	_, revoked := s.Revoke(t.Context(), key) // somebody gives the key for the id
	_, _, rotated := s.Rotate(t.Context(), second, 0)
	text, err := os.ReadFile(s.state().path)
	if err != nil {
		t.Fatal(err)
	}
	shown := []string{string(text)}
	var authenticator access.Authenticator = s
	for _, v := range []any{s, *s, authenticator, struct{ S *Store }{s}, struct{ s Store }{*s}, []*Store{s}, e, e2, &e, e.Grant, p, must(s.List()), Options{}, expired, revoked, rotated, errors.Join(expired, revoked)} {
		asJSON, _ := json.Marshal(v)
		shown = append(shown, fmt.Sprintf("%v %+v %#v %s %q %x %d", v, v, v, v, v, v, v), string(asJSON))
	}
	dir, err := os.ReadDir(filepath.Dir(s.state().path))
	if err != nil || len(dir) != 2 {
		t.Errorf("beside the store and its lock: %v, %v", dir, err)
	}
	for _, text := range shown {
		if told(text, key) || told(text, second) {
			t.Errorf("a secret is in %s", text)
		}
	}
	hash := must(s.state().read(), nil).all[0].hash
	for _, text := range shown[1:] {
		if strings.Contains(text, fmt.Sprintf("%x", hash)) {
			t.Errorf("a hash is in %s", text)
		}
	}
}

func TestAFileThatOthersCanReadOrChangeIsRefused(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows keeps permissions elsewhere")
	}
	s, _ := fresh(t)
	path := s.state().path
	create(t, s, ada)
	for _, p := range []string{path, path + ".lock"} {
		if info, err := os.Stat(p); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
	}
	for _, mode := range []os.FileMode{0o640, 0o620, 0o604, 0o602, 0o644, 0o660, 0o666, 0o610, 0o601} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path, nil); err == nil || !strings.Contains(err.Error(), "chmod 600 "+path) {
			t.Errorf("%v: %v", mode, err)
		}
		if key, _, err := s.Create(t.Context(), ada); err == nil || key != "" {
			t.Errorf("%v: it was written", mode)
		}
	}
	for _, mode := range []os.FileMode{0o600, 0o400} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path, nil); err != nil {
			t.Errorf("%v: %v", mode, err)
		}
	}
}

// A path with a mistake in it would otherwise be a server that refuses everybody.
func TestAServerDoesNotStartWithoutAFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys.json")
	for _, o := range []*Options{nil, {}} {
		if s, err := Open(path, o); err == nil || s != nil || !strings.Contains(err.Error(), "safetool keys create") {
			t.Errorf("%v", err)
		}
	}
	if _, err := Open("", nil); err == nil {
		t.Error("the empty path is one")
	}
}

func TestALockThatIsHeldStopsNobodyWhoIsChecked(t *testing.T) {
	t.Parallel()
	s, c := fresh(t)
	key, _ := create(t, s, ada)
	lock := flock.New(s.state().path + ".lock")
	if err := lock.Lock(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan error, 2)
	for range 2 {
		go func() {
			_, _, err := s.Create(ctx, ada)
			done <- err
		}()
	}
	for range 20 {
		c.pass(time.Second)
		if _, err := ask(s, key); err != nil {
			t.Error(err)
		}
	}
	left := errors.New("the caller left")
	cancel(left)
	for range 2 {
		if err := <-done; !errors.Is(err, left) {
			t.Errorf("got %v", err)
		}
	}
	s.state().patience = time.Millisecond
	if _, _, err := s.Create(t.Context(), ada); !errors.Is(err, errPatience) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	if all := must(s.List()); len(all) != 1 {
		t.Errorf("%d keys", len(all))
	}
}
