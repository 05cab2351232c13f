package safetool_test

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
	"log/slog"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/internal/leaktest"
	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/safetool/safetooltest"
	"github.com/safemcp/safemcp/secrets"
)

// A shape is how a program writes a value without meaning to show it.
type shape struct {
	name  string
	write func(r *rand.Rand, v string) string
}

// shapes are the verbs of fmt, the encoders of the standard library and of JSON's second
// version, and everything of package leaktest.
func shapes() []shape {
	var all []shape
	add := func(name string, write func(r *rand.Rand, v string) string) { all = append(all, shape{name, write}) }
	for _, verb := range []string{"%s", "%v", "%+v", "%#v", "%q", "%+q", "%#q", "%x", "%X", "% x", "% X", "%#x", "% #x", "%d", "%t", "%c", "%60s", "%-60v|"} {
		add(verb, func(_ *rand.Rand, v string) string { return fmt.Sprintf(verb, v) })
	}
	for _, verb := range []string{"%s", "%v", "%+v", "%#v", "%q", "%x", "%X", "% x", "%#x", "%d", "%o", "%b", "%08b", "%03d"} {
		add("bytes "+verb, func(_ *rand.Rand, v string) string { return fmt.Sprintf(verb, []byte(v)) })
		add("struct "+verb, func(_ *rand.Rand, v string) string {
			return fmt.Sprintf(verb, struct {
				A string
				B []byte
			}{v, []byte(v)})
		})
	}
	add("wrapped", func(_ *rand.Rand, v string) string {
		return errors.Join(fmt.Errorf("one: %w", errors.New(v)), errors.New("two")).Error()
	})
	add("json", func(_ *rand.Rand, v string) string {
		return string(must(json.Marshal(map[string]any{v: []any{v, []byte(v)}})))
	})
	add("json without HTML", func(_ *rand.Rand, v string) string {
		var b strings.Builder
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode([]any{v, map[string]string{"k": v}}); err != nil {
			panic(err)
		}
		return b.String()
	})
	add("json v2", func(_ *rand.Rand, v string) string {
		return string(must(jsonv2.Marshal([]any{strings.ToValidUTF8(v, "\ufffd"), []byte(v)})))
	})
	add("json in json", func(_ *rand.Rand, v string) string { return string(must(json.Marshal(string(must(json.Marshal(v)))))) })
	add("xml", func(_ *rand.Rand, v string) string {
		return string(must(xml.Marshal(struct {
			XMLName xml.Name `xml:"x"`
			A       string   `xml:"a,attr"`
			B       string   `xml:"b"`
			C       []byte   `xml:"c"`
		}{A: v, B: v, C: []byte(v)})))
	})
	add("gob", func(_ *rand.Rand, v string) string {
		var b bytes.Buffer
		if err := gob.NewEncoder(&b).Encode(map[string][]byte{v: []byte(v)}); err != nil {
			panic(err)
		}
		return b.String()
	})
	add("query", func(_ *rand.Rand, v string) string { return url.Values{"k": {v}, v: {"x"}}.Encode() })
	add("url", func(_ *rand.Rand, v string) string {
		return (&url.URL{Scheme: "https", Host: "a.example", Path: "/" + v, User: url.UserPassword("u", v)}).String()
	})
	add("base64", func(_ *rand.Rand, v string) string { return base64.StdEncoding.EncodeToString([]byte("user:" + v)) })
	add("hex dump", func(_ *rand.Rand, v string) string { return hex.EncodeToString([]byte(v)) })
	add("quote", func(_ *rand.Rand, v string) string { return strconv.Quote(v) })
	for _, f := range leaktest.Forms {
		add(f.Name, func(r *rand.Rand, v string) string {
			if f.Text && !utf8.ValidString(v) {
				return v
			}
			return leaktest.Text(r) + f.Write(r, v) + leaktest.Text(r)
		})
	}
	return all
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// exitsOfATool are the exitsOfATool out that a handler of a tool has.
var exitsOfATool = map[string]func(ctx context.Context, req *mcp.CallToolRequest, s string) (*mcp.CallToolResult, any, error){
	"text": func(_ context.Context, _ *mcp.CallToolRequest, s string) (*mcp.CallToolResult, any, error) {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: s, Meta: mcp.Meta{s: s}}}}, nil, nil
	},
	"structured": func(_ context.Context, _ *mcp.CallToolRequest, s string) (*mcp.CallToolResult, any, error) {
		s = strings.ToValidUTF8(s, "\ufffd")
		return nil, map[string]any{s: []any{s, map[string]any{"k": s}}}, nil
	},
	"blob": func(_ context.Context, _ *mcp.CallToolRequest, s string) (*mcp.CallToolResult, any, error) {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.ImageContent{Data: []byte(s), MIMEType: s}, &mcp.EmbeddedResource{Resource: &mcp.ResourceContents{URI: "x:" + s, Blob: []byte(s)}}}}, nil, nil
	},
	"link": func(_ context.Context, _ *mcp.CallToolRequest, s string) (*mcp.CallToolResult, any, error) {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.ResourceLink{URI: s, Name: s, Title: s, Description: s}}, Meta: mcp.Meta{"m": s}}, nil, nil
	},
	"said": func(_ context.Context, _ *mcp.CallToolRequest, s string) (*mcp.CallToolResult, any, error) {
		return nil, nil, fmt.Errorf("outer: %w", safetool.Say("no: %s", s))
	},
	"problem": func(_ context.Context, _ *mcp.CallToolRequest, s string) (*mcp.CallToolResult, any, error) {
		return nil, nil, &safetool.Problem{Code: s, Message: s, Hint: s, Fields: []safetool.FieldProblem{{Path: s, Message: s, Allowed: []string{s}}}}
	},
	"wire": func(_ context.Context, _ *mcp.CallToolRequest, s string) (*mcp.CallToolResult, any, error) {
		return nil, nil, &jsonrpc.Error{Code: -32000, Message: s, Data: must(json.Marshal(s))}
	},
	"error": func(_ context.Context, _ *mcp.CallToolRequest, s string) (*mcp.CallToolResult, any, error) {
		return nil, nil, fmt.Errorf("outer: %w", errors.New(s))
	},
	"panic": func(_ context.Context, _ *mcp.CallToolRequest, s string) (*mcp.CallToolResult, any, error) { panic(s) },
	"panic with an error": func(_ context.Context, _ *mcp.CallToolRequest, s string) (*mcp.CallToolResult, any, error) {
		panic(fmt.Errorf("outer: %w", errors.New(s)))
	},
	"progress": func(ctx context.Context, req *mcp.CallToolRequest, s string) (*mcp.CallToolResult, any, error) {
		return &mcp.CallToolResult{}, nil, req.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{ProgressToken: s, Message: s, Meta: mcp.Meta{"m": s}})
	},
	"message": func(ctx context.Context, req *mcp.CallToolRequest, s string) (*mcp.CallToolResult, any, error) {
		return &mcp.CallToolResult{}, nil, req.Session.Log(ctx, &mcp.LoggingMessageParams{Level: "error", Logger: s, Data: map[string]any{"k": strings.ToValidUTF8(s, "\ufffd")}})
	},
	"log": func(ctx context.Context, _ *mcp.CallToolRequest, s string) (*mcp.CallToolResult, any, error) {
		safetool.CallFrom(ctx).Logger().With("w", s).WithGroup("g").Error(s, "s", s, "b", []byte(s), "e", errors.New(s), "a", []any{s}, slog.Group("g", "k", s))
		return &mcp.CallToolResult{}, nil, nil
	},
	"question": func(_ context.Context, req *mcp.CallToolRequest, s string) (*mcp.CallToolResult, any, error) {
		if req.Params.InputResponses != nil {
			return &mcp.CallToolResult{}, nil, nil
		}
		s = strings.ToValidUTF8(s, "\ufffd")
		return &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{"q": &mcp.ElicitParams{Message: s, RequestedSchema: map[string]any{"type": "object", "title": s, "properties": map[string]any{}}}}, RequestState: s}, nil, nil
	},
}

// stringsIn calls found with every text in v, which is what came out somewhere.
func stringsIn(v any, found func(string)) {
	switch v := v.(type) {
	case string:
		found(v)
	case []any:
		for _, e := range v {
			stringsIn(e, found)
		}
	case map[string]any:
		for k, e := range v {
			found(k)
			stringsIn(e, found)
		}
	}
}

// An outlet collects what leaves.
type outlet struct {
	t     *testing.T
	value string
	mu    sync.Mutex
	seen  map[string]bool
	all   int
}

func (o *outlet) takes(what string, came any) {
	var v any
	raw, isRaw := came.([]byte)
	if !isRaw {
		raw = must(json.Marshal(came))
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		v = string(raw)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	stringsIn(v, func(s string) {
		if len(s) < 6 || o.seen[s] {
			return
		}
		o.seen[s] = true
		o.all++
		if how := leaktest.Finds(s, o.value); how != "" {
			o.t.Errorf("%s lets %q out %s: %q", what, o.value, how, s)
		}
	})
}

// Random values, by every verb and encoder, behind every wrapper, by every exit: none
// leaves, neither to the client nor into the log, the audit log or its mirrors.
func TestNoValueLeavesInAnyShapeByAnyExit(t *testing.T) {
	t.Parallel()
	all := shapes()
	r := rand.New(rand.NewPCG(31, 32))
	names := make([]string, 0, len(exitsOfATool))
	for name := range exitsOfATool {
		names = append(names, name)
	}
	turn := 0
	for round := range 6 {
		value := leaktest.Value(r)
		seed := r.Uint64()
		first := turn
		turn += 3 * len(names)
		t.Run(strconv.Itoa(round), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 1))
			out := &outlet{t: t, value: strings.TrimSpace(value), seen: map[string]bool{}}
			dir := filepath.Join(t.TempDir(), "audit")
			var logs, mirror noted
			trail, err := audit.Open(dir, &audit.Options{Mirrors: []slog.Handler{slog.NewJSONHandler(&mirror, nil)}})
			if err != nil {
				t.Fatal(err)
			}
			binding := secrets.KV("app/key", "value")
			server, err := safetool.NewServer(&mcp.Implementation{Name: "test"}, &safetool.Options{
				Audit: trail, Logger: slog.New(slog.NewJSONHandler(&logs, nil)),
				Secrets: secrets.NewBroker(safetooltest.Provider{binding: value}, nil),
			})
			if err != nil {
				t.Fatal(err)
			}
			policy := safetool.Policy{Risk: safetool.ReadOnly, AnyCaller: true, Secrets: map[string]secrets.Binding{"key": binding}}
			var text string // of the call that is made
			for name, exit := range exitsOfATool {
				safetool.AddTool(server, &mcp.Tool{Name: strings.ReplaceAll(name, " ", "_")}, policy,
					func(ctx context.Context, req *mcp.CallToolRequest, _ nothing) (*mcp.CallToolResult, any, error) {
						return exit(ctx, req, text)
					})
			}
			safetool.AddResource(server, &mcp.Resource{URI: "x:y", Name: "y"}, policy, func(context.Context, *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
				return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: "x:y", Text: text}}}, nil
			})
			safetool.AddPrompt(server, &mcp.Prompt{Name: "p"}, policy, func(context.Context, *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
				return nil, &jsonrpc.Error{Code: -32000, Message: text}
			})
			client := safetooltest.NewClient(t, server, &safetooltest.ClientOptions{
				ProtocolVersion: []string{"2025-06-18", "2026-07-28"}[round%2],
				SDK: &mcp.ClientOptions{
					ElicitationHandler: func(_ context.Context, q *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
						out.takes("a question", q.Params)
						return &mcp.ElicitResult{Action: "decline"}, nil
					},
					ProgressNotificationHandler: func(_ context.Context, n *mcp.ProgressNotificationClientRequest) { out.takes("progress", n.Params) },
					LoggingMessageHandler:       func(_ context.Context, n *mcp.LoggingMessageRequest) { out.takes("a message", n.Params) },
				},
			})
			if round%2 == 0 {
				_ = client.SetLoggingLevel(t.Context(), &mcp.SetLoggingLevelParams{Level: "debug"})
			}
			for i := range 3 * len(names) {
				name, s := names[i%len(names)], all[(first+i)%len(all)]
				text = s.write(r, value)
				what := s.name + " by " + name
				res, err := client.CallTool(t.Context(), &mcp.CallToolParams{Name: strings.ReplaceAll(name, " ", "_")})
				out.takes(what, res)
				if err != nil {
					out.takes(what, err.Error())
					var wire *jsonrpc.Error
					if errors.As(err, &wire) && len(wire.Data) > 0 {
						out.takes(what, []byte(wire.Data))
					}
				}
				read, err := client.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: "x:y"})
				out.takes(s.name+" in a resource", read)
				if err != nil {
					t.Error(err)
				}
				if _, err := client.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: "p"}); err != nil {
					out.takes(s.name+" by a prompt's error", err.Error())
				}
			}
			_ = client.Close()
			if err := trail.Close(); err != nil {
				t.Error(err)
			}
			files, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
			if err != nil || len(files) == 0 {
				t.Fatalf("no audit log: %v", err)
			}
			lines := logs.String() + mirror.String()
			for _, file := range files {
				lines += string(must(os.ReadFile(file)))
			}
			for line := range strings.Lines(lines) {
				out.takes("a log", []byte(line))
			}
			if out.all < 20 || !strings.Contains(lines, "[redacted:kv:app/key#value]") || mirror.String() == "" {
				t.Errorf("only %d texts came out", out.all)
			}
		})
	}
}

// What holds no secret leaves as the handler wrote it, byte for byte.
func TestCleanTextLeavesAsItIs(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(33, 34))
	server, _, policy := withSecret(t)
	var text string
	var blob []byte
	safetool.AddTool(server, &mcp.Tool{Name: "clean"}, policy, func(ctx context.Context, _ *mcp.CallToolRequest, _ nothing) (*mcp.CallToolResult, any, error) {
		lent(ctx, t)
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}, &mcp.ImageContent{Data: blob, MIMEType: "image/png"}}, StructuredContent: map[string]any{"k": text}}, nil, nil
	})
	client := safetooltest.NewClient(t, server)
	for range 300 {
		text = leaktest.Text(r) + leaktest.Text(r)
		form := leaktest.Forms[r.IntN(len(leaktest.Forms))]
		if other := leaktest.Value(r); !strings.Contains(form.Name, "split") && utf8.ValidString(other) && !strings.ContainsFunc(form.Write(r, other), func(c rune) bool { return c < ' ' && c != '\n' && c != '\t' || c == utf8.RuneError }) {
			text += form.Write(r, other)
		}
		if strings.ContainsAny(text, "\r") || !utf8.ValidString(text) {
			continue
		}
		blob = []byte(leaktest.Value(r))
		res := call(t, client, "clean", nil)
		if len(res.Content) < 2 {
			t.Fatalf("%q: %s", text, dump(res))
		}
		first, _ := res.Content[0].(*mcp.TextContent)
		image, _ := res.Content[1].(*mcp.ImageContent)
		structured, _ := res.StructuredContent.(map[string]any)
		if first == nil || first.Text != text || image == nil || !bytes.Equal(image.Data, blob) || structured["k"] != text {
			t.Fatalf("%q became %s", text, dump(res))
		}
	}
}
