package agefile

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/gofrs/flock"

	"github.com/safemcp/safemcp/secrets"
)

const canary = "canary-value-0123456789"

func openStore(t *testing.T) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "secrets.age"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Set(t.Context(), "a", "b", secrets.NewSecret([]byte(canary))); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestALockThatIsNeverGivenBackIsAnError(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	in := s.inner()
	in.patience = 20 * time.Millisecond
	lock := flock.New(in.path + ".lock")
	if err := lock.Lock(); err != nil {
		t.Fatal(err)
	}
	defer lock.Unlock()
	err := s.EnsureRandom(t.Context(), "a", "c", 16)
	if !errors.Is(err, errPatience) || !strings.Contains(err.Error(), "end that process") {
		t.Errorf("got %v", err)
	}
}

// What decrypts and is of another form is neither read nor written over, and no error
// quotes it.
func TestAnotherFormIsRefused(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"no entry":        `{"version":1,"entries":{"a":{"b":null}}}`,
		"a path":          `{"version":1,"entries":{"../` + canary + `":{"b":{"value":"eHg=","version":1}}}}`,
		"a field":         `{"version":1,"entries":{"a":{"../` + canary + `":{"value":"eHg=","version":1}}}}`,
		"an empty value":  `{"version":1,"entries":{"a":{"` + canary + `":{"value":"","version":1}}}}`,
		"a name twice":    `{"version":1,"entries":{"a":{"b":{"value":"eHg=","version":1},"b":{"value":"eHg=","version":2}}}}`,
		"a name unknown":  `{"version":1,"` + canary + `":1,"entries":{}}`,
		"no recipient":    `{"version":1,"recipients":["` + canary + `"],"entries":{}}`,
		"more":            `{"version":1,"entries":{}} ` + canary,
		"a later version": `{"version":2,"` + canary + `":{"a":{"b":{"value":"` + canary + `"}}}}`,
		"no version":      `{"entries":{"` + canary + `":{}}}`,
		"a wrong type":    `{"version":1,"entries":"` + canary + `"}`,
		"bad base64":      `{"version":1,"entries":{"a":{"b":{"value":"` + canary + `!","version":1}}}}`,
		"half":            `{"version":1,"entries":{"a":{"` + canary,
		"text":            canary,
		"nothing":         "",
	} {
		s := openStore(t)
		in := s.inner()
		var out bytes.Buffer
		w, err := age.Encrypt(&out, in.identity.Recipient())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(in.path, out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		_, opened := Open(in.path, nil)
		for _, err := range []error{opened, s.Set(t.Context(), "a", "b", secrets.NewSecret([]byte(canary)))} {
			want := "does not hold what this package writes: put back a copy"
			if name == "a later version" {
				want = "was written by a later version"
			}
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "canary") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if now, err := os.ReadFile(in.path); err != nil || !bytes.Equal(now, out.Bytes()) {
			t.Errorf("%s: the file changed", name)
		}
	}
}

// The time and the size of a file may be those of the one before: the file system
// counts time in steps, and values are often as long as the last.
func TestAChangeIsSeenThatTimeAndSizeDoNotShow(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	other, err := Open(s.inner().path, nil)
	if err != nil {
		t.Fatal(err)
	}
	then, err := os.Stat(s.inner().path)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.ToUpper(canary)
	for range 4 { // versions are of 18 to 20 digits
		if err := other.Set(t.Context(), "a", "b", secrets.NewSecret([]byte(changed))); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(s.inner().path, then.ModTime(), then.ModTime()); err != nil {
			t.Fatal(err)
		}
		c, err := s.Issue(t.Context(), secrets.Request{Binding: secrets.KV("a", "b")})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Secret().Use(func(b []byte) error {
			if string(b) != changed {
				return errors.New("the value is the old one")
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		changed += "!"
		changed = changed[1:]
	}
}

func TestAStoreThatIsFullKeepsWhatItHas(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	in := s.inner()
	full := contents{entries: map[string]map[string]value{"a": {}}}
	for i := range 47 {
		full.entries["a"]["f"+strconv.Itoa(i)] = value{Value: bytes.Repeat([]byte("x"), maxValue), Version: uint64(i)}
	}
	if err := in.write(in.path, full); err != nil {
		t.Fatal(err)
	}
	err := s.Set(t.Context(), "a", "one more", secrets.NewSecret(bytes.Repeat([]byte(canary), maxValue/len(canary))))
	if err == nil || !strings.Contains(err.Error(), "would have more than") || strings.Contains(err.Error(), "canary") {
		t.Errorf("got %v", err)
	}
	if all, err := s.List(); err != nil || len(all) != 47 {
		t.Errorf("%d values, %v", len(all), err)
	}
}
