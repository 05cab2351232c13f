package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"filippo.io/age"

	"github.com/safemcp/safemcp/secrets"
	"github.com/safemcp/safemcp/secrets/agefile"
)

const stored = "canary-value-0123456789"

// secretsTool runs the program with a command about the secrets in a file.
func secretsTool(t *testing.T, file, stdin string, args ...string) (out, errs string, code int) {
	t.Helper()
	if file != "" {
		args = append(args, "--file", file)
	}
	cmd := program(t, "safetool", append([]string{"secrets"}, args...)...)
	var o, e bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &o, &e
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return o.String(), e.String(), cmd.ProcessState.ExitCode()
}

// issuedFrom is what a server would be issued.
func issuedFrom(t *testing.T, file, path, field string, o *agefile.Options) (value, version string) {
	t.Helper()
	store, err := agefile.Open(file, o)
	if err != nil {
		t.Error(err)
		return "", ""
	}
	defer store.Close()
	c, err := store.Issue(t.Context(), secrets.Request{Binding: secrets.KV(path, field)})
	if err != nil {
		return "", ""
	}
	_ = c.Secret().Use(func(b []byte) error { value = string(b); return nil })
	return value, c.Version()
}

// protect puts an identity beside a store that a passphrase protects, at little cost: what
// the program itself makes takes seconds to open under the race detector.
func protect(t *testing.T, file, passphrase string) {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	to, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		t.Fatal(err)
	}
	to.SetWorkFactor(8)
	var out bytes.Buffer
	w, err := age.Encrypt(&out, to)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Write([]byte(id.String() + "\n"))
	if err := errors.Join(err, w.Close(), os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file+".identity", out.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
}

func TestASecretIsStoredListedAndRemoved(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "new", "secrets.age")
	for i, c := range []struct {
		in, want string
		args     []string
	}{
		{stored + "\n", stored, []string{"app/share", "key"}},
		{stored + "\r\n", stored, []string{"kv:app/share#other"}},
		{stored, stored, []string{"app/share#third"}},
		{stored + "\n", stored + "\n", []string{"app/share", "fourth", "--exact"}},
		{"  " + stored + "\n\n", "  " + stored + "\n", []string{"--exact=false", "app/share", "fifth"}},
		{"four", "four", []string{"app/share", "pin", "--insecure-short", "a door that has four digits"}},
	} {
		out, errs, code := secretsTool(t, file, c.in, append([]string{"set"}, c.args...)...)
		if code != 0 || out != "" || !strings.Contains(errs, fmt.Sprintf("%d bytes", len(c.want))) || strings.Contains(errs, strings.TrimSpace(c.want)+" ") {
			t.Fatalf("%d: exit %d: %s%s", i, code, out, errs)
		}
	}
	names := []string{"fifth", "fourth", "key", "other", "pin", "third"}
	table, errs, code := secretsTool(t, file, "", "list")
	lines := strings.Split(strings.TrimSpace(table), "\n")
	if code != 0 || errs != "" || len(lines) != len(names)+1 || strings.Contains(table, "canary") {
		t.Fatalf("exit %d:\n%s%s", code, table, errs)
	}
	for i, name := range names {
		if !regexp.MustCompile(`^kv:app/share#` + name + ` +[a-z0-9]+ +\d+ +20\d\d-\S+Z$`).MatchString(lines[i+1]) {
			t.Errorf("%q", lines[i+1])
		}
	}
	asJSON, _, code := secretsTool(t, file, "", "list", "--json")
	var line struct {
		Binding, Path, Field, Version, Changed string
		Bytes                                  int
	}
	third := strings.Split(asJSON, "\n")[2]
	if err := json.Unmarshal([]byte(third), &line); err != nil || code != 0 || line.Binding != "kv:app/share#key" || line.Path != "app/share" || line.Field != "key" || line.Bytes != len(stored) || line.Changed == "" || strings.Contains(asJSON, "canary") {
		t.Errorf("exit %d, %v: %s", code, err, asJSON)
	}
	value, version := issuedFrom(t, file, "app/share", "key", nil)
	if value != stored || version != line.Version {
		t.Errorf("issued %q, version %s", value, version)
	}
	if value, _ := issuedFrom(t, file, "app/share", "fifth", nil); value != "  "+stored+"\n" {
		t.Errorf("issued %q", value)
	}
	// the same value has the same version, another one another
	for _, next := range []string{stored, stored + "2"} {
		if _, errs, code := secretsTool(t, file, next, "set", "app/share", "key"); code != 0 {
			t.Error(errs)
		}
		if _, now := issuedFrom(t, file, "app/share", "key", nil); (now == version) != (next == stored) {
			t.Errorf("version %s after %s", now, version)
		}
	}
	if out, errs, code := secretsTool(t, file, "", "rm", "app/share", "key"); code != 0 || out != "" || !strings.Contains(errs, "kv:app/share#key was removed") {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
	if out, errs, code := secretsTool(t, file, "", "rm", "kv:app/share#key"); code != 1 || out != "" || !strings.Contains(errs, "safetool secrets list") {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
	if table, _, _ := secretsTool(t, file, "", "list"); strings.Count(table, "\n") != len(names) || strings.Contains(table, "#key") {
		t.Errorf("something else was removed:\n%s", table)
	}
}

// Nothing that could be a value is taken from the command line, nor said again.
func TestMistakesAboutSecretsAreSaidAndNotRepeated(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "secrets.age")
	nowhere := filepath.Join(t.TempDir(), "secrets.age")
	if _, errs, code := secretsTool(t, file, stored, "set", "app/share", "key"); code != 0 {
		t.Fatal(errs)
	}
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const canary = "canary0123456789canary0123456789"
	for _, c := range []struct {
		file, in string
		args     []string
		code     int
		says     string
	}{
		{file, "", []string{"nonsense"}, 2, "no command"},
		{file, stored, []string{"set"}, 2, "PATH"},
		{file, stored, []string{"set", "app/share"}, 2, "PATH"},
		{file, stored, []string{"set", "app/share", "key", canary}, 2, "ps shows it"},
		{file, stored, []string{"set", "app/share", "key=" + canary}, 2, "ps shows it"},
		{file, stored, []string{"set", "app/share#key=" + canary}, 2, "ps shows it"},
		{file, stored, []string{"set", "app/share#key", canary}, 2, "ps shows it"},
		{file, stored, []string{"set", "app/share", canary}, 2, "ps shows it"},
		{file, stored, []string{"set", "app/share", "hvs." + canary}, 2, "ps shows it"},
		{file, stored, []string{"set", canary}, 2, "PATH"},
		{file, stored, []string{"set", "app/share", "key", "-" + canary}, 2, "a flag was given that there is not"},
		{file, stored, []string{"set", "app/share", "key", "--value", canary}, 2, "a flag was given that there is not"},
		{file, stored, []string{"set", "app/share", "key", "--value=" + canary}, 2, "a flag was given that there is not"},
		{file, stored, []string{"set", "app/share", "key", "--exact=" + canary}, 2, "with what it does not take"},
		{file, stored, []string{"set", "app/../share", "key"}, 2, "secrets:"},
		{file, stored, []string{"set", "app/share", "k\x1by"}, 2, "U+001B"},
		{"", stored, []string{"set", "app/share", "key"}, 2, "--file"},
		{"", stored, []string{"set", "app/share", "key", "--file"}, 2, "needs an argument: -file"},
		{file, stored, []string{"set", "app/share", "key", "--identity-env", "X", "--identity", "y"}, 2, "--identity-env goes with no other"},
		{file, stored, []string{"set", "app/share", "key", "--passphrase", "--passphrase-file", "y"}, 2, "not both"},
		{file, "", []string{"set", "app/share", "key"}, 1, "no value came in"},
		{file, "\n", []string{"set", "app/share", "key"}, 1, "no value came in"},
		{file, "short", []string{"set", "app/share", "key"}, 1, "fewer than 8 bytes"},
		{file, "          short          ", []string{"set", "app/share", "key"}, 1, "fewer than 8 bytes"},
		{file, "pp/share#k", []string{"set", "app/share", "key"}, 1, "part of its own name"},
		{file, strings.Repeat("x", 64<<10+1), []string{"set", "app/share", "key"}, 1, "more than 65536 bytes"},
		{file, strings.Repeat("x", 1<<20), []string{"set", "app/share", "key"}, 1, "more than 65536 bytes"},
		{file, stored, []string{"set", "app/share", "key", "--identity-env", "SAFETOOL_TEST_UNSET"}, 1, "SAFETOOL_TEST_UNSET is not set"},
		{file, stored, []string{"set", "app/share", "key", "--passphrase-file", nowhere}, 1, "is not protected by one"},
		{nowhere, stored, []string{"set", "app/share", "key", "--passphrase-file", nowhere}, 1, "no such file"},
		{file, stored, []string{"set", "app/share", "key", "--identity", nowhere}, 1, "not the identity that opens it"},
		{file, "", []string{"list", "x"}, 2, "nothing but flags"},
		{file, "", []string{"rm"}, 2, "PATH"},
		{file, "", []string{"rm", "app/share", "key", "x"}, 2, "nothing else"},
		{file, "", []string{"rm", "app/share", "ke"}, 1, "no such credential"},
		{file, "", []string{"rm", "app", "share/key"}, 1, "no such credential"},
		{file, "", []string{"recipients", "x"}, 2, "nothing but flags"},
		{file, "", []string{"recipients", "--add", "AGE-SECRET-KEY-1" + canary}, 1, "which is secret"},
		{file, "", []string{"recipients", "--add", canary}, 1, "no public key"},
		{file, "", []string{"recipients", "--remove", canary}, 1, "no such recipient"},
		{file, "", []string{"import-vault"}, 2, "PATH"},
		{file, "", []string{"import-vault", "../x"}, 2, "secrets:"},
		{file, "", []string{"import-vault", "x", "--as", "../y"}, 2, "secrets:"},
		{file, "", []string{"import-vault", "app/share"}, 1, "VAULT_ADDR is not set"},
		{nowhere, "", []string{"list"}, 1, "there is no store"},
		{nowhere, "", []string{"rm", "app/share", "key"}, 1, "there is no store"},
		{nowhere, "", []string{"recipients"}, 1, "there is no store"},
		{nowhere, "", []string{"import-vault", "app/share"}, 1, "VAULT_ADDR is not set"},
		{filepath.Dir(file), "", []string{"list"}, 1, ""},
	} {
		out, errs, code := secretsTool(t, c.file, c.in, c.args...)
		if code != c.code || out != "" || !strings.Contains(errs, c.says) || !strings.HasPrefix(errs, "safetool: ") {
			t.Errorf("%.60q: exit %d, want %d: %s%s", c.args, code, c.code, out, errs)
		}
		for _, value := range []string{"canary", strings.Repeat("x", 20), "    short"} {
			if strings.Contains(errs, value) {
				t.Errorf("%.60q repeats it: %s", c.args, errs)
			}
		}
	}
	if now, err := os.ReadFile(file); err != nil || !bytes.Equal(now, before) {
		t.Errorf("the store was changed: %v", err)
	}
	if all, err := os.ReadDir(filepath.Dir(nowhere)); err != nil || len(all) != 0 {
		t.Errorf("something was made: %v, %v", all, err)
	}
}

// What opens the store comes from elsewhere, and the same thing opens it for a server.
func TestWhatOpensTheStoreIsWhatTheFlagsSay(t *testing.T) {
	dir := t.TempDir()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("SAFETOOL_TEST_IDENTITY", id.String())
	passphrase, key := filepath.Join(dir, "passphrase"), filepath.Join(dir, "operator.key")
	if err := errors.Join(os.WriteFile(passphrase, []byte("correct horse battery staple\n"), 0o600), os.WriteFile(key, []byte(id.String()), 0o600)); err != nil {
		t.Fatal(err)
	}
	protect(t, filepath.Join(dir, "of passphrase", "secrets.age"), "correct horse battery staple")
	for name, c := range map[string]struct {
		flags   []string
		options agefile.Options
	}{
		"env":        {[]string{"--identity-env", "SAFETOOL_TEST_IDENTITY"}, agefile.Options{IdentityEnv: "SAFETOOL_TEST_IDENTITY"}},
		"identity":   {[]string{"--identity", key}, agefile.Options{Identity: key}},
		"passphrase": {[]string{"--passphrase-file", passphrase}, agefile.Options{Passphrase: agefile.PassphraseFile(passphrase)}},
	} {
		file := filepath.Join(dir, "of "+name, "secrets.age")
		if _, errs, code := secretsTool(t, file, stored, append([]string{"set", "app/share", "key"}, c.flags...)...); code != 0 {
			t.Errorf("%s: %s", name, errs)
			continue
		}
		if value, _ := issuedFrom(t, file, "app/share", "key", &c.options); value != stored {
			t.Errorf("%s: issued %q", name, value)
		}
		if out, errs, code := secretsTool(t, file, "", "list"); code != 1 || out != "" || !strings.Contains(errs, "identity") {
			t.Errorf("%s: it opens without: exit %d: %s%s", name, code, out, errs)
		}
	}
	// an operator's key is added, opens the store, and takes the place of the server's
	file := filepath.Join(dir, "secrets.age")
	if _, errs, code := secretsTool(t, file, stored, "set", "app/share", "key"); code != 0 {
		t.Fatal(errs)
	}
	server, _, _ := secretsTool(t, file, "", "recipients")
	out, errs, code := secretsTool(t, file, "", "recipients", "--add", id.Recipient().String())
	if code != 0 || errs != "" || len(strings.Fields(out)) != 2 || !strings.Contains(out, id.Recipient().String()) || !strings.Contains(out, strings.TrimSpace(server)) {
		t.Fatalf("exit %d: %s%s", code, out, errs)
	}
	if _, errs, code := secretsTool(t, file, stored+"2", "set", "app/share", "key", "--identity", key); code != 0 {
		t.Error(errs)
	}
	if value, _ := issuedFrom(t, file, "app/share", "key", nil); value != stored+"2" {
		t.Errorf("the operator's change locked the server out: %q", value)
	}
	out, errs, code = secretsTool(t, file, "", "recipients", "--remove", strings.TrimSpace(server), "--identity", key)
	if code != 0 || strings.TrimSpace(out) != id.Recipient().String() || !strings.Contains(errs, "change those values") {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
	if _, errs, code := secretsTool(t, file, "", "list"); code != 1 || !strings.Contains(errs, "another identity") {
		t.Errorf("exit %d: %s", code, errs)
	}
}

func TestManyWhoStoreAtOnceLoseNothing(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "secrets.age")
	var group sync.WaitGroup
	for i := range 10 {
		group.Go(func() {
			if _, errs, code := secretsTool(t, file, fmt.Sprint(stored, i), "set", "app/share", fmt.Sprint("key", i)); code != 0 {
				t.Error(errs)
			}
		})
	}
	group.Wait()
	for i := range 10 {
		if value, _ := issuedFrom(t, file, "app/share", fmt.Sprint("key", i), nil); value != fmt.Sprint(stored, i) {
			t.Errorf("key%d: %q", i, value)
		}
	}
}
