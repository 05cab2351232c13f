package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/safetool"
)

// picture is a red dot.
func picture() []byte {
	dot := image.NewRGBA(image.Rect(0, 0, 1, 1))
	dot.Set(0, 0, color.RGBA{R: 255, A: 255})
	var b bytes.Buffer
	if err := png.Encode(&b, dot); err != nil {
		panic(err) // a buffer takes everything
	}
	return b.Bytes()
}

// sound is one silent sample: a RIFF header, its format and its data.
func sound() []byte {
	b := []byte("RIFF")
	b = binary.LittleEndian.AppendUint32(b, 4+8+16+8+2)
	b = binary.LittleEndian.AppendUint32(append(b, "WAVEfmt "...), 16)
	for _, v := range []uint16{1, 1} { // PCM, one channel
		b = binary.LittleEndian.AppendUint16(b, v)
	}
	b = binary.LittleEndian.AppendUint32(b, 8000)
	b = binary.LittleEndian.AppendUint32(b, 16000)
	b = binary.LittleEndian.AppendUint16(b, 2)
	b = binary.LittleEndian.AppendUint16(b, 16)
	b = binary.LittleEndian.AppendUint32(append(b, "data"...), 2)
	return append(b, 0, 0)
}

func embedded(uri, what string) *mcp.EmbeddedResource {
	return &mcp.EmbeddedResource{Resource: &mcp.ResourceContents{URI: uri, MIMEType: "text/plain", Text: what}}
}

// addContent adds the tools whose answers are of each kind, and those whose schemas or
// errors are looked at.
func addContent(s *safetool.Server) {
	always := func(res *mcp.CallToolResult) func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) { return res, nil }
	}
	img := &mcp.ImageContent{Data: picture(), MIMEType: "image/png"}
	tool(s, "test_simple_text", "Answers a text.", always(text("This is a simple text response for testing.")))
	tool(s, "test_image_content", "Answers an image.", always(content(img)))
	tool(s, "test_audio_content", "Answers a sound.", always(content(&mcp.AudioContent{Data: sound(), MIMEType: "audio/wav"})))
	tool(s, "test_embedded_resource", "Answers a resource.", always(content(embedded("test://embedded-resource", "An embedded resource."))))
	tool(s, "test_multiple_content_types", "Answers a text, an image and a resource.",
		always(content(&mcp.TextContent{Text: "A text."}, img, embedded("test://mixed-content-resource", "A resource."))))
	tool(s, "test_error_handling", "Fails.", func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return nil, safetool.Say("This tool intentionally returns an error for testing.")
	})
	tool(s, "test_streaming_elicitation", "Answers; its stream has no requests of the server.", always(text("Nothing was asked.")))
	tool(s, "test_missing_capability", "Needs a client that can sample.", func(_ context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		if able := req.ClientCapabilities(); able != nil && able.Sampling != nil {
			return text("The client can sample."), nil
		}
		data, err := json.Marshal(mcp.MissingRequiredClientCapabilityData{RequiredCapabilities: &mcp.ClientCapabilities{Sampling: &mcp.SamplingCapabilities{}}})
		if err != nil {
			return nil, err
		}
		return nil, &jsonrpc.Error{Code: mcp.CodeMissingRequiredClientCapabilities, Message: "the client has to be able to sample", Data: data}
	})
	raw := func(name, description, schema string) {
		safetool.AddRawTool(s, &mcp.Tool{Name: name, Description: description, InputSchema: json.RawMessage(schema)}, anyone,
			func(_ context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
				return text("called with %s", req.Params.Arguments), nil
			})
	}
	raw("json_schema_2020_12_tool", "Has a schema with the vocabulary of JSON Schema 2020-12.", schema2020)
	raw("test_x_mcp_header", "Has an argument that a header repeats.", `{
		"type": "object",
		"properties": {
			"region": {"type": "string", "maxLength": 100, "x-mcp-header": "Region"},
			"level": {"type": "integer"}
		}
	}`)
}

const schema2020 = `{
	"$schema": "https://json-schema.org/draft/2020-12/schema",
	"type": "object",
	"$defs": {
		"address": {
			"$anchor": "addressDef",
			"type": "object",
			"properties": {"street": {"type": "string"}, "city": {"type": "string"}}
		}
	},
	"properties": {
		"name": {"type": "string"},
		"address": {"$ref": "#/$defs/address"},
		"contactMethod": {"type": "string", "enum": ["phone", "email"]},
		"phone": {"type": "string"},
		"email": {"type": "string"}
	},
	"allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
	"if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
	"then": {"required": ["phone"]},
	"else": {"required": ["email"]},
	"additionalProperties": false
}`

var errNotAnswered = errors.New("the client did not answer")

// addResources adds what is read.
func addResources(s *safetool.Server) {
	fixed := func(contents mcp.ResourceContents) mcp.ResourceHandler {
		return func(_ context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
			c := contents
			c.URI = req.Params.URI
			return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{&c}}, nil
		}
	}
	safetool.AddResource(s, &mcp.Resource{URI: "test://static-text", Name: "static-text", Description: "A text.", MIMEType: "text/plain"}, anyone,
		fixed(mcp.ResourceContents{MIMEType: "text/plain", Text: "This is the content of the static text resource."}))
	safetool.AddResource(s, &mcp.Resource{URI: "test://static-binary", Name: "static-binary", Description: "An image.", MIMEType: "image/png"}, anyone,
		fixed(mcp.ResourceContents{MIMEType: "image/png", Blob: picture()}))
	safetool.AddResource(s, &mcp.Resource{URI: watched, Name: "watched-resource", Description: "Changes every three seconds.", MIMEType: "text/plain"}, anyone,
		fixed(mcp.ResourceContents{MIMEType: "text/plain", Text: "Watched."}))
	safetool.AddResourceTemplate(s, &mcp.ResourceTemplate{URITemplate: "test://template/{id}/data", Name: "template", Description: "Says its id.", MIMEType: "application/json"}, anyone,
		func(_ context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
			var id string
			if _, err := fmt.Sscanf(req.Params.URI, "test://template/%s", &id); err != nil {
				return nil, err
			}
			id = id[:max(0, len(id)-len("/data"))]
			says, err := json.Marshal(map[string]any{"id": id, "templateTest": true, "data": "Data for ID: " + id})
			if err != nil {
				return nil, err
			}
			return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: req.Params.URI, MIMEType: "application/json", Text: string(says)}}}, nil
		})
}

func said(what mcp.Content) *mcp.PromptMessage {
	return &mcp.PromptMessage{Role: "user", Content: what}
}

// addPrompts adds the prompts.
func addPrompts(s *safetool.Server) {
	prompt := func(name, description string, arguments []string, say func(map[string]string) []*mcp.PromptMessage) {
		p := &mcp.Prompt{Name: name, Description: description}
		for _, a := range arguments {
			p.Arguments = append(p.Arguments, &mcp.PromptArgument{Name: a, Description: "The " + a + ".", Required: true})
		}
		safetool.AddPrompt(s, p, anyone, func(_ context.Context, req *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
			return &mcp.GetPromptResult{Description: description, Messages: say(req.Params.Arguments)}, nil
		})
	}
	words := func(format string, args ...any) *mcp.PromptMessage {
		return said(&mcp.TextContent{Text: fmt.Sprintf(format, args...)})
	}
	prompt("test_simple_prompt", "A prompt without arguments.", nil, func(map[string]string) []*mcp.PromptMessage {
		return []*mcp.PromptMessage{words("This is a simple prompt for testing.")}
	})
	prompt("test_prompt_with_arguments", "A prompt with arguments.", []string{"arg1", "arg2"}, func(a map[string]string) []*mcp.PromptMessage {
		return []*mcp.PromptMessage{words("Prompt with arguments: arg1='%s', arg2='%s'", a["arg1"], a["arg2"])}
	})
	prompt("test_prompt_with_embedded_resource", "A prompt with a resource.", []string{"resourceUri"}, func(a map[string]string) []*mcp.PromptMessage {
		return []*mcp.PromptMessage{said(embedded(a["resourceUri"], "An embedded resource.")), words("Look at the resource.")}
	})
	prompt("test_prompt_with_image", "A prompt with an image.", nil, func(map[string]string) []*mcp.PromptMessage {
		return []*mcp.PromptMessage{said(&mcp.ImageContent{Data: picture(), MIMEType: "image/png"}), words("Look at the image.")}
	})
}
