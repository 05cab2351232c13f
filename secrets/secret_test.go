package secrets_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"text/template"

	"github.com/safemcp/safemcp/secrets"
)

const canary = "canary-value-0123456789"

var verbs = []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%b", "%T", "%p"}

// shown fails the test where text shows the canary in a form that a printer makes.
func shown(t *testing.T, how, text string) {
	t.Helper()
	hexed := hex.EncodeToString([]byte(canary))
	decimal := strings.Trim(fmt.Sprint([]byte(canary)), "[]")
	for _, form := range []string{
		canary, "canary-value", hexed, strings.ToUpper(hexed), decimal,
		strings.ReplaceAll(decimal, " ", ","), strings.ReplaceAll(decimal, " ", ", "),
		strings.Trim(fmt.Sprintf("%o", []byte(canary)), "[]"), strings.Trim(fmt.Sprintf("%b", []byte(canary)), "[]"),
		strings.Trim(fmt.Sprintf("%#v", []byte(canary)), "[]byte{}"),
		base64.RawStdEncoding.EncodeToString([]byte(canary)),
	} {
		if strings.Contains(text, form) {
			t.Errorf("%s shows the value", how)
			return
		}
	}
}

type exported struct{ Value secrets.Secret }

type unexported struct{ value secrets.Secret }

type embedded struct {
	secrets.Secret
	Name string
}

type embeddedCredential struct{ *secrets.Credential }

type embeddedBroker struct{ *secrets.Broker }

// shapes are the ways in which a secret, a credential and a broker stand in what
// somebody prints.
func shapes(t *testing.T) map[string]any {
	t.Helper()
	s := secrets.NewSecret([]byte(canary))
	c, err := secrets.NewCredential(secrets.CredentialData{
		Binding: secrets.KV("app/share", "key"), Value: s, Fields: map[string]secrets.Secret{"password": s}, Version: "3",
	})
	if err != nil {
		t.Fatal(err)
	}
	b := holding(t, canary)
	all := map[string]any{
		"secret": s, "pointer": &s, "exported field": exported{s}, "unexported field": unexported{s},
		"map": map[string]secrets.Secret{"k": s}, "slice": []secrets.Secret{s}, "array": [1]secrets.Secret{s},
		"interface": []any{s, &s}, "embedded": embedded{s, "n"}, "pointer to embedded": &embedded{s, "n"},
		"pointer to unexported": &unexported{s}, "nested": map[string]any{"a": []unexported{{s}}},
		"data": secrets.CredentialData{Value: s, Fields: map[string]secrets.Secret{"f": s}},
	}
	for name, v := range map[string]any{"credential": c, "broker": b} {
		all[name] = v
		all[name+" in a map"] = map[string]any{"k": v}
		all[name+" in a slice"] = []any{v}
		all[name+" in a field"] = struct{ V any }{v}
		all[name+" in an unexported field"] = struct{ v any }{v}
	}
	all["credential by value"], all["broker by value"] = *c, *b
	all["credential embedded"], all["broker embedded"] = embeddedCredential{c}, embeddedBroker{b}
	all["credential in an unexported typed field"] = struct{ c *secrets.Credential }{c}
	all["credential by value in a field"] = struct{ c secrets.Credential }{*c}
	return all
}

func TestNoVerbShowsASecret(t *testing.T) {
	t.Parallel()
	for name, v := range shapes(t) {
		for _, verb := range append([]string{"%t", "%c", "%U", "%e", "%g", "%08.3f", "%-40v", "%+q", "%#x", "% x", "%!"}, verbs...) {
			shown(t, verb+" of "+name, fmt.Sprintf(verb, v))
		}
		shown(t, "Sprint of "+name, fmt.Sprint(v))
		shown(t, "Sprintln of "+name, fmt.Sprintln("x", v))
		shown(t, "an error around "+name, fmt.Errorf("failed with %v: %w", v, errors.New("x")).Error())
		shown(t, "joined errors around "+name, errors.Join(fmt.Errorf("%+v", v), fmt.Errorf("%#v", v)).Error())
		func() {
			defer func() { shown(t, "a panic with "+name, fmt.Sprint(recover())) }()
			panic(v)
		}()
	}
}

func TestNoEncoderShowsASecret(t *testing.T) {
	t.Parallel()
	for name, v := range shapes(t) {
		var out bytes.Buffer
		for handler, h := range map[string]slog.Handler{
			"text": slog.NewTextHandler(&out, nil), "json": slog.NewJSONHandler(&out, nil),
		} {
			out.Reset()
			l := slog.New(h).With("with", v).WithGroup("g")
			l.LogAttrs(context.Background(), slog.LevelInfo, fmt.Sprint(v), slog.Any("any", v), slog.Group("h", "v", v), slog.Any("err", fmt.Errorf("%v", v)))
			shown(t, "slog as "+handler+" of "+name, out.String())
		}
		encoded, err := json.Marshal(v)
		shown(t, "json of "+name, string(encoded)+fmt.Sprint(err))
		encoded, err = xml.Marshal(v)
		shown(t, "xml of "+name, string(encoded)+fmt.Sprint(err))
		out.Reset()
		err = gob.NewEncoder(&out).Encode(v)
		shown(t, "gob of "+name, out.String()+fmt.Sprint(err))
		for _, source := range []string{"{{.}}", `{{printf "%v %+v %#v %s %x" . . . . .}}`, "{{range .}}{{.}}{{end}}", "{{.Value}}", "{{.k}}", "{{html .}}{{js .}}", "{{index . 0}}"} {
			out.Reset()
			err := template.Must(template.New("").Parse(source)).Execute(&out, v)
			shown(t, "a template of "+name, out.String()+fmt.Sprint(err))
			out.Reset()
			err = htmltemplate.Must(htmltemplate.New("").Parse("<script>x = {{.}}</script><p a={{.}}>"+source)).Execute(&out, v)
			shown(t, "a template for HTML of "+name, out.String()+fmt.Sprint(err))
		}
	}
}

func TestASecretPrintsAsRedacted(t *testing.T) {
	t.Parallel()
	s := secrets.NewSecret([]byte(canary))
	for _, verb := range verbs {
		if got := fmt.Sprintf(verb, s); verb != "%T" && verb != "%p" && got != "[redacted]" {
			t.Errorf("%s prints %q", verb, got)
		}
	}
	encoded, err := json.Marshal(map[string]any{"a": s, "b": &s, "c": []any{s}})
	if err != nil || string(encoded) != `{"a":"[redacted]","b":"[redacted]","c":["[redacted]"]}` {
		t.Errorf("json is %s, %v", encoded, err)
	}
	text, err := s.MarshalText()
	binary, err2 := s.MarshalBinary()
	if string(text) != "[redacted]" || string(binary) != "[redacted]" || err != nil || err2 != nil {
		t.Errorf("%q %q %v %v", text, binary, err, err2)
	}
	if s.String() != "[redacted]" || s.LogValue().String() != "[redacted]" || s.GoString() != "[redacted]" {
		t.Error("a method shows something else")
	}
}

func TestUseLendsACopy(t *testing.T) {
	t.Parallel()
	source := []byte(canary)
	s := secrets.NewSecret(source)
	clear(source)
	for range 2 {
		err := s.Use(func(b []byte) error {
			if string(b) != canary {
				t.Error("the value was changed from outside")
			}
			clear(b)
			_ = append(b, "more"...)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	fault := errors.New("a fault of the caller's")
	if err := s.Use(func([]byte) error { return fault }); !errors.Is(err, fault) {
		t.Errorf("got %v", err)
	}
	if err := s.Use(nil); err == nil || strings.Contains(err.Error(), canary) {
		t.Errorf("Use of nil: %v", err)
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			_ = s.Use(func(b []byte) error { clear(b); return nil })
		})
	}
	group.Wait()
}

func TestAnEmptySecretIsNotUsed(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]secrets.Secret{"zero": {}, "nil": secrets.NewSecret(nil), "empty": secrets.NewSecret([]byte{})} {
		if !s.IsZero() {
			t.Errorf("%s is not zero", name)
		}
		if err := s.Use(func([]byte) error { t.Errorf("%s is used", name); return nil }); err == nil {
			t.Errorf("%s has no error", name)
		}
		if got := fmt.Sprintf("%v %+v %#v", s, s, s); got != "[redacted] [redacted] [redacted]" {
			t.Errorf("%s prints %q", name, got)
		}
	}
	if secrets.NewSecret([]byte("x")).IsZero() {
		t.Error("a secret of one byte is zero")
	}
}
