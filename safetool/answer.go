package safetool

import (
	"bytes"
	"encoding/json"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/audit"
)

// digest makes what is recorded of an answer, as it leaves: its digest, and at the level
// of answers its structured content. What the pieces of each kind of answer are is said in
// docs/privacy.md; _meta is not among them.
func (p *pass) digest(c *cleaner, res any) {
	if p.feature.policy.Audit == audit.LevelMetadata {
		return
	}
	d := p.server.redactor.Answer()
	switch r := res.(type) {
	case *mcp.CallToolResult:
		for _, content := range r.Content {
			addContent(&d, content)
		}
		if raw, ok := r.StructuredContent.(json.RawMessage); ok {
			d.AddBytes("structured", plainly(raw))
			if p.feature.policy.Audit == audit.LevelAnswer {
				c.answer = p.server.recordableAnswer(raw, p.tool.answers, !r.IsError)
			}
		}
		if r.IsError {
			d.Add("error", "")
		}
	case *mcp.ReadResourceResult:
		for _, contents := range r.Contents {
			addResource(&d, contents)
		}
	case *mcp.GetPromptResult:
		for _, m := range r.Messages {
			d.Add("role", string(m.Role))
			addContent(&d, m.Content)
		}
	case *mcp.CompleteResult:
		for _, value := range r.Completion.Values {
			d.Add("value", value)
		}
	}
	c.digest = d.Sum()
}

func addContent(d *audit.Digest, content mcp.Content) {
	switch b := content.(type) {
	case *mcp.TextContent:
		d.Add("text", b.Text)
	case *mcp.ImageContent:
		d.AddBytes("image", b.Data)
	case *mcp.AudioContent:
		d.AddBytes("audio", b.Data)
	case *mcp.ResourceLink:
		d.Add("link", b.URI)
	case *mcp.EmbeddedResource:
		addResource(d, b.Resource)
	}
}

func addResource(d *audit.Digest, r *mcp.ResourceContents) {
	d.Add("uri", r.URI)
	if r.Blob != nil {
		d.AddBytes("blob", r.Blob)
		return
	}
	d.Add("text", r.Text)
}

// plainly is JSON with its texts in their shortest form, as the digest is of it: the SDK
// escapes more than has to be.
func plainly(raw json.RawMessage) []byte {
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw
	}
	v := jsontext.Value(bytes.Clone(raw))
	if v.Format(jsontext.PreserveRawStrings(false), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) != nil {
		return raw
	}
	return v
}

// recordableAnswer is what is recorded of structured content, which was held against its
// schema or not. What is no object stands as the member "result" of one.
func (s *Server) recordableAnswer(raw json.RawMessage, rules audit.Rules, held bool) audit.Args {
	if len(raw) > 0 && raw[0] != '{' {
		raw = append(append(json.RawMessage(`{"result":`), raw...), '}')
		rules = audit.Rules{{Name: "result", Within: rules}}
	}
	return s.redactor.Args(raw, rules, held && jsontext.Value(raw).IsValid())
}
