package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/safetool"
)

// addQuestions adds the tools that ask an older client in the midst of a call.
func addQuestions(s *safetool.Server) {
	type prompt struct {
		Prompt string `json:"prompt" validate:"required,max=10000" jsonschema:"what to ask the model"`
	}
	safetool.AddTool(s, &mcp.Tool{Name: "test_sampling", Description: "Asks the client's model."}, anyone,
		func(ctx context.Context, req *mcp.CallToolRequest, in prompt) (*mcp.CallToolResult, any, error) {
			answer, err := req.Session.CreateMessage(ctx, &mcp.CreateMessageParams{
				Messages:  []*mcp.SamplingMessage{{Role: "user", Content: &mcp.TextContent{Text: in.Prompt}}},
				MaxTokens: 100,
			})
			if err != nil {
				return nil, nil, fmt.Errorf("%w: %w", errNotAnswered, err)
			}
			if words, ok := answer.Content.(*mcp.TextContent); ok {
				return text("LLM response: %s", words.Text), nil, nil
			}
			return text("LLM response of another kind"), nil, nil
		})
	elicit := func(ctx context.Context, req *mcp.CallToolRequest, message, schema string) (*mcp.CallToolResult, error) {
		answer, err := req.Session.Elicit(ctx, &mcp.ElicitParams{Message: message, RequestedSchema: json.RawMessage(schema)})
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errNotAnswered, err)
		}
		given, err := json.Marshal(answer.Content)
		if err != nil {
			return nil, err
		}
		return text("Elicitation result: action=%s, content=%s", answer.Action, given), nil
	}
	type message struct {
		Message string `json:"message" validate:"required,max=10000" jsonschema:"what to ask the user"`
	}
	safetool.AddTool(s, &mcp.Tool{Name: "test_elicitation", Description: "Asks the user."}, anyone,
		func(ctx context.Context, req *mcp.CallToolRequest, in message) (*mcp.CallToolResult, any, error) {
			res, err := elicit(ctx, req, in.Message, `{"type":"object","properties":{"username":{"type":"string","description":"Your preferred username"}},"required":["username"]}`)
			return res, nil, err
		})
	ask := func(name, description, message, schema string) {
		tool(s, name, description, func(ctx context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return elicit(ctx, req, message, schema)
		})
	}
	ask("test_elicitation_sep1034_defaults", "Asks the user, with defaults (SEP-1034).", "Review what is filled in.", `{"type":"object","properties":{
		"name":     {"type":"string",  "description":"Name",    "default":"John Doe"},
		"age":      {"type":"integer", "description":"Age",     "default":30},
		"score":    {"type":"number",  "description":"Score",   "default":95.5},
		"status":   {"type":"string",  "description":"Status",  "default":"active", "enum":["active","inactive","pending"]},
		"verified": {"type":"boolean", "description":"Checked", "default":true}
	}}`)
	const titled = `[{"const":"value1","title":"First Option"},{"const":"value2","title":"Second Option"},{"const":"value3","title":"Third Option"}]`
	ask("test_elicitation_sep1330_enums", "Asks the user to choose, in every way that there is (SEP-1330).", "Choose.", `{"type":"object","properties":{
		"untitledSingle": {"type":"string", "enum":["option1","option2","option3"]},
		"titledSingle":   {"type":"string", "oneOf":`+titled+`},
		"legacyEnum":     {"type":"string", "enum":["opt1","opt2","opt3"], "enumNames":["Option One","Option Two","Option Three"]},
		"untitledMulti":  {"type":"array", "minItems":1, "maxItems":3, "items":{"type":"string","enum":["option1","option2","option3"]}},
		"titledMulti":    {"type":"array", "minItems":1, "maxItems":3, "items":{"anyOf":`+titled+`}}
	}}`)
}
