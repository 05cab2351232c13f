package arg_test

import (
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/safemcp/safemcp/validate"
	"github.com/safemcp/safemcp/validate/arg"
)

// tree is what the binding Tree is bound to, for the test that holds it.
var tree atomic.Pointer[arg.PathOptions]

type Tree struct{}

func (Tree) Path() arg.PathOptions {
	if o := tree.Load(); o != nil {
		return *o
	}
	return arg.PathOptions{}
}

// bind binds Tree to a directory. Tests that do so are not parallel.
func bind(t testing.TB, dir string, o arg.PathOptions) {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	o.Root = root
	tree.Store(&o)
	t.Cleanup(func() {
		tree.Store(nil)
		_ = root.Close()
	})
}

const (
	outside = "canary: outside of the directory"
	inside  = "canary: inside of the directory"
)

func put(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// everything returns the text of each file below a directory.
func everything(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		all[path] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// try does with a path whatever a handler can, and returns what it was told.
func try(p arg.Path[Tree]) (told string) {
	if b, err := p.ReadFile(); err == nil {
		told += string(b)
	} else {
		told += err.Error()
	}
	if list, err := p.List(); err == nil {
		for _, entry := range list {
			told += " " + entry.Name()
		}
	} else {
		told += err.Error()
	}
	if info, err := p.Stat(); err == nil {
		told += info.Name()
	} else {
		told += err.Error()
	}
	if f, err := p.Create(); err == nil {
		_, _ = f.Write([]byte("written"))
		_ = f.Close()
	} else {
		told += err.Error()
	}
	return told
}

// The directory stands nine deep in others that each hold what a traversal looks for, and
// holds links to them.
func TestNoPayloadOpensOrWritesOutsideOfTheDirectory(t *testing.T) {
	top := t.TempDir()
	dir := top
	targets := []string{"secret.txt", "etc/passwd", "WINDOWS/win.ini", "windows/win.ini", "boot.ini", ".htaccess", "proc/self/environ"}
	for range 9 {
		for _, target := range targets {
			put(t, filepath.Join(dir, target), outside)
		}
		dir = filepath.Join(dir, "sub")
	}
	put(t, filepath.Join(dir, "notes.txt"), inside)
	for name, to := range map[string]string{"up": "..", "absolute": filepath.Join(top, "secret.txt"), "etc": "/etc", "chain": "up/up"} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	bind(t, dir, arg.PathOptions{Writable: true})
	before := everything(t, top)
	decode, _ := decoder[arg.Path[Tree]](t)
	accepted, refused := 0, 0
	attack := func(payload string) {
		p, err := decode(payload)
		if err != nil {
			mustNotEcho(t, err, payload)
			refused++
			return
		}
		accepted++
		if told := try(p); strings.Contains(told, outside) || strings.Contains(told, "root:x:") || strings.Contains(told, top) && !strings.Contains(payload, filepath.Base(filepath.Dir(top))) {
			t.Errorf("%q opened something outside, or names it: %s", payload, told)
		}
	}
	for _, payload := range payloads(t, "Directory Traversal") {
		for _, target := range append(targets, filepath.Join(top, "secret.txt")) {
			filled := strings.ReplaceAll(payload, "{FILE}", target)
			attack(filled)
			attack(filepath.ToSlash(filepath.Join(top, "secret.txt")) + filled)
			for range 2 { // for somebody who decodes, or decodes twice
				decoded, err := url.PathUnescape(filled)
				if err != nil || decoded == filled {
					break
				}
				filled = decoded
				attack(filled)
				attack("up/" + filled)
			}
			if filled == payload {
				break
			}
		}
	}
	for _, name := range []string{"up/secret.txt", "absolute", "etc/passwd", "chain/secret.txt", "up", "chain", "etc"} {
		attack(name)
	}
	after := everything(t, top)
	for path, text := range after {
		if was, known := before[path]; known && was != text && path != filepath.Join(dir, "notes.txt") {
			t.Errorf("%s was written to", path)
		} else if !known && !strings.HasPrefix(path, dir+string(filepath.Separator)) {
			t.Errorf("%s was made", path)
		}
	}
	for path := range before {
		if _, there := after[path]; !there {
			t.Errorf("%s is gone", path)
		}
	}
	t.Logf("%d refused, %d taken as names in the directory", refused, accepted)
	if refused < 1000 {
		t.Errorf("%d payloads were refused: the test looks at too little", refused)
	}
}

// What is wrong by itself, on every system.
func TestNoPathIsTakenThatMeansSomethingElseSomewhere(t *testing.T) {
	bind(t, t.TempDir(), arg.PathOptions{})
	decode, _ := decoder[arg.Path[Tree]](t)
	for _, s := range []string{
		"", "/", "//", "/etc/passwd", "..", "../a", "a/..", "a/../b", "a//b", "a/", "./a", "a/.", "a/./b", "...", "a/...", ". ", " .", ".. ", "a/.. /b",
		`..\a`, `a\b`, `\\server\share`, `\\?\C:\a`, `\\.\pipe\a`, "C:", "C:a", "C:/a", "c:\\a", "a:b", "a.txt:stream", "a.txt::$DATA", "file:///etc/passwd",
		"a\x00b", "a\x00", "a\nb", "a\rb", "a\tb", "a\x1b[31m", "a\x7f", "a\u0085b", "a\u2028b", "a\u200bb", "a\u202eb", "\ufeffa", "a\U000e0041", "\ufffd",
		"nul", "NUL", "NUL.txt", "Nul .txt", "a/con", "CON.tar.gz", "aux/b", "prn", "COM1", "com9.log", "LPT1", "lpt0", "COM¹", "LPT³.x", "CONIN$", "conout$", "CLOCK$",
		"a.", "a/b.", "a ", "a/b ", "a. ", "a /b", "a./b", strings.Repeat("a", 1025), strings.Repeat("a/", 600) + "a",
	} {
		if p, err := decode(s); err == nil || !p.IsZero() {
			t.Errorf("%q is taken", s)
		}
	}
	for _, s := range []string{"nullable", "console.log", "com", "com10", "comma", "lpt", "auxiliary/x", "a..b", "..a", ".a", "...a", "a.b.c", "NULL", "~", "~root/x", "-rf", "$HOME", "%2e%2e%2fa", "a;b", " a"} {
		if _, err := decode(s); err != nil {
			t.Errorf("%q is refused: %v", s, err)
		}
	}
}

// A zero value, one that was refused, and one whose binding has no directory open nothing.
func TestNoPathIsUsedThatWasNotDecoded(t *testing.T) {
	bind(t, t.TempDir(), arg.PathOptions{Writable: true})
	var unset arg.Path[Tree]
	check := func(p arg.Path[Tree]) {
		t.Helper()
		_, e1 := p.Open()
		_, e2 := p.ReadFile()
		_, e3 := p.Create()
		_, e4 := p.Stat()
		_, e5 := p.List()
		_, e6 := p.Child("a")
		for i, err := range []error{e1, e2, e3, e4, e5, e6} {
			if !errors.Is(err, arg.ErrUnset) {
				t.Errorf("%d: %v", i, err)
			}
		}
	}
	check(unset)
	p := unset
	if err := p.UnmarshalText([]byte("a")); err != nil || p.IsZero() {
		t.Fatal(err)
	}
	if err := p.UnmarshalText([]byte("../a")); err == nil {
		t.Fatal("it is taken")
	}
	check(p)
	tree.Store(nil)
	if err := p.UnmarshalText([]byte("a")); err == nil {
		t.Error("a path is read that is bound to no directory")
	}
	check(p)
}

type Panics struct{ root *os.Root }

func (p *Panics) Path() arg.PathOptions { return arg.PathOptions{Root: p.root} }

// What is not bound fails where it is registered, with a sentence.
func TestNoTypeIsRegisteredThatIsNotBound(t *testing.T) {
	tree.Store(nil)
	for want, err := range map[string]error{
		"bound to no directory": failure[arg.Path[Tree]](),
		"os.OpenRoot":           failure[*arg.Path[Tree]](),
		"no directory":          failure[[]arg.Path[Tree]](),
		"panics":                failure[arg.Path[*Panics]](),
		"binding panics":        failure[arg.Path[arg.PathBinding]](),
		"bound to no hosts":     failure[arg.URL[noHosts]](),
		"none of https":         failure[arg.URL[gopher]](),
		"*.org":                 failure[arg.URL[tooWide]](),
		"127.0.0.1":             failure[arg.URL[within]](),
		"bound to no dialect":   failure[arg.Identifier[arg.Dialect]](),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not said: %v", want, err)
		}
	}
}

func failure[T any]() error {
	_, err := validate.For[struct {
		Value T `json:"value" validate:"max=3"`
	}](nil)
	if err == nil {
		return nil
	}
	_, err = validate.For[struct {
		Value T `json:"value"`
	}](nil)
	return err
}

// A printed path is no name of a file, and a bound is one.
func TestNoPathIsOpenedByItsPrintedForm(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "a", "b.txt"), inside)
	put(t, filepath.Join(dir, "large"), strings.Repeat("x", 11))
	bind(t, dir, arg.PathOptions{Name: "docs", MaxBytes: 31, MaxEntries: 1})
	decode, _ := decoder[arg.Path[Tree]](t)
	p, err := decode("a/b.txt")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	if _, err := os.Open(p.String()); err == nil || p.String() != "docs:a/b.txt" {
		t.Errorf("os.Open takes %q", p)
	}
	if b, err := p.ReadFile(); string(b) != inside || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := p.Create(); !errors.Is(err, arg.ErrReadOnly) {
		t.Errorf("it is written: %v", err)
	}
	f, err := p.Open()
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write([]byte("x"))
	if err == nil || strings.Contains(err.Error(), dir) {
		t.Errorf("writing to a file that was opened to be read: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if _, err := f.Read(make([]byte, 1)); err == nil || strings.Contains(err.Error(), dir) {
		t.Errorf("it names the directory: %v", err)
	}
	here, _ := decode(".")
	if _, err := here.List(); !errors.Is(err, arg.ErrTooLarge) {
		t.Errorf("more is listed than may be: %v", err)
	}
	a, err := here.Child("a")
	if err != nil {
		t.Fatal(err)
	}
	if list, err := a.List(); err != nil || len(list) != 1 || list[0].Name() != "b.txt" {
		t.Errorf("%v, %v", list, err)
	}
	for _, name := range []string{"..", ".", "../a", "a/b", "", `a\b`, "nul"} {
		if _, err := a.Child(name); err == nil {
			t.Errorf("%q is a child", name)
		}
	}
	bind(t, dir, arg.PathOptions{MaxBytes: int64(len(inside)) - 1})
	p, _ = decode("a/b.txt")
	if _, err := p.ReadFile(); !errors.Is(err, arg.ErrTooLarge) {
		t.Errorf("more is read than may be: %v", err)
	}
	if p.String() != "root:a/b.txt" {
		t.Errorf("it is printed as %q", p)
	}
}
