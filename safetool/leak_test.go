package safetool_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/safetool/safetooltest"
)

// filled makes a value of every field of a type, with text in every string.
func filled(typ reflect.Type, text string, depth int) reflect.Value {
	v := reflect.New(typ).Elem()
	if depth > 5 {
		return v
	}
	switch typ.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Pointer:
		v.Set(filled(typ.Elem(), text, depth+1).Addr())
	case reflect.Slice:
		if typ.Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte(text))
			break
		}
		if typ.Elem().Kind() != reflect.Interface {
			v.Set(reflect.Append(v, filled(typ.Elem(), text, depth+1)))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(typ))
		v.SetMapIndex(filled(typ.Key(), text, depth+1), filled(typ.Elem(), text, depth+1))
	case reflect.Interface:
		if typ.NumMethod() == 0 {
			v.Set(reflect.ValueOf(map[string]any{"k": text, text: []any{text}}))
		}
	case reflect.Struct:
		for i := range typ.NumField() {
			if f := v.Field(i); f.CanSet() {
				f.Set(filled(f.Type(), text, depth+1))
			}
		}
	}
	return v
}

// Whatever part of an answer holds an issued value, it does not leave: every field of
// every kind of content, of an error, and of a question to the user.
func TestNoFieldOfAnAnswerCarriesAnIssuedSecret(t *testing.T) {
	t.Parallel()
	kinds := []mcp.Content{&mcp.TextContent{}, &mcp.ImageContent{}, &mcp.AudioContent{}, &mcp.ResourceLink{}, &mcp.EmbeddedResource{}}
	for _, kind := range kinds {
		typ := reflect.TypeOf(kind).Elem()
		t.Run(typ.Name(), func(t *testing.T) {
			t.Parallel()
			eachEra(t, func(t *testing.T, version string) {
				server, _, policy := withSecret(t)
				safetool.AddTool(server, &mcp.Tool{Name: "leaky"}, policy,
					func(ctx context.Context, _ *mcp.CallToolRequest, _ nothing) (*mcp.CallToolResult, any, error) {
						content, _ := reflect.TypeAssert[mcp.Content](filled(typ, lent(ctx, t), 0).Addr())
						return &mcp.CallToolResult{Content: []mcp.Content{content}, Meta: mcp.Meta{"x": lent(ctx, t)}, StructuredContent: map[string]any{lent(ctx, t): 1}}, nil, nil
					})
				client := safetooltest.NewClient(t, server, &safetooltest.ClientOptions{ProtocolVersion: version})
				res, err := client.CallTool(t.Context(), &mcp.CallToolParams{Name: "leaky"})
				unleaked(t, res, err)
			})
		})
	}
	for name, fail := range map[string]func(value string) (*mcp.CallToolResult, error){
		"said": func(v string) (*mcp.CallToolResult, error) { return nil, safetool.Say("no: %s", v) },
		"wire": func(v string) (*mcp.CallToolResult, error) {
			return nil, &jsonrpc.Error{Code: -32000, Message: v, Data: json.RawMessage(`{"k":"` + v + `","` + v + `":1}`)}
		},
		"problem": func(v string) (*mcp.CallToolResult, error) { return nil, filledProblem(v) },
		"tool": func(v string) (*mcp.CallToolResult, error) {
			return &mcp.CallToolResult{IsError: true, Content: []mcp.Content{&mcp.TextContent{Text: v}}}, nil
		},
		"elicit": func(v string) (*mcp.CallToolResult, error) {
			return nil, mcp.URLElicitationRequiredError([]*mcp.ElicitParams{{Mode: "url", Message: v, URL: "https://a.example/" + v, ElicitationID: v}})
		},
		"ask": func(v string) (*mcp.CallToolResult, error) {
			return &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{"q": &mcp.ElicitParams{Message: v, RequestedSchema: map[string]any{"type": "object", "title": v, "properties": map[string]any{"a": map[string]any{"type": "string", "description": v}}}}}, RequestState: v}, nil
		},
		"internal":  func(v string) (*mcp.CallToolResult, error) { return nil, fmt.Errorf("the password is %s", v) },
		"panicking": func(v string) (*mcp.CallToolResult, error) { panic(v) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachEra(t, func(t *testing.T, version string) {
				server, trail, policy := withSecret(t)
				safetool.AddTool(server, &mcp.Tool{Name: "leaky"}, policy,
					func(ctx context.Context, req *mcp.CallToolRequest, _ nothing) (*mcp.CallToolResult, any, error) {
						if req.Params.InputResponses != nil {
							return &mcp.CallToolResult{}, nil, nil // it has been asked
						}
						res, err := fail(lent(ctx, t))
						return res, nil, err
					})
				asked := make(chan string, 8)
				client := safetooltest.NewClient(t, server, &safetooltest.ClientOptions{ProtocolVersion: version, SDK: &mcp.ClientOptions{
					ElicitationHandler: func(_ context.Context, r *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
						asked <- dump(r.Params)
						return &mcp.ElicitResult{Action: "decline"}, nil
					},
				}})
				res, err := client.CallTool(t.Context(), &mcp.CallToolParams{Name: "leaky"})
				unleaked(t, res, err)
				close(asked)
				for text := range asked {
					unleaked(t, text, nil)
				}
				for _, e := range trail.Events() {
					unleaked(t, e, nil)
				}
			})
		})
	}
}

func filledProblem(v string) error {
	p, _ := reflect.TypeAssert[*safetool.Problem](filled(reflect.TypeFor[safetool.Problem](), v, 0).Addr())
	return p
}

// unleaked says that the issued value is in nothing of what came, neither as it is nor in
// base64 at any offset.
func unleaked(t *testing.T, came any, err error) {
	t.Helper()
	text := dump(came)
	if err != nil {
		text += err.Error()
		if wire, is := err.(*jsonrpc.Error); is { //nolint:errorlint // as it came
			text += string(wire.Data)
		}
	}
	for offset := range 3 {
		encoded := base64.StdEncoding.EncodeToString(append(make([]byte, offset), issued...))
		if strings.Contains(text, encoded[4:len(encoded)-4]) {
			t.Errorf("left the server in base64: %s", text)
		}
	}
	if strings.Contains(text, issued) {
		t.Errorf("left the server: %s", text)
	}
}

// The same of resources and prompts.
func TestNoFieldOfAResourceOrPromptCarriesAnIssuedSecret(t *testing.T) {
	t.Parallel()
	eachEra(t, func(t *testing.T, version string) {
		var failed atomic.Pointer[jsonrpc.Error]
		server, _, policy := withSecret(t, func(o *safetool.Options) {
			o.SDK = &mcp.ServerOptions{CompletionHandler: func(ctx context.Context, _ *mcp.CompleteRequest) (*mcp.CompleteResult, error) {
				lent(ctx, t)
				return nil, failed.Load()
			}}
		})
		safetool.AddResource(server, &mcp.Resource{URI: "x:fails", Name: "fails"}, policy,
			func(ctx context.Context, _ *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
				lent(ctx, t)
				return nil, failed.Load()
			})
		safetool.AddPrompt(server, &mcp.Prompt{Name: "fails"}, policy,
			func(ctx context.Context, _ *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
				lent(ctx, t)
				return nil, failed.Load()
			})
		safetool.AddResource(server, &mcp.Resource{URI: "x:leaky", Name: "leaky"}, policy,
			func(ctx context.Context, _ *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
				res, _ := reflect.TypeAssert[*mcp.ReadResourceResult](filled(reflect.TypeFor[mcp.ReadResourceResult](), lent(ctx, t), 0).Addr())
				text, blob := *res.Contents[0], *res.Contents[0]
				text.Blob, blob.Text = nil, ""
				res.Contents, res.InputRequests, res.RequestState = []*mcp.ResourceContents{&text, &blob}, nil, ""
				return res, nil
			})
		safetool.AddPrompt(server, &mcp.Prompt{Name: "leaky"}, policy,
			func(ctx context.Context, _ *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
				res, _ := reflect.TypeAssert[*mcp.GetPromptResult](filled(reflect.TypeFor[mcp.GetPromptResult](), lent(ctx, t), 0).Addr())
				res.Messages, res.InputRequests, res.RequestState = nil, nil, ""
				for _, kind := range []mcp.Content{&mcp.TextContent{}, &mcp.ImageContent{}, &mcp.AudioContent{}, &mcp.ResourceLink{}, &mcp.EmbeddedResource{}} {
					content, _ := reflect.TypeAssert[mcp.Content](filled(reflect.TypeOf(kind).Elem(), lent(ctx, t), 0).Addr())
					res.Messages = append(res.Messages, &mcp.PromptMessage{Role: mcp.Role(lent(ctx, t)), Content: content})
				}
				return res, nil
			})
		client := safetooltest.NewClient(t, server, &safetooltest.ClientOptions{ProtocolVersion: version})
		for _, wire := range []*jsonrpc.Error{
			{Code: -32000, Message: issued, Data: json.RawMessage(`{"k":"` + issued + `"}`)},
			{Code: -32000, Message: "no", Data: json.RawMessage(`{"k`)}, // which would end the session
		} {
			failed.Store(wire)
			_, err := client.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: "x:fails"})
			unleaked(t, nil, err)
			_, err = client.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: "fails"})
			unleaked(t, nil, err)
			_, err = client.Complete(t.Context(), &mcp.CompleteParams{Ref: &mcp.CompleteReference{Type: "ref/prompt", Name: "fails"}, Argument: mcp.CompleteParamsArgument{Name: "a", Value: "b"}})
			unleaked(t, nil, err)
		}
		resource, err := client.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: "x:leaky"})
		unleaked(t, resource, err)
		prompt, err := client.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: "leaky"})
		unleaked(t, prompt, err)
		if resource == nil || prompt == nil {
			t.Errorf("nothing was answered: %v", err)
		}
	})
}

// The same of what a handler sends while it runs.
func TestNoFieldOfAMessageCarriesAnIssuedSecret(t *testing.T) {
	t.Parallel()
	server, _, policy := withSecret(t)
	safetool.AddTool(server, &mcp.Tool{Name: "chatty"}, policy,
		func(ctx context.Context, req *mcp.CallToolRequest, _ nothing) (*mcp.CallToolResult, any, error) {
			value := lent(ctx, t)
			progress, _ := reflect.TypeAssert[*mcp.ProgressNotificationParams](filled(reflect.TypeFor[mcp.ProgressNotificationParams](), value, 0).Addr())
			for _, token := range []any{value, 7, map[string]any{"k": value}, &progress} {
				progress.ProgressToken = token
				if token == &progress {
					progress.ProgressToken = bomb{true}
				}
				_ = req.Session.NotifyProgress(ctx, progress) // the last is not sent, and harms nobody
			}
			log, _ := reflect.TypeAssert[*mcp.LoggingMessageParams](filled(reflect.TypeFor[mcp.LoggingMessageParams](), value, 0).Addr())
			for _, log.Level = range []mcp.LoggingLevel{"error", log.Level} {
				_ = req.Session.Log(ctx, log)
			}
			ask, _ := reflect.TypeAssert[*mcp.ElicitParams](filled(reflect.TypeFor[mcp.ElicitParams](), value, 0).Addr())
			_, err := req.Session.Elicit(ctx, ask)
			unleaked(t, nil, err) // the client says which mode it does not know
			ask.Mode = "url"
			_, _ = req.Session.Elicit(ctx, ask)
			return &mcp.CallToolResult{}, nil, nil
		})
	seen := make(chan string, 16)
	client := safetooltest.NewClient(t, server, &safetooltest.ClientOptions{ProtocolVersion: "2025-11-25", SDK: &mcp.ClientOptions{
		Capabilities:                &mcp.ClientCapabilities{Elicitation: &mcp.ElicitationCapabilities{Form: &mcp.FormElicitationCapabilities{}, URL: &mcp.URLElicitationCapabilities{}}},
		ProgressNotificationHandler: func(_ context.Context, r *mcp.ProgressNotificationClientRequest) { seen <- dump(r.Params) },
		LoggingMessageHandler:       func(_ context.Context, r *mcp.LoggingMessageRequest) { seen <- dump(r.Params) },
		ElicitationHandler: func(_ context.Context, r *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			seen <- dump(r.Params)
			return &mcp.ElicitResult{Action: "decline"}, nil
		},
	}})
	if err := client.SetLoggingLevel(t.Context(), &mcp.SetLoggingLevelParams{Level: "debug"}); err != nil {
		t.Fatal(err)
	}
	call(t, client, "chatty", nil)
	for range 5 { // three of progress, one of the log, one question
		select {
		case text := <-seen:
			unleaked(t, text, nil)
		case <-time.After(20 * time.Second):
			t.Fatal("a message did not come")
		}
	}
}
