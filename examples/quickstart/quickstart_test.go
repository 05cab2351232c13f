package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/safetool/safetooltest"
	"github.com/safemcp/safemcp/secrets"
)

const shareKey = "0123456789abcdef0123456789abcdef"

func client(t *testing.T, faults bool) (*mcp.ClientSession, *safetooltest.Recorder) {
	t.Helper()
	trail := &safetooltest.Recorder{}
	broker := secrets.NewBroker(safetooltest.Provider{secrets.KV("quickstart/share", "key"): shareKey}, nil)
	server, err := newServer(trail, broker, faults)
	if err != nil {
		t.Fatal(err)
	}
	return safetooltest.NewClient(t, server), trail
}

func TestEachToolTakesWhatItSaysAndNothingElse(t *testing.T) {
	t.Parallel()
	session, _ := client(t, true)
	for _, c := range []struct {
		tool, arguments string
		ok              bool
		says            string
	}{
		{"get_weather", `{"city":"Paris"}`, true, `"temperature":18`},
		{"get_weather", `{"city":"Lima","units":"imperial"}`, true, `"temperature":68`},
		{"get_weather", `{"city":"paris"}`, false, "Paris, London, Tokyo, Nairobi, Lima"},
		{"get_weather", `{}`, false, "city is required"},
		{"get_weather", `{"city":"Paris","units":""}`, false, "metric, imperial"},
		{"calculate_tax", `{"income":0,"country":"FR"}`, true, `"tax":0`},
		{"calculate_tax", `{"income":1000,"country":"GB"}`, true, `"tax":200`},
		{"calculate_tax", `{"income":-1,"country":"FR"}`, false, "at least 0"},
		{"calculate_tax", `{"income":"1","country":"FR"}`, false, "a number"},
		{"calculate_tax", `{"income":1,"country":"DE"}`, false, "FR, GB, JP, KE, PE"},
		{"search_documents", `{"query":"library"}`, true, `"id":"d2"`},
		{"search_documents", `{"query":"library","limit":1}`, true, `"id":"d2"`},
		{"search_documents", `{"query":""}`, false, "at least 1"},
		{"search_documents", `{"query":"` + strings.Repeat("ü", 200) + `"}`, true, `"documents":[]`},
		{"search_documents", `{"query":"` + strings.Repeat("ü", 201) + `"}`, false, "at most 200"},
		{"search_documents", `{"query":"a","limit":0}`, false, "at least 1"},
		{"search_documents", `{"query":"a","limit":21}`, false, "at most 20"},
		{"share_document", `{"id":"d1"}`, true, "signature="},
		{"share_document", `{"id":"d1","expires_in_minutes":1441}`, false, "at most 1440"},
		{"share_document", `{"id":"none"}`, false, "no document of that id"},
		{"delete_document", `{"id":"d1"}`, false, "a person has to approve"},
		{"crash", `{}`, false, "could not be completed"},
		{"crash", `{"x":1}`, false, "not known"},
	} {
		res, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: c.tool, Arguments: json.RawMessage(c.arguments)})
		if err != nil {
			t.Errorf("%s %s: %v", c.tool, c.arguments, err)
			continue
		}
		raw, err := json.Marshal(res)
		if err != nil || res.IsError == c.ok {
			t.Errorf("%s %s: refused is %v, %v", c.tool, c.arguments, res.IsError, err)
		}
		said := res.Content[0].(*mcp.TextContent).Text
		if !strings.Contains(said, c.says) || bytes.Contains(raw, []byte(shareKey)) {
			t.Errorf("%s %s: %s", c.tool, c.arguments, said)
		}
	}
}

func TestCrashIsThereOnlyOnDemand(t *testing.T) {
	t.Parallel()
	session, trail := client(t, false)
	if _, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "crash"}); err == nil {
		t.Error("crash was called")
	}
	tools, err := session.ListTools(t.Context(), nil)
	if err != nil || len(tools.Tools) != 5 {
		t.Fatalf("%v, %v", tools, err)
	}
	for _, e := range trail.Calls() {
		if e.Phase != audit.PhaseRefused {
			t.Errorf("got %+v", e)
		}
	}
}

// The handler alone, as a function.
func TestALinkIsSignedWithTheCredential(t *testing.T) {
	t.Parallel()
	sign := func(key string) string {
		ctx := safetooltest.Context(t, &safetooltest.CallOptions{Tool: "share_document", Secrets: map[string]string{"share_key": key}})
		_, link, err := shareDocument(ctx, nil, shareArgs{ID: "d1", ExpiresInMinutes: 5})
		if err != nil {
			t.Fatal(err)
		}
		_, signature, _ := strings.Cut(link.URL, "signature=")
		return fmt.Sprintf("%d %s", len(signature), signature)
	}
	if one, other := sign(shareKey), sign(shareKey+"x"); one == other || !strings.HasPrefix(one, "64 ") {
		t.Errorf("%s, %s", one, other)
	}
}
