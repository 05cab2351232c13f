package validate_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/safemcp/safemcp/validate"
)

type written struct {
	Plain  string            `json:"plain,omitempty"`
	Strip  string            `json:"strip,omitempty" text:"strip" validate:"omitempty,max=5"`
	Flag   []string          `json:"flag,omitempty" text:"flag"`
	Raw    string            `json:"raw,omitempty" text:"raw"`
	Listed string            `json:"listed,omitempty" validate:"omitempty,oneof=a\u200bb c"`
	Words  []string          `json:"words,omitempty"`
	Map    map[string]string `json:"map,omitempty"`
	Inner  *struct {
		Name *string `json:"name,omitempty"`
	} `json:"inner,omitempty"`
}

// Texts are refused that hold what a reader cannot see, unless their tag says otherwise,
// wherever they stand; what was sent is not said.
func TestTextsAreHeldAgainstTheirTag(t *testing.T) {
	t.Parallel()
	a, err := validate.For[written](nil)
	if err != nil {
		t.Fatal(err)
	}
	if !a.Flags() {
		t.Error("nothing is flagged")
	}
	for raw, want := range map[string]string{
		`{"plain":"caf\u00e9 \u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 \ud83d\udc68\u200d\ud83d\udc69\u200d\ud83d\udc67"}`: "",
		`{"plain":"Par\u200bis"}`:                  "plain must not hold a character without width, at character 4: leave it out.",
		`{"plain":"a\u202eb\u202cc"}`:              "plain must not hold a character that changes the direction of text, at character 2, and 1 more of what cannot be seen: leave it out.",
		`{"plain":"\u001b[31mred"}`:                "plain must not hold an escape sequence for terminals, at character 1: leave it out.",
		`{"plain":"\udb40\udc41\udb40\udc42"}`:     "plain must not hold an invisible tag, at character 1, and 1 more of what cannot be seen: leave it out.",
		`{"plain":"a\u0000"}`:                      "plain must not hold a control character, at character 2: leave it out.",
		`{"plain":"e\u0301"}`:                      "plain must be in Unicode's normal form C, which it is not at character 1.",
		`{"words":["ok","\ufeff"]}`:                "words[1] must not hold a character without width, at character 1: leave it out.",
		`{"map":{"k":"\u200b"}}`:                   "map[*] must not hold a character without width, at character 1: leave it out.",
		`{"map":{"\u200b":"v"}}`:                   "map[*] has a name with characters that cannot be seen.",
		`{"inner":{"name":"\u2066"}}`:              "inner.name must not hold a character that changes the direction of text, at character 1: leave it out.",
		`{"listed":"a\u200bb"}`:                    "",
		`{"raw":"\u200b\u001b[0m"}`:                "",
		`{"flag":["\u200b"]}`:                      "",
		`{"strip":"ab\u200b\u200b\u200b\u200bcd"}`: "",
		`{"strip":"abc\u200bdef"}`:                 "strip must have at most 5 characters.",
	} {
		_, err := a.Decode(t.Context(), []byte(raw))
		got := ""
		if invalid, is := errors.AsType[*validate.Error](err); is {
			got = invalid.Error()
		} else if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%s: %q, not %q", raw, got, want)
		}
	}
	v, err := a.Decode(t.Context(), []byte(`{"strip":"a\u200b\u001b[1mb e\u0301","raw":"\u200b"}`))
	if err != nil || v.Strip != "ab \u00e9" || v.Raw != "\u200b" {
		t.Errorf("%v: %+v", err, v)
	}
	ctx, found := validate.Collect(t.Context())
	v, err = a.Decode(ctx, []byte(`{"flag":["ok","a\u200b"],"plain":"b"}`))
	if want := "flag[1]: a character without width, at character 2"; err != nil || found.String() != want || found.Empty() || v.Flag[1] != "a\u200b" {
		t.Errorf("%v: %q, %q", err, found, v.Flag)
	}
	many := strings.TrimSuffix(strings.Repeat(`"\u200b\u200b",`, 500), ",")
	ctx, found = validate.Collect(t.Context())
	if _, err := a.Decode(ctx, []byte(`{"flag":[`+many+`]}`)); err != nil || len(found.String()) > 2000 {
		t.Errorf("%v: %d bytes are told", err, len(found.String()))
	}
}

func TestTextTagsThatAreNoneAreRefused(t *testing.T) {
	t.Parallel()
	_, err1 := validate.For[struct {
		A string `json:"a" text:"clean"`
	}](nil)
	_, err2 := validate.For[struct {
		A map[string]string `json:"a" text:"strip"`
	}](nil)
	_, err3 := validate.For[struct {
		A map[string]struct {
			B []string `json:"b" text:"strip"`
		} `json:"a"`
	}](nil)
	for i, err := range []error{err1, err2, err3} {
		if err == nil || !strings.Contains(fmt.Sprint(err), "text") {
			t.Errorf("%d: %v", i, err)
		}
	}
}
