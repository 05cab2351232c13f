package serve

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/access"
	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/limit"
	"github.com/safemcp/safemcp/safetool"
)

// A session belongs to the principal that began it. To anybody else it is not there.
func TestASessionIsItsOpenersAlone(t *testing.T) {
	t.Parallel()
	s, trail := weather(t)
	people := newDirectory(who("ada"), who("eve"))
	_, url := serveOn(t, s, &HTTPOptions{Authenticators: []access.Authenticator{people}})
	adas, eves := begun(t, url, "ada"), begun(t, url, "eve")
	list := func(token, session, method string) got {
		return sent{method: method, token: token, session: session, version: "2025-11-25", body: listTools}.to(t, url)
	}
	for _, own := range [][2]string{{"ada", adas}, {"eve", eves}} {
		if g := list(own[0], own[1], ""); g.status != http.StatusOK || !strings.Contains(g.body, `"open"`) {
			t.Errorf("%s in the own session: %+v", own[0], g)
		}
	}
	before := len(trail.Events())
	made := list("eve", "MADEUP", "")
	for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodDelete} {
		for _, swapped := range [][2]string{{"eve", adas}, {"ada", eves}} {
			g := list(swapped[0], swapped[1], method)
			if g.status != http.StatusNotFound || g.body != strings.Replace(made.body, `"id":2`, idOf(method), 1) {
				t.Errorf("%s in another's session: %s gives %+v, a made up one %+v", swapped[0], method, g, made)
			}
		}
	}
	causes := 0
	for _, e := range trail.Events()[before:] {
		if e.Decision.Rule == "session" && strings.Contains(e.Outcome.Cause, "another principal") && e.Caller.Address == "127.0.0.1" {
			causes++
		}
	}
	if causes != 6 {
		t.Errorf("%d of 6 attempts are in the log with their cause", causes)
	}
	if g := list("", adas, ""); g.status != http.StatusUnauthorized {
		t.Errorf("without credentials: %+v", g)
	}
	if g := list("ada", adas, ""); g.status != http.StatusOK {
		t.Errorf("after all of it the session is gone: %+v", g)
	}
	if g := list("ada", adas, http.MethodDelete); g.status != http.StatusNoContent {
		t.Errorf("the end: %+v", g)
	}
	if g := list("ada", adas, ""); g.status != http.StatusNotFound {
		t.Errorf("a session that has ended is replayed: %+v", g)
	}
}

// idOf is what is recovered of the id: GET and DELETE have no message.
func idOf(method string) string {
	if method == http.MethodPost {
		return `"id":2`
	}
	return `"id":null`
}

// The token of this request counts, not the one that opened the session.
func TestATokenThatLostItsScopeIsRefusedInTheSessionThatItOpened(t *testing.T) {
	t.Parallel()
	s, _ := weather(t)
	people := newDirectory(who("ada", "weather.read"))
	_, url := serveOn(t, s, &HTTPOptions{Authenticators: []access.Authenticator{people}})
	session := begun(t, url, "ada")
	call := sent{token: "ada", session: session, version: "2025-11-25", body: `{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"scoped","arguments":{"city":"Paris"}}}`}
	if g := call.to(t, url); g.status != http.StatusOK || strings.Contains(g.body, "isError") {
		t.Fatalf("with the scope: %+v", g)
	}
	people.set(who("ada"))
	g := call.to(t, url)
	challenge := g.header.Get("WWW-Authenticate")
	if g.status != http.StatusForbidden || !strings.Contains(challenge, `error="insufficient_scope"`) || !strings.Contains(challenge, `scope="weather.read"`) {
		t.Errorf("without it: %+v", g)
	}
	if !strings.Contains(g.body, "needs the scope weather.read") {
		t.Errorf("it does not say what is missing: %s", g.body)
	}
	people.set(access.Principal{ID: "x", Subject: "ada", Expires: time.Now().Add(-time.Second)})
	if g := call.to(t, url); g.status != http.StatusUnauthorized {
		t.Errorf("expired: %+v", g)
	}
}

// What needs a role that a caller lacks is not there, in every way of asking; nor is
// what needs a scope that it cannot gain.
func TestHiddenAndUnknownLookTheSame(t *testing.T) {
	t.Parallel()
	s, _ := weather(t)
	hidden := safetool.Policy{Risk: safetool.ReadOnly, Roles: []string{"staff"}}
	safetool.AddRawTool(s, &mcp.Tool{Name: "hidden_zoned", InputSchema: []byte(zonedSchema)}, hidden,
		func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return &mcp.CallToolResult{}, nil
		})
	safetool.AddPrompt(s, &mcp.Prompt{Name: "hidden_prompt"}, hidden, func(context.Context, *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		return &mcp.GetPromptResult{}, nil
	})
	safetool.AddResource(s, &mcp.Resource{URI: "doc:hidden", Name: "doc"}, hidden, func(context.Context, *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{}}, nil
	})
	fixed := who("key")
	fixed.ScopesFixed = true
	_, url := serveOn(t, s, &HTTPOptions{Authenticators: []access.Authenticator{newDirectory(who("ada"), fixed)}})
	ask := func(token, method, member, name, extra string) got {
		g := sent{
			token: token, version: stateless,
			body:   fmt.Sprintf(`{"jsonrpc":"2.0","id":7,"method":%q,"params":{%q:%q%s,%s}}`, method, member, name, extra, attackMeta),
			header: map[string]string{"Mcp-Method": method, "Mcp-Name": name, "Mcp-Param-Zone": "a"},
		}.to(t, url)
		return got{g.status, nil, withoutReference(g.body)}
	}
	for _, c := range []struct{ token, method, member, hidden, unknown, extra string }{
		{"ada", "tools/call", "name", "hidden", "unknown", `,"arguments":{"city":"Paris"}`},
		{"ada", "tools/call", "name", "hidden", "unknown", `,"arguments":{"bad":1}`},
		{"ada", "tools/call", "name", "hidden_zoned", "unknown_zone", `,"arguments":{"city":"b"}`},
		{"ada", "prompts/get", "name", "hidden_prompt", "unknown_prompt", ``},
		{"ada", "resources/read", "uri", "doc:hidden", "doc:unknown", ``},
		{"key", "tools/call", "name", "scoped", "unknown", `,"arguments":{"city":"Paris"}`},
	} {
		h, u := ask(c.token, c.method, c.member, c.hidden, c.extra), ask(c.token, c.method, c.member, c.unknown, c.extra)
		if h.status != u.status || h.body != u.body || h.status == http.StatusOK {
			t.Errorf("%s %s: hidden %+v, unknown %+v", c.token, c.method, h, u)
		}
	}
	for token, want := range map[string][]string{"ada": {"open", "scoped"}, "key": {"open"}} {
		body := sent{
			token: token, version: stateless, body: `{"jsonrpc":"2.0","id":7,"method":"tools/list","params":{` + attackMeta + `}}`,
			header: map[string]string{"Mcp-Method": "tools/list"},
		}.to(t, url).body
		for _, tool := range []string{"open", "scoped", "hidden", "hidden_zoned"} {
			listed, wanted := strings.Contains(body, `"name":"`+tool+`"`), strings.Contains(strings.Join(want, " ")+" ", tool+" ")
			if listed != wanted {
				t.Errorf("%s: %s listed %v: %s", token, tool, listed, body)
			}
		}
		if !strings.Contains(body, `"cacheScope":"private"`) {
			t.Errorf("%s: the list may be shared: %s", token, body)
		}
	}
}

// withoutReference takes out what differs by chance.
func withoutReference(body string) string {
	for {
		a := strings.Index(body, `"reference":"`)
		if a < 0 {
			return body
		}
		rest := body[a+len(`"reference":"`):]
		body = body[:a] + rest[strings.IndexByte(rest, '"')+1:]
	}
}

// Each way of not being let in has its status, its challenge, its event, and none of
// the authenticator's words.
func TestWhoIsNotLetInLearnsWhatHelps(t *testing.T) {
	t.Parallel()
	s, trail := weather(t)
	people := newDirectory(who("ada"))
	_, url := serveOn(t, s, &HTTPOptions{Authenticators: []access.Authenticator{people}})
	metadata := `resource_metadata="https://mcp.example/.well-known/oauth-protected-resource/mcp"`

	g := callOf("", "open").to(t, url)
	if g.status != http.StatusUnauthorized || g.header.Get("WWW-Authenticate") != `Bearer scope="weather.read", `+metadata {
		t.Errorf("nobody: %+v", g)
	}
	g = callOf("mallory", "open").to(t, url)
	if g.status != http.StatusUnauthorized || g.header.Get("WWW-Authenticate") != `Bearer error="invalid_token", scope="weather.read", `+metadata {
		t.Errorf("a wrong token: %+v", g)
	}
	people.err = fmt.Errorf("the token mallory-mallory is %w", errors.New("bad"))
	callOf("mallory-mallory", "open").to(t, url)
	if events := trail.Events(); strings.Contains(events[len(events)-1].Outcome.Cause, "mallory-mallory") {
		t.Error("the log has the token that an authenticator's text has")
	}
	people.err = nil
	callOf("mallory", "open").to(t, url)
	if strings.Contains(g.body, "directory") || strings.Contains(g.body, "mallory") {
		t.Errorf("it repeats the authenticator, or the token: %s", g.body)
	}
	last := trail.Events()[len(trail.Events())-1]
	if last.Phase != audit.PhaseRefused || last.Decision.Rule != "identify" || last.Caller.Address != "127.0.0.1" || !strings.Contains(last.Outcome.Cause, "does not know") {
		t.Errorf("the log: %+v", last)
	}
	people.err = fmt.Errorf("%w: %w", access.ErrUnavailable, errors.New("key set out of reach"))
	g = callOf("ada", "open").to(t, url)
	if g.status != http.StatusServiceUnavailable || g.header.Get("Retry-After") == "" || strings.Contains(g.body, "key set") {
		t.Errorf("out of reach: %+v", g)
	}
}

// An address that guesses is told to wait; who is known is not, from the same address.
func TestAnAddressThatGuessesIsSlowedDownAndNobodyElse(t *testing.T) {
	t.Parallel()
	s, _ := weather(t)
	people := newDirectory(who("ada"))
	_, url := serveOn(t, s, &HTTPOptions{
		Authenticators: []access.Authenticator{people},
		AddressRate:    limit.Rate{Count: 5, Per: time.Hour},
	})
	for i := range 12 {
		g := callOf("guess", "open").to(t, url)
		if want := http.StatusUnauthorized; i < 5 && g.status != want {
			t.Errorf("guess %d: %+v", i, g)
		}
		if i >= 5 && (g.status != http.StatusTooManyRequests || g.header.Get("Retry-After") == "") {
			t.Errorf("guess %d: %+v", i, g)
		}
	}
	if g := callOf("ada", "open").to(t, url); g.status != http.StatusOK {
		t.Errorf("who is known: %+v", g)
	}
	if g := callOf("", "open").to(t, url); g.status != http.StatusTooManyRequests {
		t.Errorf("nobody: %+v", g)
	}
}

// What a handler can read of a request has no credentials in it.
func TestHandlersSeeNoCredentials(t *testing.T) {
	t.Parallel()
	s, _ := weather(t)
	seen := make(chan http.Header, 1)
	safetool.AddTool(s, &mcp.Tool{Name: "look"}, safetool.Policy{Risk: safetool.ReadOnly, AnyCaller: true},
		func(_ context.Context, req *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
			seen <- req.Extra.Header
			return nil, nil, nil
		})
	_, url := serveOn(t, s, &HTTPOptions{Authenticators: []access.Authenticator{newDirectory(who("ada"))}})
	call := callOf("ada", "look")
	call.body = strings.Replace(call.body, `{"city":"Paris"}`, `{}`, 1)
	for _, name := range []string{"Cookie", "Proxy-Authorization", "X-Api-Key", "X-Secret", "X-Forwarded-Client-Cert"} {
		call.header[name] = marker
	}
	call.header["X-Kept"] = "yes"
	if g := call.to(t, url); g.status != http.StatusOK || strings.Contains(g.body, "isError") {
		t.Fatalf("%+v", g)
	}
	h := <-seen
	for name, values := range h {
		if text := strings.Join(values, " "); strings.Contains(text, marker) || strings.Contains(text, "ada") || name == "Authorization" {
			t.Errorf("%s: %s", name, text)
		}
	}
	if h.Get("X-Kept") != "yes" {
		t.Error("other headers are gone, too")
	}
}
