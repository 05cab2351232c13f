package secrets_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/safemcp/safemcp/secrets"
)

func TestNewCredentialRefuses(t *testing.T) {
	t.Parallel()
	s := secrets.NewSecret([]byte(canary))
	for name, edit := range map[string]func(*secrets.CredentialData){
		"no binding":               func(d *secrets.CredentialData) { d.Binding = secrets.Binding{} },
		"a wrong binding":          func(d *secrets.CredentialData) { d.Binding = secrets.KV("../a", "b") },
		"no value":                 func(d *secrets.CredentialData) { d.Value = secrets.Secret{} },
		"an empty map of fields":   func(d *secrets.CredentialData) { d.Value, d.Fields = secrets.Secret{}, map[string]secrets.Secret{} },
		"a field without a name":   func(d *secrets.CredentialData) { d.Fields = map[string]secrets.Secret{"": s} },
		"a field without a value":  func(d *secrets.CredentialData) { d.Fields = map[string]secrets.Secret{"f": {}} },
		"the value as version":     func(d *secrets.CredentialData) { d.Version = canary },
		"the value in the version": func(d *secrets.CredentialData) { d.Version = "v-" + canary + "-1" },
		"the value in the ID":      func(d *secrets.CredentialData) { d.ID = "lease/" + canary },
		"a field's value in the ID": func(d *secrets.CredentialData) {
			d.Fields, d.ID = map[string]secrets.Secret{"f": secrets.NewSecret([]byte("another-value"))}, "another-value"
		},
		"the value as name":           func(d *secrets.CredentialData) { d.Fields = map[string]secrets.Secret{canary: s} },
		"a long version":              func(d *secrets.CredentialData) { d.Version = strings.Repeat("v", 257) },
		"a long ID":                   func(d *secrets.CredentialData) { d.ID = strings.Repeat("v", 257) },
		"a long name":                 func(d *secrets.CredentialData) { d.Fields = map[string]secrets.Secret{strings.Repeat("v", 257): s} },
		"a newline in the version":    func(d *secrets.CredentialData) { d.Version = "v\n1" },
		"an escape in the ID":         func(d *secrets.CredentialData) { d.ID = "\x1b[0m" },
		"a control character in name": func(d *secrets.CredentialData) { d.Fields = map[string]secrets.Secret{"a\x7f": s} },
	} {
		d := secrets.CredentialData{Binding: secrets.KV("a", "b"), Value: s, Version: "1", ID: "lease/1"}
		edit(&d)
		c, err := secrets.NewCredential(d)
		if err == nil || c != nil {
			t.Errorf("%s: %v passes", name, c)
			continue
		}
		if !strings.HasPrefix(err.Error(), "secrets: ") {
			t.Errorf("%s: %v", name, err)
		}
		shown(t, "the error of "+name, err.Error())
	}
}

func TestACredentialIsACopy(t *testing.T) {
	t.Parallel()
	expires := time.Now().Add(time.Hour)
	fields := map[string]secrets.Secret{"username": secrets.NewSecret([]byte("v-role-abcdefgh")), "password": secrets.NewSecret([]byte(canary))}
	c, err := secrets.NewCredential(secrets.CredentialData{Binding: secrets.Database("readonly"), Fields: fields, Version: "7", ID: "database/creds/readonly/1", Expires: expires})
	if err != nil {
		t.Fatal(err)
	}
	maps.DeleteFunc(fields, func(string, secrets.Secret) bool { return true })
	password, there := c.Field("password")
	if !there || password.Use(func(b []byte) error {
		if string(b) != canary {
			t.Error("the value changed")
		}
		return nil
	}) != nil {
		t.Error("the field is gone")
	}
	if _, there := c.Field("other"); there || !c.Secret().IsZero() {
		t.Error("there is a value that nobody gave")
	}
	if c.Binding() != secrets.Database("readonly") || c.Version() != "7" || c.ID() != "database/creds/readonly/1" || !c.Expires().Equal(expires) {
		t.Errorf("%v %s %s %v", c.Binding(), c.Version(), c.ID(), c.Expires())
	}
}

func TestACredentialPrintsItsBinding(t *testing.T) {
	t.Parallel()
	s := secrets.NewSecret([]byte(canary))
	c, err := secrets.NewCredential(secrets.CredentialData{Binding: secrets.KV("app/share", "key"), Value: s, Version: "3"})
	if err != nil {
		t.Fatal(err)
	}
	const want = "kv:app/share#key version 3"
	encoded, err := json.Marshal(c)
	if fmt.Sprint(c) != want || fmt.Sprintf("%#v", c) != want || c.LogValue().String() != want || string(encoded) != `"`+want+`"` || err != nil {
		t.Errorf("%v %#v %s %v", c, c, encoded, err)
	}
	c, err = secrets.NewCredential(secrets.CredentialData{Binding: secrets.KV("app/share", "key"), Value: s})
	if err != nil || c.String() != "kv:app/share#key" {
		t.Errorf("%v, %v", c, err)
	}
	c = nil
	if c.String() != "no credential" || fmt.Sprintf("%#v", c) != "no credential" {
		t.Error("a nil credential is something")
	}
	if _, err := c.GobEncode(); err == nil {
		t.Error("a credential goes into gob")
	}
}
