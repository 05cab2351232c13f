package safetool

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// content copies and cleans one block of content.
func (c *cleaner) content(own mcp.Content) (_ mcp.Content, err error) {
	switch b := own.(type) {
	case *mcp.TextContent:
		out := &mcp.TextContent{Text: c.text(b.Text), Annotations: c.annotations(b.Annotations)}
		out.Meta, err = c.meta(b.Meta)
		return out, err
	case *mcp.ImageContent:
		out := &mcp.ImageContent{Data: c.blob(b.Data), MIMEType: c.text(b.MIMEType), Annotations: c.annotations(b.Annotations)}
		out.Meta, err = c.meta(b.Meta)
		return out, err
	case *mcp.AudioContent:
		out := &mcp.AudioContent{Data: c.blob(b.Data), MIMEType: c.text(b.MIMEType), Annotations: c.annotations(b.Annotations)}
		out.Meta, err = c.meta(b.Meta)
		return out, err
	case *mcp.ResourceLink:
		out := &mcp.ResourceLink{
			URI: c.text(b.URI), Name: c.text(b.Name), Title: c.text(b.Title), Description: c.text(b.Description),
			MIMEType: c.text(b.MIMEType), Annotations: c.annotations(b.Annotations), Icons: c.icons(b.Icons),
		}
		if b.Size != nil {
			if size := *b.Size; !c.secretNumber(size) {
				out.Size = &size
			}
		}
		out.Meta, err = c.meta(b.Meta)
		return out, err
	case *mcp.EmbeddedResource:
		out := &mcp.EmbeddedResource{Annotations: c.annotations(b.Annotations)}
		if out.Resource, err = c.resourceContents(b.Resource); err != nil {
			return nil, err
		}
		out.Meta, err = c.meta(b.Meta)
		return out, err
	case nil:
		return nil, errors.New("the handler returned nil content")
	}
	return nil, fmt.Errorf("the handler returned content of type %T, which no result carries", own)
}

func (c *cleaner) resourceContents(own *mcp.ResourceContents) (*mcp.ResourceContents, error) {
	if own == nil {
		return nil, errors.New("the handler returned nil resource contents")
	}
	meta, err := c.meta(own.Meta)
	if err != nil {
		return nil, err
	}
	return &mcp.ResourceContents{URI: c.text(own.URI), MIMEType: c.text(own.MIMEType), Text: c.text(own.Text), Blob: c.blob(own.Blob), Meta: meta}, nil
}

func (c *cleaner) annotations(own *mcp.Annotations) *mcp.Annotations {
	if own == nil {
		return nil
	}
	if math.IsNaN(own.Priority) || math.IsInf(own.Priority, 0) { // the SDK could not encode it, and would not answer
		c.wrong = fmt.Errorf("the handler returned annotations with the priority %v", own.Priority)
	}
	out := &mcp.Annotations{LastModified: c.text(own.LastModified), Priority: own.Priority}
	if own.Priority != 0 && c.secretNumber(own.Priority) {
		out.Priority = 0
	}
	for _, role := range own.Audience {
		out.Audience = append(out.Audience, mcp.Role(c.text(string(role))))
	}
	return out
}

func (c *cleaner) icons(own []mcp.Icon) []mcp.Icon {
	var out []mcp.Icon
	for _, icon := range own {
		icon.Source, icon.MIMEType, icon.Theme = c.text(icon.Source), c.text(icon.MIMEType), mcp.IconTheme(c.text(string(icon.Theme)))
		sizes := make([]string, len(icon.Sizes))
		for i, size := range icon.Sizes {
			sizes[i] = c.text(size)
		}
		icon.Sizes = sizes
		out = append(out, icon)
	}
	return out
}

// inputRequests copies and cleans questions to the client's user.
func (c *cleaner) inputRequests(own mcp.InputRequestMap) (mcp.InputRequestMap, error) {
	out := make(mcp.InputRequestMap, len(own))
	for id, question := range own {
		clean, err := c.inputRequest(question)
		if err != nil {
			return nil, err
		}
		out[c.text(id)] = clean
	}
	return out, nil
}

func (c *cleaner) inputRequest(own mcp.InputRequest) (mcp.InputRequest, error) {
	switch q := own.(type) {
	case *mcp.ElicitParams:
		return c.elicit(q)
	case *mcp.CreateMessageParams:
		return c.createMessage(q)
	case *mcp.CreateMessageWithToolsParams:
		return c.createMessageWithTools(q)
	case *mcp.ListRootsParams:
		if q == nil {
			return nil, errNilQuestion
		}
		meta, err := c.meta(q.Meta)
		return &mcp.ListRootsParams{Meta: meta}, err
	}
	return nil, fmt.Errorf("the handler asks with a %T, which no client answers", own)
}

var errNilQuestion = errors.New("the handler asks with a nil input request, or a nil message in one")

func (c *cleaner) elicit(own *mcp.ElicitParams) (*mcp.ElicitParams, error) {
	if own == nil {
		return nil, errNilQuestion
	}
	meta, err := c.meta(own.Meta)
	if err != nil {
		return nil, err
	}
	schema, err := c.optional(own.RequestedSchema)
	if err != nil {
		return nil, err
	}
	return &mcp.ElicitParams{
		Meta: meta, Mode: c.text(own.Mode), Message: c.text(own.Message), RequestedSchema: schema,
		URL: c.text(own.URL), ElicitationID: c.text(own.ElicitationID),
	}, nil
}

// createMessage copies and cleans a request for sampling. It is an object with
// free-form parts many levels deep, so it goes through its JSON form.
func (c *cleaner) createMessage(own *mcp.CreateMessageParams) (*mcp.CreateMessageParams, error) {
	if own == nil || slices.Contains(own.Messages, nil) { // which the SDK would follow
		return nil, errNilQuestion
	}
	return throughJSON(c, own)
}

func (c *cleaner) createMessageWithTools(own *mcp.CreateMessageWithToolsParams) (*mcp.CreateMessageWithToolsParams, error) {
	if own == nil || slices.Contains(own.Messages, nil) {
		return nil, errNilQuestion
	}
	return throughJSON(c, own)
}

func throughJSON[T any](c *cleaner, own *T) (*T, error) {
	raw, err := c.value(own)
	if err != nil {
		return nil, err
	}
	out := new(T)
	if err := json.Unmarshal(raw, out); err != nil {
		return nil, fmt.Errorf("a %T does not survive its JSON form: %w", own, err)
	}
	return out, nil
}

// canAsk refuses a question that the client has not said it can put: the SDK
// sends it all the same to a client of 2026-07-28.
func (p *pass) canAsk(questions mcp.InputRequestMap) error {
	for _, q := range questions {
		elicit, ok := q.(*mcp.ElicitParams)
		if !ok || elicit == nil {
			continue
		}
		caps := p.capabilities()
		byURL := elicit.Mode == "url" || (elicit.Mode == "" && (elicit.URL != "" || elicit.ElicitationID != ""))
		able := caps != nil && caps.Elicitation != nil
		if able && byURL {
			able = caps.Elicitation.URL != nil
		} else if able { // neither said: forms, as before there was a choice
			able = caps.Elicitation.Form != nil || caps.Elicitation.URL == nil
		}
		if !able {
			return refuse("client", "capabilities", Problem{
				Code: CodeClientCannotAsk, Category: CategoryCaller,
				Message: "The call needs an answer from a person, and this client cannot ask for one.",
				Hint:    "Use a client that supports elicitation.",
			})
		}
	}
	return nil
}
