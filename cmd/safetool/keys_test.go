package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/safemcp/safemcp/access"
	"github.com/safemcp/safemcp/access/apikey"
)

// keys runs a command about the keys in a file.
func keys(t *testing.T, file string, args ...string) (out, errs string, code int) {
	t.Helper()
	var o, e strings.Builder
	code = run(t.Context(), append(append([]string{"keys"}, args...), "--file", file), &o, &e)
	return o.String(), e.String(), code
}

// idOf is the id that stands in a key.
func idOf(key string) string { return strings.Split(key, "_")[1] }

// made makes a key, which is all that is on standard output.
func made(t *testing.T, file string, args ...string) (key string) {
	t.Helper()
	out, errs, code := keys(t, file, append([]string{"create"}, args...)...)
	key, rest, _ := strings.Cut(out, "\n")
	if code != 0 || rest != "" || !strings.HasPrefix(key, "msk_") || !strings.Contains(errs, "It is shown once") || strings.Contains(errs, key) {
		t.Fatalf("exit %d: %q, %q", code, out, errs)
	}
	return key
}

func caller(t *testing.T, file, key string) (access.Principal, error) {
	t.Helper()
	s, err := apikey.Open(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s.Authenticate(&http.Request{Header: http.Header{"X-Api-Key": {key}}}, nil)
}

// hidden says that a text has neither a key nor its secret in it.
func hidden(t *testing.T, text string, keys ...string) {
	t.Helper()
	for _, key := range keys {
		if strings.Contains(text, strings.Split(key, "_")[2][:32]) {
			t.Errorf("a secret is shown in %s", text)
		}
	}
}

func TestAKeyIsShownOnceAndWorks(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "new", "keys.json")
	key := made(t, file, "--name", "Ada L", "--tenant", "finance", "--role", "reader", "--role", "writer", "--scope", "b:x", "--scope", "a:x", "--expires", "720h")
	bob := made(t, file, "--name", "bob")
	p, err := caller(t, file, key)
	if err != nil || p.ID != "apikey|Ada L" || p.Tenant != "finance" || strings.Join(p.Roles, " ") != "reader writer" || strings.Join(p.Scopes, " ") != "a:x b:x" || p.Client != idOf(key) {
		t.Errorf("%+v, %v", p, err)
	}
	if left := time.Until(p.Expires); left > 720*time.Hour || left < 719*time.Hour {
		t.Errorf("it ends in %v", left)
	}
	if p, err := caller(t, file, bob); err != nil || !p.Expires.IsZero() || p.Roles != nil || p.Scopes != nil {
		t.Errorf("%+v, %v", p, err)
	}
	table, errs, code := keys(t, file, "list")
	lines := strings.Split(strings.TrimSpace(table), "\n")
	if code != 0 || errs != "" || len(lines) != 3 {
		t.Fatalf("exit %d:\n%s%s", code, table, errs)
	}
	for column, cell := range map[string]string{"ID": idOf(bob), "NAME": "bob", "TENANT": "-", "ROLES": "-", "SCOPES": "-", "EXPIRES": "-", "STATE": "valid"} {
		if at := strings.Index(lines[0], column); at < 0 || !strings.HasPrefix(lines[2][at:], cell) {
			t.Errorf("%q does not stand under %s:\n%s", cell, column, table)
		}
	}
	if !regexp.MustCompile(idOf(key) + ` +Ada L +finance +reader, writer +a:x b:x +\S+Z +\S+Z +valid`).MatchString(lines[1]) {
		t.Error(table)
	}
	asJSON, _, code := keys(t, file, "list", "--json")
	line, _, _ := strings.Cut(asJSON, "\n")
	var e struct {
		apikey.Entry
		State string
	}
	if err := json.Unmarshal([]byte(line), &e); err != nil || code != 0 || e.ID != idOf(key) || e.Name != "Ada L" || e.State != "valid" || !e.Expires.Equal(p.Expires) {
		t.Errorf("exit %d, %v: %s", code, err, asJSON)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	hidden(t, table+asJSON+string(content), key, bob)
}

func TestKeysAreRotatedAndRevoked(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "keys.json")
	old := made(t, file, "--name", "ada", "--role", "reader")
	out, errs, code := keys(t, file, "rotate", idOf(old), "--grace", "24h")
	next := strings.TrimSpace(out)
	if code != 0 || !strings.Contains(errs, "The old key "+idOf(old)+" ends at ") {
		t.Fatalf("exit %d: %s%s", code, out, errs)
	}
	hidden(t, errs, old, next)
	for _, key := range []string{old, next} {
		if p, err := caller(t, file, key); err != nil || strings.Join(p.Roles, " ") != "reader" {
			t.Errorf("%+v, %v", p, err)
		}
	}
	if table, _, _ := keys(t, file, "list"); !strings.Contains(table, "replaced") {
		t.Error(table)
	}
	out, errs, code = keys(t, file, "rotate", idOf(next)) // no grace
	last := strings.TrimSpace(out)
	if _, err := caller(t, file, next); code != 0 || !errors.Is(err, apikey.ErrExpired) {
		t.Errorf("exit %d, %v: %s", code, err, errs)
	}
	out, errs, code = keys(t, file, "revoke", idOf(last))
	if _, err := caller(t, file, last); code != 0 || out != "" || !errors.Is(err, apikey.ErrRevoked) || strings.Contains(errs, "valid still") {
		t.Errorf("exit %d, %v: %s%s", code, err, out, errs)
	}
	// who revokes one key of a rotation is told that the other one works
	first := made(t, file, "--name", "bob")
	out, _, _ = keys(t, file, "rotate", idOf(first), "--grace", "24h")
	if _, errs, code := keys(t, file, "revoke", idOf(first)); code != 0 || !strings.Contains(errs, idOf(strings.TrimSpace(out))+", which was rotated with it, is valid still") {
		t.Errorf("exit %d: %s", code, errs)
	}
	table, _, _ := keys(t, file, "list")
	for _, want := range []string{"revoked", "expired", "valid", "replaced"} {
		if !strings.Contains(table, want) {
			t.Errorf("no %s in\n%s", want, table)
		}
	}
}

func TestMistakesAboutKeysAreSaidWithTheirExitCode(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "keys.json")
	nowhere := filepath.Join(t.TempDir(), "keys.json")
	key := made(t, file, "--name", "ada")
	again := made(t, file, "--name", "ada")
	if _, errs, code := keys(t, file, "revoke", idOf(again)); code != 0 {
		t.Fatal(errs)
	}
	for _, c := range []struct {
		file string
		args []string
		code int
		says string
	}{
		{file, []string{"nonsense"}, 2, "no command"},
		{file, []string{"create"}, 2, "--name"},
		{file, []string{"create", "ada"}, 2, "nothing but flags"},
		{file, []string{"create", "--name", "ada", "lovelace"}, 2, "quote"},
		{file, []string{"create", "--name", "a\nb"}, 2, "printable"},
		{file, []string{"create", "--name", "ada", "--scope", "a b"}, 2, "scope"},
		{file, []string{"create", "--name", "ada", "--role", ""}, 2, "role"},
		{file, []string{"create", "--name", "ada", "--expires", "30"}, 2, "expires"},
		{file, []string{"create", "--name", "ada", "--expires", "0s"}, 2, "720h"},
		{file, []string{"create", "--name", "ada", "--expires", "-1h"}, 2, "720h"},
		{file, []string{"create", "--name", "ada", "--nonsense"}, 2, "nonsense"},
		{file, []string{"create", "--name", "ada", "--tenant", "other"}, 1, "another name"},
		{"", []string{"create", "--name", "ada"}, 2, "--file"},
		{"", []string{"list"}, 2, "--file"},
		{file, []string{"list", "x"}, 2, "nothing but flags"},
		{file, []string{"rotate"}, 2, "safetool keys list"},
		{file, []string{"revoke"}, 2, "safetool keys list"},
		{file, []string{"revoke", idOf(key), idOf(again)}, 2, "one id"},
		{file, []string{"rotate", idOf(key), "--grace", "-1s"}, 2, "24h"},
		{file, []string{"rotate", idOf(key), "--grace", "9999h"}, 1, "2160 hours"},
		{file, []string{"rotate", idOf(again)}, 1, "create"},
		{file, []string{"rotate", "aaaaaaaaaaaa"}, 1, "safetool keys list"},
		{file, []string{"revoke", "aaaaaaaaaaaa"}, 1, "safetool keys list"},
		{file, []string{"revoke", key}, 1, "no id"},
		{file, []string{"rotate", key}, 1, "no id"},
		{nowhere, []string{"list"}, 1, "safetool keys create"},
		{nowhere, []string{"rotate", idOf(key)}, 1, "safetool keys create"},
		{nowhere, []string{"revoke", idOf(key)}, 1, "safetool keys create"},
		{filepath.Dir(file), []string{"list"}, 1, "not a file"},
	} {
		out, errs, code := keys(t, c.file, c.args...)
		if code != c.code || out != "" || !strings.Contains(errs, c.says) {
			t.Errorf("%q: exit %d, want %d: %s%s", c.args, code, c.code, out, errs)
		}
		hidden(t, errs, key, again)
	}
	if table, _, _ := keys(t, file, "list"); strings.Count(table, "\n") != 3 {
		t.Errorf("something was made:\n%s", table)
	}
	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, errs, code := keys(t, file, "list"); runtime.GOOS != "windows" && (code != 1 || !strings.Contains(errs, "chmod 600 ")) {
		t.Errorf("exit %d: %s", code, errs)
	}
}

// The key is in the file and nobody has it.
func TestAKeyThatCannotBeShownIsSaid(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "keys.json")
	var errs strings.Builder
	code := run(t.Context(), []string{"keys", "create", "--file", file, "--name", "ada"}, deaf{}, &errs)
	if code != 1 || !strings.Contains(errs.String(), "revoke it") || strings.Contains(errs.String(), "msk_") {
		t.Errorf("exit %d: %s", code, errs.String())
	}
}

type deaf struct{}

func (deaf) Write([]byte) (int, error) { return 0, errors.New("nobody listens") }

func TestProcessesThatMakeKeysLoseNone(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "keys.json")
	var group sync.WaitGroup
	made := make([]string, 12)
	for i := range made {
		group.Go(func() {
			out, err := program(t, "safetool", "keys", "create", "--file", file, "--name", "ada").Output()
			if err != nil {
				t.Error(err)
			}
			made[i] = strings.TrimSpace(string(out))
		})
	}
	group.Wait()
	for _, key := range made {
		if _, err := caller(t, file, key); err != nil {
			t.Error(err)
		}
	}
}
