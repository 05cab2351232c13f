package secrets_test

import (
	"strings"
	"testing"

	"github.com/safemcp/safemcp/secrets"
)

func TestBindingCheck(t *testing.T) {
	t.Parallel()
	for _, b := range []secrets.Binding{
		secrets.KV("a", "b"), secrets.KV("app/share", "key"), secrets.KV("a/b/c/d", "..."), secrets.KV("ключ", "größe"),
		secrets.KV("with space/in the middle", "a b"), secrets.KV("a..b", ".c"), secrets.KV("a:b@c", "d+e=f"),
		secrets.KV(strings.Repeat("a", 512), strings.Repeat("b", 128)),
		secrets.Database("readonly"), secrets.Transit("signing-key"), secrets.KV("a", "b/c"),
	} {
		if err := b.Check(); err != nil {
			t.Errorf("%s is refused: %v", b, err)
		}
	}
	for name, bad := range map[string]string{
		"nothing": "", "dot": ".", "two dots": "..", "up": "a/../b", "up first": "../b", "up last": "a/..", "here": "a/./b",
		"slash first": "/a", "slash last": "a/", "two slashes": "a//b", "a slash alone": "/", "backslash": `a\..\b`,
		"percent": "a%2e%2e", "query": "a?b", "fragment": "a#b", "NUL": "a\x00b", "newline": "a\nb", "escape": "a\x1b[31mb",
		"DEL": "a\x7fb", "invalid": "a\xffb", "half a rune": "a\xc3", "surrogate": "a\xed\xa0\x80", "space first": " a", "space last": "a ",
		"space before a slash": "a /b", "no-break space": "a\u00a0b", "right to left": "a\u202eb", "zero width": "a\u200bb",
		"byte order mark": "\ufeffa", "line separator": "a\u2028b", "tag": "a\U000e0041", "a private character": "a\ue000",
		"too long": strings.Repeat("a", 513),
	} {
		bindings := map[string]secrets.Binding{
			"path": secrets.KV(bad, "key"), "role": secrets.Database(bad), "key": secrets.Transit(bad),
		}
		if name != "too long" {
			bindings["field"] = secrets.KV("path", bad)
		}
		for what, b := range bindings {
			err := b.Check()
			if err == nil {
				t.Errorf("%s: a %s of this kind passes", name, what)
				continue
			}
			if !strings.HasPrefix(err.Error(), "secrets: the "+what) {
				t.Errorf("%s: %v does not say that it is the %s", name, err, what)
			}
			if len(bad) > 2 && strings.Contains(err.Error(), bad) || strings.ContainsAny(err.Error(), "\x1b\n\u202e") {
				t.Errorf("%s: the error quotes what it refuses", name)
			}
			if strings.ContainsAny(b.String(), "\x00\x1b\n\x7f\xff\u202e\u200b\u2028") {
				t.Errorf("%s: %q can drive a terminal", name, b.String())
			}
		}
	}
	for name, b := range map[string]secrets.Binding{
		"zero": {}, "a long field": secrets.KV("a", strings.Repeat("b", 129)), "a role with a slash": secrets.Database("a/b"),
		"a key with a slash": secrets.Transit("a/b"), "a long role": secrets.Database(strings.Repeat("b", 129)),
	} {
		if b.Check() == nil {
			t.Errorf("%s passes", name)
		}
	}
}

func TestABindingSaysWhatItIs(t *testing.T) {
	t.Parallel()
	for want, b := range map[string]secrets.Binding{
		"kv:app/share#key": secrets.KV("app/share", "key"), "database:readonly": secrets.Database("readonly"),
		"transit:sign": secrets.Transit("sign"), "no binding": {}, "kv:a_b#c__d": secrets.KV("a\nb", "c\x1b\\d"),
	} {
		if b.String() != want {
			t.Errorf("got %q, want %q", b, want)
		}
	}
	b := secrets.KV("p", "f")
	if b.Kind() != secrets.KindKV || b.Path() != "p" || b.Field() != "f" || b != secrets.KV("p", "f") || b == secrets.KV("p", "g") {
		t.Errorf("%s %s %s", b.Kind(), b.Path(), b.Field())
	}
	if d := secrets.Database("r"); d.Kind() != secrets.KindDatabase || d.Path() != "r" || d.Field() != "" {
		t.Errorf("%s %s %s", d.Kind(), d.Path(), d.Field())
	}
	if (secrets.Binding{}).Kind() != "" || secrets.Transit("k").Kind() != secrets.KindTransit {
		t.Error("a kind is wrong")
	}
}

// A pinned version and a caller's own credential are part of what a binding is, and of
// what is printed of it.
func TestBindingSaysItsVersionAndWhoseItIs(t *testing.T) {
	t.Parallel()
	plain := secrets.KV("app/share", "key")
	for want, b := range map[string]secrets.Binding{
		"kv:app/share#key":          plain,
		"kv:app/share#key@3":        plain.AtVersion(3),
		"kv:app/share#key@3+caller": plain.AtVersion(3).PerCaller(),
		"database:readonly+caller":  secrets.Database("readonly").PerCaller(),
	} {
		if b.String() != want || b.Check() != nil {
			t.Errorf("got %q and %v, want %q", b.String(), b.Check(), want)
		}
		if b != plain && b == secrets.KV("app/share", "key") {
			t.Errorf("%s is the same binding as without its version or caller", b)
		}
	}
	for _, b := range []secrets.Binding{plain.AtVersion(0), plain.AtVersion(-3), secrets.Database("readonly").AtVersion(1), secrets.Transit("key").AtVersion(2)} {
		if b.Check() == nil {
			t.Errorf("%s passed", b)
		}
	}
	if v := plain.AtVersion(-3).Version(); v != 0 {
		t.Errorf("a version of %d", v)
	}
}
