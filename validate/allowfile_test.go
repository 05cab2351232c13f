package validate_test

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/safemcp/safemcp/validate"
)

// listFile writes a file for an allowlist, in a directory that nobody else can write to.
func listFile(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "cities")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAFileHoldsOneValueALine(t *testing.T) {
	t.Parallel()
	path := listFile(t, "# cities\n\nParis\n  New York, NY\t\r\n#Rome\nOslo # not a comment\nParis\n")
	got, err := validate.Cached(validate.AllowFile(path), nil).Values(t.Context())
	if want := []string{"New York, NY", "Oslo # not a comment", "Paris"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
}

// Half of a value is another value.
func TestAFileThatMayBeHalfWrittenAllowsNothing(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Paris\nNew York": "has no end", "Paris": "has no end", "Paris\n# com": "has no end",
		"Paris\nOs\u200blo\n": "line 2 holds", "\ufeffParis\n": "line 1 holds", "Paris\n" + strings.Repeat("a", 1001) + "\n": "line 2 has more",
		strings.Repeat("Paris\n", 1<<20): "more than 4194304 bytes", "Paris\x00\n": "line 1 holds",
	} {
		got, err := validate.AllowFile(listFile(t, text)).Values(t.Context())
		if err == nil || got != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %q, %v", text, got, err)
		}
	}
	for _, empty := range []string{"", "\n", "# nothing\n"} {
		if got, err := validate.AllowFile(listFile(t, empty)).Values(t.Context()); err != nil || len(got) != 0 {
			t.Errorf("%q: %q, %v", empty, got, err)
		}
	}
}

func TestAFileThatOthersCanChangeAllowsNothing(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows keeps owners and modes elsewhere")
	}
	refused := func(what, path, want string) {
		t.Helper()
		if got, err := validate.AllowFile(path).Values(t.Context()); err == nil || got != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q, %v", what, got, err)
		}
	}
	for _, mode := range []os.FileMode{0o664, 0o646, 0o666} {
		path := listFile(t, "Paris\n")
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		refused(mode.String(), path, "changed by others")
	}
	path := listFile(t, "Paris\n")
	if err := os.Chmod(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	refused("directory", path, "others can write to the directory")
	refused("absent", filepath.Join(t.TempDir(), "none"), "no such file")
	refused("directory for a file", t.TempDir(), "not a file")
	if os.Geteuid() == 0 {
		path = listFile(t, "Paris\n")
		if err := os.Chown(path, 4242, 0); err != nil {
			t.Fatal(err)
		}
		refused("another's", path, "belongs to the user 4242")
	}
	if got, err := validate.AllowFile(listFile(t, "Paris\n")).Values(t.Context()); err != nil || len(got) != 1 {
		t.Errorf("one that all may read: %v, %v", got, err)
	}
}

// Whatever the moment at which a file is read that is being replaced, by renaming or by
// writing over it, no value is allowed that was in neither.
func TestAFileThatIsReplacedNeverAllowsWhatWasInNeither(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("New York\n", 2000)
	other := strings.Repeat("Oslo and around\n", 3000)
	path := listFile(t, long)
	stop := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			text := []string{long, other}[i%2]
			if i%3 == 0 { // beside, and renamed
				next := path + ".next"
				if err := os.WriteFile(next, []byte(text), 0o644); err != nil {
					t.Error(err)
				}
				if err := os.Rename(next, path); err != nil {
					t.Error(err)
				}
				continue
			}
			f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
			if err != nil {
				t.Error(err)
				return
			}
			for len(text) > 0 { // piece by piece, so that it is cut within lines
				n := min(len(text), 1234)
				_, _ = f.WriteString(text[:n])
				text = text[n:]
			}
			f.Close()
		}
	})
	list := validate.Cached(validate.AllowFile(path), &validate.CacheOptions{Lifetime: time.Nanosecond})
	var whole, failed int
	for range 2000 {
		values, err := list.Values(t.Context())
		if err != nil {
			failed++
			continue
		}
		for _, v := range values {
			if v != "New York" && v != "Oslo and around" {
				t.Fatalf("allowed %q", v)
			}
		}
		whole += len(values)
	}
	close(stop)
	writer.Wait()
	if whole == 0 {
		t.Errorf("read whole never, and in part %d times", failed)
	}
}
