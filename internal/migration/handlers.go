package migration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

type addArgs struct {
	A int `json:"a"`
	B int `json:"b"`
}

type sum struct {
	Sum int `json:"sum"`
}

func add(_ context.Context, _ *mcp.CallToolRequest, in addArgs) (*mcp.CallToolResult, sum, error) {
	return nil, sum{in.A + in.B}, nil
}

type greetArgs struct {
	Name     string `json:"name" jsonschema:"whom to greet"`
	Language string `json:"language,omitempty"`
}

// greetSchema is the author's own, with a default.
var greetSchema = json.RawMessage(`{"type":"object","properties":{"name":{"type":"string","maxLength":20},"language":{"type":"string","enum":["en","fr"],"default":"fr"}},"required":["name"],"additionalProperties":false}`)

func greet(_ context.Context, _ *mcp.CallToolRequest, in greetArgs) (*mcp.CallToolResult, any, error) {
	word := map[string]string{"en": "Hello", "fr": "Bonjour"}[in.Language]
	return text(word + " " + in.Name), nil, nil
}

func text(s string) *mcp.CallToolResult {
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: s}}}
}

var echoSchema = json.RawMessage(`{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"],"additionalProperties":false}`)

// echo reads its own arguments.
func echo(_ context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	return text("echo " + string(req.Params.Arguments)), nil
}

// anything takes what comes.
func anything(_ context.Context, _ *mcp.CallToolRequest, in any) (*mcp.CallToolResult, any, error) {
	members, _ := in.(map[string]any)
	return nil, map[string]any{"members": len(members)}, nil
}

// ownResult answers with several kinds of content, and output beside it.
func ownResult(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, sum, error) {
	res := text("two parts")
	res.Content = append(res.Content, &mcp.ImageContent{Data: []byte{1, 2, 3}, MIMEType: "image/png"})
	return res, sum{42}, nil
}

// toolError says that it failed, in a result of its own.
func toolError(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
	res := text("out of stock")
	res.IsError = true
	return res, nil, nil
}

func plainError(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
	return nil, nil, errors.New("the database said something private")
}

func protocolError(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
	return nil, nil, &jsonrpc.Error{Code: -32050, Message: "of the protocol"}
}

// confirm asks the user before it answers.
func confirm(_ context.Context, req *mcp.CallToolRequest, in greetArgs) (*mcp.CallToolResult, any, error) {
	answer, ok := req.Params.InputResponses["sure"].(*mcp.ElicitResult)
	if !ok {
		return &mcp.CallToolResult{
			RequestState: "asked about " + in.Name,
			InputRequests: mcp.InputRequestMap{"sure": &mcp.ElicitParams{
				Message: "Are you sure?", RequestedSchema: map[string]any{"type": "object", "properties": map[string]any{"yes": map[string]any{"type": "boolean"}}},
			}},
		}, nil, nil
	}
	return text(fmt.Sprintf("%s, %s", answer.Action, req.Params.RequestState)), nil, nil
}

// progress says how far it is.
func progress(ctx context.Context, req *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
	for i := range 3 {
		err := req.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{
			ProgressToken: req.Params.GetProgressToken(), Progress: float64(i + 1), Total: 3, Message: fmt.Sprintf("step %d", i+1),
		})
		if err != nil {
			return nil, nil, err
		}
	}
	return text("all steps"), nil, nil
}

// numbers answers with a list, and count with a number.
func numbers(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, []int, error) {
	return nil, []int{1, 2, 3}, nil
}

func count(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, int, error) {
	return nil, 7, nil
}

// wait waits until its caller gives up.
func wait(ctx context.Context, _ *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
	<-ctx.Done()
	return nil, nil, ctx.Err()
}

// signIn needs the user to open a page first.
func signIn(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
	return nil, nil, mcp.URLElicitationRequiredError([]*mcp.ElicitParams{{Mode: "url", Message: "Sign in first.", URL: "https://documents.example/sign-in", ElicitationID: "e1"}})
}

// described is the tool whose author wrote annotations.
func described() *mcp.Tool {
	return &mcp.Tool{Name: "own_result", Title: "Own result", Description: "Answers in two parts.", Annotations: &mcp.ToolAnnotations{ReadOnlyHint: true, IdempotentHint: true}}
}
