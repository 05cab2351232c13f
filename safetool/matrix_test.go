package safetool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/access"
	"github.com/safemcp/safemcp/internal/bridge"
)

// subsets are all lists of some of names, in order.
func subsets(names ...string) (all [][]string) {
	for bits := range 1 << len(names) {
		var some []string
		for i, name := range names {
			if bits>>i&1 == 1 {
				some = append(some, name)
			}
		}
		all = append(all, some)
	}
	return all
}

// expected is what the documentation of Policy promises, said another way than the
// code does: 0 the caller may not know of it, 1 it may and lacks a scope, 2 it may use
// it.
func expected(roles, scopes []string, who access.Principal) int {
	role := len(roles) == 0
	for _, r := range roles {
		for _, mine := range who.Roles {
			role = role || r == mine
		}
	}
	all := true
	for _, s := range scopes {
		has := false
		for _, mine := range who.Scopes {
			has = has || s == mine
		}
		all = all && has
	}
	switch {
	case !role || (!all && who.ScopesFixed):
		return 0
	case !all:
		return 1
	}
	return 2
}

// A cell is one of what a server offers, and what guards it.
type cell struct {
	name          string
	roles, scopes []string
}

// everyPolicy are tools, prompts, resources and templates of each combination of two
// roles and two scopes.
func everyPolicy(t *testing.T, o *Options) (*Server, []cell) {
	t.Helper()
	o.InsecureNoAudit = "a test"
	o.SDK = &mcp.ServerOptions{
		PageSize: 5, // so that lists have pages
		CompletionHandler: func(context.Context, *mcp.CompleteRequest) (*mcp.CompleteResult, error) {
			return &mcp.CompleteResult{Completion: mcp.CompletionResultDetails{Values: []string{"ok"}}}, nil
		},
		SubscribeHandler:   func(context.Context, *mcp.SubscribeRequest) error { return nil },
		UnsubscribeHandler: func(context.Context, *mcp.UnsubscribeRequest) error { return nil },
	}
	s, err := NewServer(&mcp.Implementation{Name: "matrix"}, o)
	if err != nil {
		t.Fatal(err)
	}
	var cells []cell
	for _, roles := range subsets("r1", "r2") {
		for _, scopes := range subsets("s1", "s2") {
			c := cell{fmt.Sprint("f", len(cells)), roles, scopes}
			cells = append(cells, c)
			p := Policy{Risk: ReadOnly, Roles: roles, Scopes: scopes, AnyCaller: roles == nil && scopes == nil}
			AddTool(s, &mcp.Tool{Name: c.name}, p, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
				return &mcp.CallToolResult{}, nil, nil
			})
			AddPrompt(s, &mcp.Prompt{Name: c.name}, p, func(context.Context, *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
				return &mcp.GetPromptResult{}, nil
			})
			read := func(context.Context, *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
				return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{}}, nil
			}
			AddResource(s, &mcp.Resource{URI: "doc:" + c.name, Name: c.name}, p, read)
			AddResourceTemplate(s, &mcp.ResourceTemplate{URITemplate: "tmpl:" + c.name + "/{x}", Name: c.name}, p, read)
		}
	}
	return s, cells
}

// everyPrincipal are callers with each combination of two roles and three scopes, who
// can gain more or cannot.
func everyPrincipal() (all []access.Principal) {
	for _, roles := range subsets("r1", "r3") {
		for _, scopes := range subsets("s1", "s2", "s3") {
			for _, fixed := range []bool{false, true} {
				p := access.NewPrincipal("test", fmt.Sprint("p", len(all)))
				p.Roles, p.Scopes, p.ScopesFixed = roles, scopes, fixed
				all = append(all, p)
			}
		}
	}
	return all
}

// as connects a client whose requests are a principal's.
func as(t *testing.T, s *Server, who access.Principal, version string) *mcp.ClientSession {
	t.Helper()
	near, far := mcp.NewInMemoryTransports()
	if _, err := s.sdk.Connect(t.Context(), bridge.Identified(far, bridge.Caller{Principal: who, Transport: "memory"}), nil); err != nil {
		t.Fatal(err)
	}
	session, err := mcp.NewClient(&mcp.Implementation{Name: "c"}, nil).Connect(t.Context(), near, &mcp.ClientSessionOptions{ProtocolVersion: version})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = session.Close() })
	return session
}

// came says what came of using something: as expected counts.
func came(err error, result *mcp.CallToolResult) int {
	var wire *jsonrpc.Error
	code := ""
	switch {
	case errors.As(err, &wire):
		var p Problem
		if json.Unmarshal(wire.Data, &p) != nil || wire.Code != jsonrpc.CodeInvalidParams {
			return -1
		}
		code = p.Code
	case err != nil:
		return -1
	case result != nil && result.IsError:
		raw, err := json.Marshal(result.Meta[problemKey])
		var p Problem
		if err != nil || json.Unmarshal(raw, &p) != nil {
			return -1
		}
		code = p.Code
	}
	switch code {
	case "":
		return 2
	case CodeMissingScope:
		return 1
	case CodeNotFound:
		return 0
	}
	return -1
}

// In every cell of principals, features and methods, what is listed is what may be
// known of, and what may be used is what is promised.
func TestListAndCallAgreeInEveryCell(t *testing.T) {
	t.Parallel()
	s, cells := everyPolicy(t, &Options{})
	checked := 0
	for i, who := range everyPrincipal() {
		version := []string{"2025-11-25", versionStateless}[i%2]
		c := as(t, s, who, version)
		ctx := t.Context()
		listed := map[string]bool{}
		note := func(name string, err error) {
			if err != nil {
				t.Fatal(err)
			}
			listed[name] = true
		}
		for x, err := range c.Tools(ctx, nil) {
			note("tool "+x.Name, err)
		}
		for x, err := range c.Prompts(ctx, nil) {
			note("prompt "+x.Name, err)
		}
		for x, err := range c.Resources(ctx, nil) {
			note("resource "+x.Name, err)
		}
		for x, err := range c.ResourceTemplates(ctx, nil) {
			note("template "+x.Name, err)
		}
		for _, f := range cells {
			want := expected(f.roles, f.scopes, who)
			for _, kind := range []string{"tool", "prompt", "resource", "template"} {
				if listed[kind+" "+f.name] != (want > 0) {
					t.Errorf("%+v: the %s %+v is listed: %v", who, kind, f, listed[kind+" "+f.name])
				}
			}
			res, err := c.CallTool(ctx, &mcp.CallToolParams{Name: f.name})
			got := map[string]int{"tools/call": came(err, res)}
			_, err = c.GetPrompt(ctx, &mcp.GetPromptParams{Name: f.name})
			got["prompts/get"] = came(err, nil)
			_, err = c.ReadResource(ctx, &mcp.ReadResourceParams{URI: "doc:" + f.name})
			got["resources/read"] = came(err, nil)
			_, err = c.ReadResource(ctx, &mcp.ReadResourceParams{URI: "tmpl:" + f.name + "/1"})
			got["resources/read template"] = came(err, nil)
			for _, ref := range []*mcp.CompleteReference{{Type: "ref/prompt", Name: f.name}, {Type: "ref/resource", URI: "tmpl:" + f.name + "/{x}"}} {
				_, err = c.Complete(ctx, &mcp.CompleteParams{Ref: ref, Argument: mcp.CompleteParamsArgument{Name: "x", Value: "y"}})
				got["completion/complete "+ref.Type] = came(err, nil)
			}
			for method, has := range got {
				checked++
				if has != want {
					t.Errorf("%+v: %s of %+v: %d, want %d", who, method, f, has, want)
				}
			}
			if version != versionStateless {
				err = c.Subscribe(ctx, &mcp.SubscribeParams{URI: "doc:" + f.name})
				if (err == nil) != (want == 2) {
					t.Errorf("%+v: a subscription to %+v: %v", who, f, err)
				}
			}
			for method, name := range map[string]string{methodCallTool: f.name, methodGetPrompt: f.name, methodReadResource: "doc:" + f.name} {
				n := s.needs(&who, method, name)
				if (n.Kind == "") != (want == 0) || (n.Missing != "") != (want == 1) || (want == 1 && !slices.Equal(n.Scopes, f.scopes)) {
					t.Errorf("%+v: the door thinks of %s %+v: %+v", who, method, f, n)
				}
			}
		}
		if n := s.needs(&who, methodListTools, "f0"); n.Kind != "" {
			t.Errorf("the door thinks of a list: %+v", n)
		}
	}
	t.Logf("%d cells", checked)
	if got := strings.Join(s.scopes(), " "); got != "s1 s2" {
		t.Errorf("announced scopes: %s", got)
	}
}

// Where scopes are observed they hide and refuse nothing; roles hide all the same.
func TestObservedScopesHideNothing(t *testing.T) {
	t.Parallel()
	s, cells := everyPolicy(t, &Options{InsecureObserve: "moving"})
	for _, who := range everyPrincipal() {
		for _, f := range cells {
			unscoped := who
			unscoped.ScopesFixed = false
			want := min(expected(f.roles, f.scopes, unscoped), 1) > 0
			n := s.needs(&who, methodCallTool, f.name)
			if (n.Kind != "") != want || n.Missing != "" {
				t.Errorf("%+v of %+v: %+v", who, f, n)
			}
		}
	}
}

// Whatever roles and scopes are, the predicate says what the documentation does.
func FuzzTheDecidingPredicate(f *testing.F) {
	f.Add("r1 r2", "s1", "r2", "s1 s2", false)
	f.Add("", "", "", "", true)
	f.Add("a", "", "a ", "A", false)
	f.Fuzz(func(t *testing.T, roles, scopes, mine, held string, fixed bool) {
		split := func(s string) []string {
			if s == "" {
				return nil
			}
			return strings.Split(s, " ")
		}
		p := Policy{Roles: split(roles), Scopes: split(scopes)}
		who := access.Principal{ID: "x", Roles: split(mine), Scopes: split(held), ScopesFixed: fixed}
		want := expected(p.Roles, p.Scopes, who)
		if got := p.visible(&who, false); got != (want > 0) {
			t.Errorf("%+v of %+v: visible %v", who, p, got)
		}
		if _, lacks := who.MissingScope(p.Scopes); want > 0 && lacks != (want == 1) {
			t.Errorf("%+v of %+v: lacks a scope: %v", who, p, lacks)
		}
	})
}
