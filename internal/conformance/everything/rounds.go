package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/safetool"
)

// question asks the user for one value.
func question(message, name, kind string) *mcp.ElicitParams {
	return &mcp.ElicitParams{Message: message, RequestedSchema: json.RawMessage(
		fmt.Sprintf(`{"type":"object","properties":{%q:{"type":%q}},"required":[%q]}`, name, kind, name))}
}

func sample(prompt string) *mcp.CreateMessageParams {
	return &mcp.CreateMessageParams{MaxTokens: 100, Messages: []*mcp.SamplingMessage{{Role: "user", Content: &mcp.TextContent{Text: prompt}}}}
}

// accepted returns what the user answered, nil unless the answer was yes.
func accepted(answers mcp.InputResponseMap, id string) map[string]any {
	if r, ok := answers[id].(*mcp.ElicitResult); ok && r != nil && r.Action == "accept" {
		return r.Content
	}
	return nil
}

// sampled returns what the client's model said.
func sampled(answers mcp.InputResponseMap, id string) (string, bool) {
	r, ok := answers[id].(*mcp.CreateMessageWithToolsResult)
	if !ok || r == nil {
		return "", false
	}
	for _, c := range r.Content {
		if words, ok := c.(*mcp.TextContent); ok {
			return words.Text, true
		}
	}
	return "something else than a text", true
}

func roots(answers mcp.InputResponseMap, id string) ([]string, bool) {
	r, ok := answers[id].(*mcp.ListRootsResult)
	if !ok || r == nil {
		return nil, false
	}
	var uris []string
	for _, root := range r.Roots {
		uris = append(uris, root.URI)
	}
	return uris, true
}

func ask(state string, questions mcp.InputRequestMap) *mcp.CallToolResult {
	return &mcp.CallToolResult{InputRequests: questions, RequestState: state}
}

// addRounds adds what asks by its result, and goes on when it is called again with the
// answers (SEP-2322). States are sealed by the library; handlers see their own.
func addRounds(s *safetool.Server) {
	round := rounds(s)
	round("elicitation", "Asks the user's name.", func(_ *mcp.CallToolRequest, answers mcp.InputResponseMap, _ string) *mcp.CallToolResult {
		if name, _ := accepted(answers, "user_name")["name"].(string); name != "" {
			return text("Hello, %s!", name)
		}
		return ask("", mcp.InputRequestMap{"user_name": question("What is your name?", "name", "string")})
	})
	round("sampling", "Asks the client's model.", func(_ *mcp.CallToolRequest, answers mcp.InputResponseMap, _ string) *mcp.CallToolResult {
		if words, ok := sampled(answers, "capital_question"); ok {
			return text("The model says: %s", words)
		}
		return ask("", mcp.InputRequestMap{"capital_question": sample("What is the capital of France?")})
	})
	round("list_roots", "Asks for the client's roots.", func(_ *mcp.CallToolRequest, answers mcp.InputResponseMap, _ string) *mcp.CallToolResult {
		if uris, ok := roots(answers, "client_roots"); ok {
			return text("%d roots: %s", len(uris), strings.Join(uris, ", "))
		}
		return ask("", mcp.InputRequestMap{"client_roots": &mcp.ListRootsParams{}})
	})
	confirm := func(_ *mcp.CallToolRequest, answers mcp.InputResponseMap, state string) *mcp.CallToolResult {
		if accepted(answers, "confirm") != nil && state == "asked" {
			return text("state-ok: the state came back and the user has confirmed")
		}
		return ask("asked", mcp.InputRequestMap{"confirm": question("Please confirm.", "ok", "boolean")})
	}
	round("request_state", "Keeps a state over a question.", confirm)
	round("tampered_state", "Keeps a state that nobody may change.", confirm)
	round("multiple_inputs", "Asks three things at once.", func(_ *mcp.CallToolRequest, answers mcp.InputResponseMap, _ string) *mcp.CallToolResult {
		name, _ := accepted(answers, "user_name")["name"].(string)
		greeting, greeted := sampled(answers, "greeting")
		uris, rooted := roots(answers, "client_roots")
		if name != "" && greeted && rooted {
			return text("%s %s, %d roots", greeting, name, len(uris))
		}
		return ask("asked", mcp.InputRequestMap{
			"user_name": question("What is your name?", "name", "string"), "greeting": sample("Greet."), "client_roots": &mcp.ListRootsParams{},
		})
	})
	addLongRounds(s)
}

// rounds adds tools that are called with the answers and the state of the round before.
func rounds(s *safetool.Server) func(name, description string, h func(*mcp.CallToolRequest, mcp.InputResponseMap, string) *mcp.CallToolResult) {
	return func(name, description string, h func(*mcp.CallToolRequest, mcp.InputResponseMap, string) *mcp.CallToolResult) {
		tool(s, "test_input_required_result_"+name, description, func(_ context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return h(req, req.Params.InputResponses, req.Params.RequestState), nil
		})
	}
}

func addLongRounds(s *safetool.Server) {
	round := rounds(s)
	round("multi_round", "Asks twice.", func(_ *mcp.CallToolRequest, answers mcp.InputResponseMap, state string) *mcp.CallToolResult {
		name, again := strings.CutPrefix(state, "name=")
		switch {
		case again:
			color, _ := accepted(answers, "step2")["color"].(string)
			return text("Done: %s likes %s", name, color)
		case state == "first":
			name, _ = accepted(answers, "step1")["name"].(string)
			return ask("name="+name, mcp.InputRequestMap{"step2": question("What is your favourite colour?", "color", "string")})
		}
		return ask("first", mcp.InputRequestMap{"step1": question("What is your name?", "name", "string")})
	})
	round("capabilities", "Asks what the client can be asked.", func(req *mcp.CallToolRequest, answers mcp.InputResponseMap, _ string) *mcp.CallToolResult {
		if len(answers) > 0 {
			return text("Answered.")
		}
		questions, able := mcp.InputRequestMap{}, req.ClientCapabilities()
		if able != nil && able.Elicitation != nil {
			questions["user_name"] = question("What is your name?", "name", "string")
		}
		if able != nil && able.Sampling != nil {
			questions["greeting"] = sample("Greet.")
		}
		if able != nil && able.RootsV2 != nil {
			questions["client_roots"] = &mcp.ListRootsParams{}
		}
		if len(questions) == 0 {
			return text("The client cannot be asked anything.")
		}
		return ask("", questions)
	})
	safetool.AddPrompt(s, &mcp.Prompt{Name: "test_input_required_result_prompt", Description: "Asks for its context."}, anyone,
		func(_ context.Context, req *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
			given := accepted(req.Params.InputResponses, "user_context")
			if given == nil {
				return &mcp.GetPromptResult{InputRequests: mcp.InputRequestMap{"user_context": question("What is the context?", "context", "string")}}, nil
			}
			return &mcp.GetPromptResult{Description: "With context.", Messages: []*mcp.PromptMessage{said(&mcp.TextContent{Text: fmt.Sprintf("Context: %v", given["context"])})}}, nil
		})
}
