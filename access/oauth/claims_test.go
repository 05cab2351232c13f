package oauth

import (
	"errors"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestThePrincipalIsWhatTheClaimsSay(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *Options) { o.RolesClaim, o.TenantClaim = "realm_access.roles", "https://weather.example/tenant" })
	p := b.takes(t, b.token(map[string]any{
		"aud":                            []string{"https://other.example", resource},
		"realm_access":                   map[string]any{"roles": []string{"admin", "reader"}},
		"https://weather.example/tenant": "finance",
		"act":                            map[string]any{"sub": "agent", "act": map[string]any{"sub": "gate|way", "iss": "https://b.example"}},
		"n":                              9007199254740993,
	}))
	if p.ID != b.URL+"|ada" || p.Issuer != b.URL || p.Subject != "ada" || p.Client != "desk" || p.Tenant != "finance" || p.ScopesFixed {
		t.Errorf("%+v", p)
	}
	if !reflect.DeepEqual(p.Roles, []string{"admin", "reader"}) || !reflect.DeepEqual(p.Scopes, []string{"weather.read", "weather.write"}) {
		t.Errorf("roles %q, scopes %q", p.Roles, p.Scopes)
	}
	if want := []string{b.URL + "|agent", "https://b.example|gate|way"}; !reflect.DeepEqual(p.Delegation, want) {
		t.Errorf("delegation %q, want %q", p.Delegation, want)
	}
	if !p.Expires.Equal(b.now().Add(10*time.Minute + 30*time.Second)) {
		t.Errorf("expires %v", p.Expires)
	}
	if string(p.Claims["n"]) != "9007199254740993" || string(p.Claims["sub"]) != `"ada"` {
		t.Errorf("claims %s", p.Claims)
	}
}

func TestNoTokenIsTakenForAnotherOrAtAnotherTime(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *Options) { o.TenantClaim, o.RolesClaim = "tid", "roles" })
	now := b.now().Unix()
	deep := func(n int) any {
		var act any
		for range n {
			next := map[string]any{"sub": "a"}
			if act != nil {
				next["act"] = act
			}
			act = next
		}
		return act
	}
	tenant := errors.New("tenant")
	kind := errors.New("kind")
	for name, c := range map[string]struct {
		change map[string]any
		want   error
	}{
		"nothing is wrong":      {map[string]any{}, nil},
		"another issuer":        {map[string]any{"iss": "https://evil.example"}, errIssuer},
		"the issuer and slash":  {map[string]any{"iss": b.URL + "/"}, errIssuer},
		"the issuer in capital": {map[string]any{"iss": strings.ToUpper(b.URL)}, errIssuer},
		"issuers":               {map[string]any{"iss": []string{b.URL}}, errIssuer},
		"no issuer":             {map[string]any{"iss": nil}, errIssuer},
		"another audience":      {map[string]any{"aud": "https://other.example/mcp"}, errAudience},
		"an audience below":     {map[string]any{"aud": resource + "/x"}, errAudience},
		"an audience above":     {map[string]any{"aud": "https://weather.example"}, errAudience},
		"the audience in words": {map[string]any{"aud": resource + " https://other.example"}, errAudience},
		"other audiences":       {map[string]any{"aud": []string{"a", "b"}}, errAudience},
		"no audiences":          {map[string]any{"aud": []string{}}, errAudience},
		"a number too":          {map[string]any{"aud": []any{resource, 7}}, errAudience},
		"an object":             {map[string]any{"aud": map[string]any{resource: resource}}, errAudience},
		"no audience":           {map[string]any{"aud": nil}, errAudience},
		"no subject":            {map[string]any{"sub": nil}, errSubject},
		"an empty subject":      {map[string]any{"sub": ""}, errSubject},
		"a number for subject":  {map[string]any{"sub": 7}, errSubject},
		"no end":                {map[string]any{"exp": nil}, errExpiry},
		"an end in words":       {map[string]any{"exp": "9999999999"}, errTime},
		"an end beyond":         {map[string]any{"exp": 1e300}, errTime},
		"an end before time":    {map[string]any{"exp": -1}, errTime},
		"expired":               {map[string]any{"exp": now - 3600}, errExpired},
		"expired by the skew":   {map[string]any{"exp": now - 30}, errExpired},
		"expired within it":     {map[string]any{"exp": now - 29}, nil},
		"a fraction":            {map[string]any{"exp": float64(now) - 29.5}, nil},
		"not yet":               {map[string]any{"nbf": now + 31}, errNotYet},
		"soon":                  {map[string]any{"nbf": now + 30}, nil},
		"not yet, in words":     {map[string]any{"nbf": "0"}, errTime},
		"from the future":       {map[string]any{"iat": now + 31}, errFuture},
		"no issue":              {map[string]any{"iat": nil}, nil},
		"issued, in words":      {map[string]any{"iat": []int{1}}, errTime},
		"bound to a key":        {map[string]any{"cnf": map[string]any{"jkt": "AA"}}, errBound},
		"no tenant":             {map[string]any{"tid": nil}, tenant},
		"an empty tenant":       {map[string]any{"tid": ""}, tenant},
		"two tenants":           {map[string]any{"tid": []string{"a", "b"}}, tenant},
		"roles by number":       {map[string]any{"roles": []any{"a", 1}}, kind},
		"roles by name":         {map[string]any{"roles": map[string]any{"admin": true}}, kind},
		"scopes by number":      {map[string]any{"scope": 1}, kind},
		"clients":               {map[string]any{"client_id": []string{"a"}}, kind},
		"eight actors":          {map[string]any{"act": deep(8)}, nil},
		"nine actors":           {map[string]any{"act": deep(9)}, errDelegation},
		"an actor without name": {map[string]any{"act": map[string]any{"client_id": "x"}}, errActor},
		"an actor in words":     {map[string]any{"act": "agent"}, errActor},
		"an actor of nobody":    {map[string]any{"act": map[string]any{"sub": "a", "iss": ""}}, errActor},
	} {
		change := map[string]any{"tid": "t"}
		maps.Copy(change, c.change)
		token := b.token(change)
		p, err := b.authenticate(t, token)
		switch {
		case c.want == nil:
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		case errors.Is(c.want, tenant), errors.Is(c.want, kind):
			if p.Known() || err == nil || !strings.Contains(err.Error(), c.want.Error()) {
				t.Errorf("%s: %v", name, err)
			}
		default:
			b.refuses(t, token, c.want)
		}
	}
	twice := `{"iss":"` + b.URL + `","aud":"` + resource + `","tid":"t","sub":"ada","exp":9999999999,`
	for _, payload := range []string{
		twice + `"sub":"eve"}`, twice + `"s\u0075b":"eve"}`, twice + `"x":[{"a":1,"a":2}]}`, twice + `"x":1}{}`, "null", "[]", `"x"`, "", "{", twice + "\"x\":\"\xff\"}",
	} {
		b.refuses(t, defaultKey.sign(defaultKey.header(), payload), errClaims)
	}
	b.refuses(t, defaultKey.sign(defaultKey.header(), twice[:len(twice)-1]+`,"nbf":null}`), errTime)
	b.takes(t, defaultKey.sign(defaultKey.header(), twice+"\"nbf\" : 1 ,\t\"SUB\":\"eve\" }"))
}

func TestScopesAndRolesInEveryShape(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		of            mapping
		claims        string
		scopes, roles []string
		client        string
	}{
		"scope":                   {mapping{}, `{"scope":"a b"}`, []string{"a", "b"}, nil, ""},
		"scope before scp":        {mapping{}, `{"scope":"a","scp":["b"]}`, []string{"a"}, nil, ""},
		"scp, a list":             {mapping{}, `{"scp":["a","b"]}`, []string{"a", "b"}, nil, ""},
		"scp, a string":           {mapping{}, `{"scp":"a b","scope":null}`, []string{"a", "b"}, nil, ""},
		"two spaces":              {mapping{}, `{"scope":" a  b "}`, []string{"a", "b"}, nil, ""},
		"a tab is no separator":   {mapping{}, `{"scope":"a\tb"}`, []string{"a\tb"}, nil, ""},
		"none":                    {mapping{}, `{"scope":""}`, nil, nil, ""},
		"the configured only":     {mapping{scopes: "x.y"}, `{"scope":"a","x":{"y":"b"}}`, []string{"b"}, nil, ""},
		"no roles by default":     {mapping{}, `{"roles":["admin"]}`, nil, nil, ""},
		"a role":                  {mapping{roles: "roles"}, `{"roles":"admin reader"}`, nil, []string{"admin reader"}, ""},
		"empty roles":             {mapping{roles: "roles"}, `{"roles":["",""]}`, nil, nil, ""},
		"a name with dots":        {mapping{roles: "a.b"}, `{"a.b":["x"],"a":{"b":["y"]}}`, nil, []string{"x"}, ""},
		"a path":                  {mapping{roles: "a.b.c"}, `{"a":{"b":{"c":["y"]}}}`, nil, []string{"y"}, ""},
		"a path through a string": {mapping{roles: "a.b"}, `{"a":"b"}`, nil, nil, ""},
		"a path through null":     {mapping{roles: "a.b"}, `{"a":null}`, nil, nil, ""},
		"client_id":               {mapping{}, `{"client_id":"c","azp":"d"}`, nil, nil, "c"},
		"azp":                     {mapping{}, `{"azp":"d"}`, nil, nil, "d"},
		"the configured client":   {mapping{client: "appid"}, `{"azp":"d","appid":"e"}`, nil, nil, "e"},
	} {
		r := rulebook{issuer: "i", audience: "a", mapping: c.of}
		p, err := r.principal(claims(object([]byte(`{"iss":"i","aud":"a","sub":"s","exp":9e9,`+c.claims[1:]))), newClock().now())
		if err != nil || strings.Join(p.Scopes, ",") != strings.Join(c.scopes, ",") || strings.Join(p.Roles, ",") != strings.Join(c.roles, ",") || p.Client != c.client {
			t.Errorf("%s: scopes %q, roles %q, client %q, %v", name, p.Scopes, p.Roles, p.Client, err)
		}
	}
}
