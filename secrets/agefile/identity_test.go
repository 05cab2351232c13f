package agefile

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"filippo.io/age"
	"filippo.io/age/armor"

	"github.com/safemcp/safemcp/internal/private"
	"github.com/safemcp/safemcp/secrets"
)

const words = "correct horse battery staple"

// said is a passphrase that is given to whoever asks.
func said(passphrase string) func(bool) (secrets.Secret, error) {
	return func(bool) (secrets.Secret, error) { return secrets.NewSecret([]byte(passphrase)), nil }
}

// cheap opens a store whose new identity is protected at little cost.
func cheap(path string, o *Options) (*Store, error) {
	return open(path, o, &store{patience: lockTimeout, place: os.Rename, medium: private.Writable, work: 8, turn: make(chan struct{}, 1)})
}

func issued(t *testing.T, s *Store, path, field string) string {
	t.Helper()
	c, err := s.Issue(t.Context(), secrets.Request{Binding: secrets.KV(path, field)})
	if err != nil {
		t.Error(err)
		return ""
	}
	var got string
	_ = c.Secret().Use(func(b []byte) error { got = string(b); return nil })
	return got
}

// The variable is read where the options name it, and nothing is made beside the store.
func TestAnIdentityOfTheEnvironmentIsUsedWhereItIsNamed(t *testing.T) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("SAFEMCP_AGE_IDENTITY", "# a comment\n"+id.String()+"\n")
	path := filepath.Join(t.TempDir(), "secrets.age")
	s, err := Open(path, &Options{IdentityEnv: "SAFEMCP_AGE_IDENTITY"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Set(t.Context(), "a", "b", secrets.NewSecret([]byte(canary))); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path + ".identity"); err == nil {
		t.Error("an identity was written down")
	}
	if again, err := Open(path, &Options{IdentityEnv: "SAFEMCP_AGE_IDENTITY"}); err != nil || issued(t, again, "a", "b") != canary {
		t.Error(err)
	}
	if _, err := Open(path, nil); err == nil || !strings.Contains(err.Error(), "not the identity that opens it") {
		t.Errorf("the variable was read though nobody named it: %v", err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	other, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"":                                   "SAFEMCP_AGE_IDENTITY is not set",
		" \n":                                "SAFEMCP_AGE_IDENTITY is not set",
		canary:                               "does not begin with an age identity",
		id.String()[:40]:                     "does not begin with an age identity",
		other.String():                       "another identity",
		id.Recipient().String():              "does not begin with an age identity",
		path:                                 "does not begin with an age identity",
		"AGE-SECRET-KEY-1" + canary + canary: "does not begin with an age identity",
	} {
		t.Setenv("SAFEMCP_AGE_IDENTITY", text)
		_, err := Open(path, &Options{IdentityEnv: "SAFEMCP_AGE_IDENTITY"})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), canary) || strings.Contains(err.Error(), "AGE-SECRET-KEY-1"+id.String()[16:30]) {
			t.Errorf("%.20q: %v", text, err)
		}
	}
	if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, before) {
		t.Errorf("the store was changed: %v", err)
	}
	for _, o := range []Options{{IdentityEnv: "X", Identity: "y"}, {IdentityEnv: "X", Passphrase: said(words)}} {
		if _, err := Open(path, &o); err == nil || !strings.Contains(err.Error(), "goes with neither") {
			t.Errorf("got %v", err)
		}
	}
}

func TestAPassphraseProtectsTheIdentity(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secrets.age")
	asked := []bool{}
	s, err := cheap(path, &Options{Passphrase: func(fresh bool) (secrets.Secret, error) {
		asked = append(asked, fresh)
		return secrets.NewSecret([]byte(words)), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if len(asked) != 1 || !asked[0] {
		t.Errorf("it was asked for: %v", asked)
	}
	if err := s.Set(t.Context(), "a", "b", secrets.NewSecret([]byte(canary))); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path + ".identity")
	if err != nil || bytes.Contains(file, []byte("AGE-SECRET-KEY")) || !bytes.HasPrefix(file, []byte("age-encryption.org/v1\n-> scrypt ")) {
		t.Fatalf("the identity is not protected: %q, %v", file, err)
	}
	asked = nil
	again, err := Open(path, &Options{Passphrase: func(fresh bool) (secrets.Secret, error) {
		asked = append(asked, fresh)
		return secrets.NewSecret([]byte(words)), nil
	}})
	if err != nil || issued(t, again, "a", "b") != canary || len(asked) != 1 || asked[0] {
		t.Errorf("%v, asked %v", err, asked)
	}
	fault := errors.New("nobody is there")
	for name, c := range map[string]struct {
		passphrase func(bool) (secrets.Secret, error)
		want       string
	}{
		"none":   {nil, "is protected by a passphrase"},
		"wrong":  {said(words + "!"), "does not open with this passphrase"},
		"empty":  {said(""), "is empty"},
		"nobody": {func(bool) (secrets.Secret, error) { return secrets.Secret{}, fault }, "nobody is there"},
	} {
		if _, err := Open(path, &Options{Passphrase: c.passphrase}); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// what age's own program makes of an identity opens it too
	var armored bytes.Buffer
	w := armor.NewWriter(&armored)
	_, _ = w.Write(file)
	_ = w.Close()
	if err := os.WriteFile(path+".identity", armored.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := Open(path, &Options{Passphrase: said(words)}); err != nil || issued(t, s, "a", "b") != canary {
		t.Error(err)
	}
	for i := 0; i < len(file); i += 3 {
		bad := bytes.Clone(file)
		bad[i] ^= 0x04
		for _, content := range [][]byte{bad, file[:i]} {
			if err := os.WriteFile(path+".identity", content, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(path, &Options{Passphrase: said(words)}); err == nil {
				t.Fatalf("byte %d of the identity is another one, and it opens", i)
			}
			if now, err := os.ReadFile(path + ".identity"); err != nil || !bytes.Equal(now, content) {
				t.Fatalf("byte %d: the identity was written over", i)
			}
		}
	}
}

// A file that asks for a thousand times the work is refused, rather than the memory of
// the machine given to it.
func TestTheCostOfAPassphraseIsBounded(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secrets.age")
	if _, err := cheap(path, &Options{Passphrase: said(words)}); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path + ".identity")
	if err != nil {
		t.Fatal(err)
	}
	line, rest, _ := bytes.Cut(file, []byte(" 8\n"))
	if err := os.WriteFile(path+".identity", bytes.Join([][]byte{line, rest}, []byte(" 28\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, &Options{Passphrase: said(words)}); err == nil || !strings.Contains(err.Error(), "was damaged") {
		t.Errorf("got %v", err)
	}
}

func TestAPassphraseThatProtectsNothingIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new", "secrets.age")
	for _, weak := range []string{"", "short", "elf letters"} {
		if _, err := cheap(path, &Options{Passphrase: said(weak)}); err == nil || !strings.Contains(err.Error(), "fewer than 12 characters") {
			t.Errorf("%q: %v", weak, err)
		}
	}
	if _, err := os.Lstat(path + ".identity"); err == nil {
		t.Error("an identity was made")
	}
	if _, err := Open(path, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, &Options{Passphrase: said(words)}); err == nil || !strings.Contains(err.Error(), "is not protected by one") {
		t.Errorf("a passphrase of an identity that is open to anybody: %v", err)
	}
}

func TestProcessesThatAskForAPassphraseMakeOneIdentity(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secrets.age")
	var group sync.WaitGroup
	for range 6 {
		group.Go(func() {
			s, err := cheap(path, &Options{Passphrase: said(words)})
			if err == nil {
				err = s.EnsureRandom(context.Background(), "a", "b", 16)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if s, err := cheap(path, &Options{Passphrase: said(words)}); err != nil || len(issued(t, s, "a", "b")) != 32 {
		t.Error(err)
	}
}

func TestThePassphraseOfAFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "passphrase")
	read := func() (got string, err error) {
		s, err := PassphraseFile(file)(false)
		if err == nil && !s.IsZero() {
			err = s.Use(func(b []byte) error { got = string(b); return nil })
		}
		return got, err
	}
	if _, err := read(); err == nil || !strings.Contains(err.Error(), "the file of the passphrase") {
		t.Errorf("one that is not there: %v", err)
	}
	for content, want := range map[string]string{words: words, words + "\n": words, words + "\r\n": words, words + " \n\n": words + " \n", "\n": ""} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := read(); got != want || err != nil {
			t.Errorf("%q: %q, %v", content, got, err)
		}
	}
	if err := os.Truncate(file, 8<<10); err != nil {
		t.Fatal(err)
	}
	if _, err := read(); err == nil || !strings.Contains(err.Error(), "bytes") {
		t.Errorf("a huge one: %v", err)
	}
	if err := os.WriteFile(file, []byte(words), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o604); err != nil {
		t.Fatal(err)
	}
	if _, err := read(); runtime.GOOS != "windows" && (err == nil || !strings.Contains(err.Error(), "chmod 600") || strings.Contains(err.Error(), words)) {
		t.Errorf("one that others can read: %v", err)
	}
}

// Each of those to whom a store was given can change it, and locks nobody out by that.
func TestARecipientIsForgottenByNobody(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secrets.age")
	server, err := Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Set(t.Context(), "a", "b", secrets.NewSecret([]byte(canary))); err != nil {
		t.Fatal(err)
	}
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(t.TempDir(), "operator.key")
	if err := os.WriteFile(key, []byte("# created: now\n# public key: x\n"+id.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, &Options{Identity: key}); err == nil || !strings.Contains(err.Error(), "another identity") {
		t.Errorf("the operator's key opens it before it was added: %v", err)
	}
	for range 2 { // the second changes nothing
		if err := server.AddRecipient(t.Context(), id.Recipient().String()); err != nil {
			t.Fatal(err)
		}
	}
	operator, err := Open(path, &Options{Identity: key})
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range []*Store{operator, server, operator, operator, server, server} {
		v := canary + strings.Repeat("!", i)
		if err := s.Set(t.Context(), "a", "b", secrets.NewSecret([]byte(v))); err != nil {
			t.Fatal(err)
		}
		for _, s := range []*Store{server, operator} {
			if got := issued(t, s, "a", "b"); got != v {
				t.Errorf("change %d: got %q", i, got)
			}
			if all, err := s.Recipients(); err != nil || len(all) != 2 {
				t.Errorf("recipients: %v, %v", all, err)
			}
		}
	}
	// age's own program opens it with either key
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := age.Decrypt(f, id)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(r); err != nil || !bytes.Contains(text, []byte(id.Recipient().String())) {
		t.Error(err)
	}
	_ = f.Close()

	if err := server.RemoveRecipient(t.Context(), server.inner().identity.Recipient().String()); err == nil || !strings.Contains(err.Error(), "opened with") {
		t.Errorf("the store's own: %v", err)
	}
	if err := server.RemoveRecipient(t.Context(), id.Recipient().String()); err != nil {
		t.Fatal(err)
	}
	if err := server.RemoveRecipient(t.Context(), id.Recipient().String()); err == nil {
		t.Error("it was removed twice")
	}
	for _, err := range []error{operator.Healthy(t.Context()), operator.Set(t.Context(), "a", "c", secrets.NewSecret([]byte(canary)))} {
		if err == nil || !strings.Contains(err.Error(), "another identity") {
			t.Errorf("one that was removed: %v", err)
		}
	}
	for _, wrong := range []string{"", "age1", id.String(), canary, "age1pq1x"} {
		if err := server.AddRecipient(t.Context(), wrong); err == nil || strings.Contains(err.Error(), canary) || (wrong != "" && wrong != "age1" && strings.Contains(err.Error(), wrong)) {
			t.Errorf("%.9s: %v", wrong, err)
		}
	}
	full := server.inner().data.clone()
	for len(full.recipients) < maxRecipients-1 {
		id, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		full.recipients = with(full.recipients, id.Recipient().String())
	}
	if err := server.inner().write(path, full); err != nil {
		t.Fatal(err)
	}
	if err := server.AddRecipient(t.Context(), id.Recipient().String()); err != nil {
		t.Errorf("recipient 64: %v", err)
	}
	more, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.AddRecipient(t.Context(), more.Recipient().String()); err == nil || !strings.Contains(err.Error(), "at most 64") {
		t.Errorf("recipient 65: %v", err)
	}
	if _, err := Open(path, nil); err != nil {
		t.Errorf("with all recipients: %v", err)
	}
}
