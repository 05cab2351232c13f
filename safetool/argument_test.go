package safetool_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/safetool/safetooltest"
	"github.com/safemcp/safemcp/validate/arg"
)

var bookcase *os.Root // of the one test that reads it

type (
	shelf       struct{}
	unboundPath struct{}
	press       struct{}
)

func (shelf) Path() arg.PathOptions       { return arg.PathOptions{Root: bookcase, Name: "shelf"} }
func (unboundPath) Path() arg.PathOptions { return arg.PathOptions{} }
func (press) URL() arg.URLOptions         { return arg.URLOptions{Hosts: []string{"press.example.org"}} }

type reading struct {
	File  arg.Path[shelf]                `json:"file" jsonschema:"the book"`
	Link  arg.URL[press]                 `json:"link,omitzero"`
	Sort  arg.Identifier[arg.PostgreSQL] `json:"sort,omitzero"`
	Word  arg.Option                     `json:"word,omitzero"`
	Match *arg.Pattern                   `json:"match,omitempty"`
	More  []arg.Path[shelf]              `json:"more,omitempty" validate:"max=2"`
}

type readText struct {
	Text  string          `json:"text"`
	From  arg.Path[shelf] `json:"from"`
	Unset []string        `json:"unset,omitempty"`
}

// A tool with arguments that cannot be misused: what is listed, what a good call does,
// what a bad one is told, and what the log keeps.
func TestNoArgumentOfAToolLeavesItsBounds(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "book.txt"), []byte("Call me Ishmael."), 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	if bookcase, err = os.OpenRoot(dir); err != nil {
		t.Fatal(err)
	}
	defer bookcase.Close()
	server, trail := newServer(t, nil)
	ran := 0
	safetool.AddTool(server, &mcp.Tool{Name: "read"}, open,
		func(_ context.Context, _ *mcp.CallToolRequest, in reading) (*mcp.CallToolResult, readText, error) {
			ran++
			text, err := in.File.ReadFile()
			out := readText{Text: string(text) + " " + in.Sort.String() + " " + in.Link.String(), From: in.File}
			if in.Match != nil {
				out.Unset = append(out.Unset, "match is given")
			}
			if in.Word.IsZero() {
				out.Unset = append(out.Unset, "word")
			}
			return nil, out, err
		})
	client := safetooltest.NewClient(t, server)
	list, err := client.ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := json.Marshal(list.Tools[0].InputSchema)
	var schema struct {
		Properties map[string]struct {
			Type                 any
			Description, Pattern string
			MaxLength            int
			Items                struct{ Pattern string }
		}
		Required []string
	}
	if err := json.Unmarshal(raw, &schema); err != nil {
		t.Fatal(err)
	}
	for name, says := range map[string]string{
		"file": "the book; a path in the directory", "link": "https:// and one of the hosts press.example.org", "sort": "at most 63 bytes for PostgreSQL", "word": "does not begin with a dash", "match": "RE2",
	} {
		p := schema.Properties[name]
		if !strings.Contains(p.Description, says) || p.Pattern == "" || p.MaxLength == 0 || p.Type == nil {
			t.Errorf("%s is listed as %+v", name, p)
		}
	}
	if len(schema.Required) != 1 || schema.Properties["more"].Items.Pattern != schema.Properties["file"].Pattern {
		t.Errorf("it is listed as %s", raw)
	}
	res := call(t, client, "read", map[string]any{"file": "book.txt", "sort": "a\"b", "link": "https://PRESS.example.org/x/../y", "more": []string{"."}})
	out := dump(res.StructuredContent)
	for _, want := range []string{"Call me Ishmael.", `\"a\"\"b\"`, "https://press.example.org/y", `"from":"book.txt"`, `"unset":["word"]`} {
		if !strings.Contains(strings.ReplaceAll(out, `\\\"`, `\"`), want) || res.IsError {
			t.Errorf("%s is not answered: %s", want, out)
		}
	}
	if in := dump(trail.Calls()); strings.Contains(in, "book.txt") || strings.Contains(in, "PRESS") || !strings.Contains(in, `"file"`) {
		t.Errorf("the log says %s", in)
	}
	ran = 0
	for sent, want := range map[string]string{
		`{"file":"../../canary"}`:                                  "file must be a path in the directory",
		`{"file":"/canary"}`:                                       "file must be a path in the directory",
		`{"file":"canary\u0000"}`:                                  "file must hold no control characters",
		`{"file":"canary\u200b.txt"}`:                              "none that cannot be seen",
		`{"file":"book.txt","more":["book.txt","canary\\x"]}`:      "more[1] must be a path in the directory",
		`{"file":"book.txt","link":"https://canary.example.org/"}`: "link must be an absolute URL that begins with https:// and one of the hosts press.example.org",
		`{"file":"book.txt","link":"http://127.0.0.1/canary"}`:     "no address within a network",
		`{"file":"book.txt","sort":" canary"}`:                     "sort must be a name of at most 63 bytes for PostgreSQL",
		`{"file":"book.txt","word":"--canary"}`:                    "word must be one argument on one line that does not begin with a dash",
		`{"file":"book.txt","match":"(canary"}`:                    "match must be a regular expression in RE2 syntax",
		`{"file":"book.txt","match":"(canary{1000}){1000}"}`:       "match must be",
		`{"file":"book.txt","match":"(canary{100}){9}"}`:           "it repeats too much",
		`{"file":null}`:       "file must be a string, not null",
		`{"file":["canary"]}`: "file must be a string",
		`{"link":"canary","word":"","sort":"canary\n","match":"\\k"}`: "file is required",
	} {
		res := call(t, client, "read", json.RawMessage(sent))
		if text := dump(res); !res.IsError || !strings.Contains(textOf(res), want) || !strings.Contains(text, safetool.CodeInvalidArguments) || strings.Contains(text, "canary") {
			t.Errorf("%s: %q is not said: %s", sent, want, textOf(res))
		}
	}
	if ran != 0 {
		t.Errorf("the handler ran %d times", ran)
	}
	defer func() {
		if said, _ := recover().(error); said == nil || !strings.Contains(said.Error(), "bound to no directory") || !strings.Contains(said.Error(), "the field File") {
			t.Errorf("a path that is bound to nothing is registered: %v", said)
		}
	}()
	safetool.AddTool(server, &mcp.Tool{Name: "unbound"}, open, func(context.Context, *mcp.CallToolRequest, struct {
		File arg.Path[unboundPath] `json:"file"`
	},
	) (*mcp.CallToolResult, any, error) {
		return nil, nil, nil
	})
}
