package access_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/safemcp/safemcp/access"
)

func TestNobodyIsNotKnown(t *testing.T) {
	t.Parallel()
	if (access.Principal{}).Known() {
		t.Error("the zero principal is known")
	}
	if (access.Principal{Issuer: "os", Subject: "ada", Roles: []string{"admin"}}).Known() {
		t.Error("a principal without an ID is known")
	}
	if p := access.NewPrincipal("os", "ada"); !p.Known() || p.ID != "os|ada" || p.Issuer != "os" || p.Subject != "ada" {
		t.Errorf("%+v", p)
	}
}

// Limits, sessions and sealed state are bound to the ID, and the issuer in it vouches
// for the subject: the same subject with another issuer is somebody else.
func TestTheIssuerTellsPrincipalsApart(t *testing.T) {
	t.Parallel()
	if access.NewPrincipal("https://a.example", "ada").ID == access.NewPrincipal("https://b.example", "ada").ID {
		t.Error("two issuers, one ID")
	}
}

func TestHasAnyRole(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		has, asked []string
		want       bool
	}{
		"nothing is asked":            {[]string{"reader"}, nil, true},
		"nothing is asked of nobody":  {nil, []string{}, true},
		"no roles":                    {nil, []string{"reader"}, false},
		"one of two":                  {[]string{"writer", "reader"}, []string{"admin", "reader"}, true},
		"another":                     {[]string{"reader"}, []string{"admin"}, false},
		"case":                        {[]string{"Admin"}, []string{"admin"}, false},
		"beginning":                   {[]string{"admin-of-nothing"}, []string{"admin"}, false},
		"space":                       {[]string{"admin "}, []string{"admin"}, false},
		"two in one":                  {[]string{"admin reader"}, []string{"reader"}, false},
		"an empty role that is asked": {[]string{"reader"}, []string{""}, false},
	} {
		if got := (access.Principal{Roles: c.has}).HasAnyRole(c.asked); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if (access.Principal{Scopes: []string{"admin"}}).HasAnyRole([]string{"admin"}) {
		t.Error("a scope passes for a role")
	}
}

func TestMissingScope(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		has, asked []string
		want       string
	}{
		"nothing is asked":  {nil, nil, ""},
		"all are there":     {[]string{"b", "c", "a"}, []string{"a", "b"}, ""},
		"none is there":     {nil, []string{"a", "b"}, "a"},
		"the second":        {[]string{"a"}, []string{"a", "b", "c"}, "b"},
		"case":              {[]string{"Read"}, []string{"read"}, "read"},
		"beginning":         {[]string{"files:read"}, []string{"files"}, "files"},
		"a star is no more": {[]string{"*"}, []string{"read"}, "read"},
		"two in one":        {[]string{"read write"}, []string{"write"}, "write"},
	} {
		if got, lacks := (access.Principal{Scopes: c.has}).MissingScope(c.asked); got != c.want || lacks != (c.want != "") {
			t.Errorf("%s: %q", name, got)
		}
	}
	if _, lacks := (access.Principal{Scopes: []string{"read"}}).MissingScope([]string{""}); !lacks {
		t.Error("a scope without a name is had by all")
	}
	if got, lacks := (access.Principal{Roles: []string{"read"}}).MissingScope([]string{"read"}); got != "read" || !lacks {
		t.Errorf("a role passes for a scope: %q", got)
	}
}

// No answer means no.
func TestTheZeroDecisionDenies(t *testing.T) {
	t.Parallel()
	if (access.Decision{}).Effect != access.EffectDeny || access.EffectDeny == access.EffectPermit {
		t.Error("the zero decision does not deny")
	}
	if got, want := access.Permit("rule"), (access.Decision{Effect: access.EffectPermit, Rule: "rule"}); got != want {
		t.Errorf("%+v", got)
	}
	if got, want := access.Deny("rule", "why"), (access.Decision{Effect: access.EffectDeny, Rule: "rule", Reason: "why"}); got != want {
		t.Errorf("%+v", got)
	}
}

func TestAuthorizerFuncPassesEverythingOn(t *testing.T) {
	t.Parallel()
	type key struct{}
	ctx := context.WithValue(t.Context(), key{}, "here")
	down := errors.New("the policy store is down")
	var asked access.Request
	var authorizer access.Authorizer = access.AuthorizerFunc(func(ctx context.Context, r access.Request) (access.Decision, error) {
		if ctx.Value(key{}) != "here" {
			t.Error("another context")
		}
		asked = r
		return access.Deny("rule", "why"), down
	})
	d, err := authorizer.Authorize(ctx, access.Request{Principal: access.NewPrincipal("os", "ada"), Method: "tools/call", Tool: "pay", Arguments: 7})
	if d != access.Deny("rule", "why") || !errors.Is(err, down) {
		t.Errorf("%+v, %v", d, err)
	}
	if asked.Principal.ID != "os|ada" || asked.Method != "tools/call" || asked.Tool != "pay" || asked.Arguments != 7 {
		t.Errorf("%+v", asked)
	}
}

func TestClaimsAreReadByName(t *testing.T) {
	t.Parallel()
	p := access.Principal{Claims: map[string]json.RawMessage{"team": json.RawMessage(`["a","b"]`)}}
	var team []string
	if !p.Claim("team", &team) || len(team) != 2 {
		t.Errorf("%v", team)
	}
	var text string
	if p.Claim("team", &text) || p.Claim("other", &team) || (access.Principal{}).Claim("team", &team) {
		t.Error("a claim is read that is not there, or is something else")
	}
}
