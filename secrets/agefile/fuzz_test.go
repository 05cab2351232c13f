package agefile

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/safemcp/safemcp/secrets"
)

// Whatever is decrypted is what this package writes, or refused in a sentence that
// quotes nothing; what is taken is written as it was read.
func FuzzParse(f *testing.F) {
	full := contents{
		entries: map[string]map[string]value{
			"app/share": {"key": {[]byte(canary), 7, time.Unix(1790000000, 0).UTC()}, "\u00e9 x": {[]byte{0, 255}, 0, time.Time{}}},
			"tenants/a": {"=": {[]byte("x"), 1<<64 - 1, time.Time{}}},
		},
		recipients: []string{"age1zzu4w86gz8x097ll6ecnend08vtkup5yekxgf9rqtakeul4yppsse0x40a"},
	}
	text, err := full.text()
	if err != nil {
		f.Fatal(err)
	}
	if c, err := parse(text); err != nil || !reflect.DeepEqual(c, full) {
		f.Fatalf("%v, %v", c, err)
	}
	f.Add(text)
	for _, s := range []string{
		``, `null`, `{}`, `{"version":1}`, `{"version":1,"entries":null}`, `{"version":2}`, `{"version":1e0,"entries":{}}`, `{"version":-1}`,
		`{"version":1,"entries":{"a":null}}`, `{"version":1,"entries":{"a":{"b":{"value":"eA","version":1}}}}`, `{"VERSION":1,"entries":{}}`,
		`{"version":1,"entries":{"a":{"b":{"value":"eA==","version":1,"changed":"2026-11-25T22:00:00+01:00"}}}}`,
		`{"version":1,"version":2,"entries":{}}`, `{"version":1,"entries":{"..":{"b":{"value":"eA==","version":18446744073709551616}}}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := parse(text)
		if err != nil {
			if !errors.Is(err, errForm) && !errors.Is(err, errLater) {
				t.Fatalf("the error is one of its own: %v", err)
			}
			return
		}
		for path, fields := range c.entries {
			for field, v := range fields {
				if secrets.KV(path, field).Check() != nil || len(v.Value) == 0 || len(v.Value) > maxValue {
					t.Fatalf("%q %q", path, field)
				}
			}
		}
		again, err := c.text()
		if err != nil {
			t.Fatal(err)
		}
		back, err := parse(again)
		if err != nil {
			t.Fatal(err)
		}
		twice, err := back.text()
		if err != nil || string(twice) != string(again) {
			t.Fatalf("%v: it is read as another one", err)
		}
	})
}
