package safetool

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/secrets"
	"github.com/safemcp/safemcp/validate/text"
)

// A cleaner makes what leaves the server from what a handler returned: always a
// copy, since handlers share results and the SDK writes into what it is given;
// encoded here, where a MarshalJSON that panics can be caught; free of invisible
// and control characters, and then of issued secrets, which such characters could
// split.
type cleaner struct {
	broker    *secrets.Broker
	most      int
	bytes     int      // what has been let through so far
	redacted  []string // bindings whose values were found
	toolError bool     // the handler's own result says IsError
	cause     string   // and this is what it says of it inside
	wrong     error    // what of the answer no JSON can say
	token     any      // the client's progress token, in a message

	digest string     // of the answer
	answer audit.Args // its structured content, as far as it is recorded
}

func (s *Server) newCleaner(most int) *cleaner {
	return &cleaner{broker: s.options.Secrets, most: most}
}

// within checks the whole answer: that all of it can be sent, and its size.
func (c *cleaner) within() error {
	if c.wrong != nil {
		return c.wrong
	}
	if c.bytes <= c.most {
		return nil
	}
	return refuse("limit", "result_bytes", Problem{
		Code: CodeResultTooLarge, Category: CategoryServer,
		Message: fmt.Sprintf("The answer is too large to be sent: at most %d bytes are.", c.most),
		Hint:    "Ask for less. What the call did has been done.",
	})
}

func (c *cleaner) text(s string) string {
	if len(s) == 0 {
		return s
	}
	seen := text.Clean(s)
	if seen != s { // what is taken out may be part of a value, which nobody would know again
		whole, found := c.broker.RedactString(s)
		c.found(found)
		seen = text.Clean(whole)
	}
	clean, found := c.broker.RedactString(seen)
	c.found(found)
	c.bytes += len(clean)
	return clean
}

// shortened is text for an error, which has no other to take its place where it is too
// long: what is beyond the limit of the answer is cut off.
func (c *cleaner) shortened(s string) string {
	s = c.text(s)
	cut := len(s) - max(0, c.bytes-c.most)
	if cut >= len(s) {
		return s
	}
	for cut = max(0, cut); cut > 0 && !utf8.RuneStart(s[cut]); {
		cut--
	}
	c.bytes -= len(s) - cut
	return s[:cut]
}

// json cleans the strings inside a JSON text. It does not count its bytes.
func (c *cleaner) json(raw []byte) json.RawMessage {
	seen := text.CleanJSON(raw)
	if !bytes.Equal(seen, raw) { // as in text
		whole, found := c.broker.Redact(raw)
		c.found(found)
		seen = text.CleanJSON(whole)
	}
	clean, found := c.broker.Redact(seen)
	c.found(found)
	return clean
}

// echo takes issued secrets out of a text that is otherwise to stay as it came.
func (c *cleaner) echo(s string) string {
	clean, found := c.broker.RedactString(s)
	c.found(found)
	return clean
}

// secretNumber reports whether a number is an issued secret, written as JSON would.
func (c *cleaner) secretNumber(n any) bool {
	raw, err := json.Marshal(n)
	if err != nil {
		return false
	}
	_, found := c.broker.Redact(raw)
	c.found(found)
	return found != nil
}

// blob takes issued secrets out of bytes that are no text.
func (c *cleaner) blob(b []byte) []byte {
	if b == nil {
		return nil
	}
	clean, found := c.broker.Redact(b)
	c.found(found)
	c.bytes += len(clean)
	return slices.Clone(clean)
}

func (c *cleaner) found(names []string) {
	for _, name := range names {
		if !slices.Contains(c.redacted, name) {
			c.redacted = append(c.redacted, name)
		}
	}
}

// meta encodes and cleans every value of a _meta.
func (c *cleaner) meta(m mcp.Meta) (mcp.Meta, error) {
	if m == nil {
		return nil, nil
	}
	out := make(mcp.Meta, len(m))
	for key, value := range m {
		raw, err := c.value(value)
		if err != nil {
			return nil, fmt.Errorf("_meta: %w", err)
		}
		out[c.text(key)] = raw
	}
	return out, nil
}

// value encodes and cleans any value.
func (c *cleaner) value(v any) (json.RawMessage, error) {
	raw, err := encodeAny(v)
	if err != nil {
		return nil, err
	}
	clean := c.json(raw)
	c.bytes += len(clean)
	return clean, nil
}

// optional is value for a field that may be absent.
func (c *cleaner) optional(v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	return c.value(v)
}

// encodeAny marshals under the recover of the pass that it is called in.
func encodeAny(v any) (json.RawMessage, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encoding a %T: %w", v, err)
	}
	return json.RawMessage(strings.TrimSuffix(b.String(), "\n")), nil
}

// toolResult copies a handler's own result without its structured content.
func (c *cleaner) toolResult(out, own *mcp.CallToolResult) (err error) {
	if out.Meta, err = c.meta(own.Meta); err != nil {
		return err
	}
	delete(out.Meta, problemKey) // a problem is the library's word
	if own.IsError {
		out.IsError, c.toolError = true, true
		if inner := own.GetError(); inner != nil {
			c.cause = errorText(inner)
		}
	}
	if own.InputRequests != nil {
		if len(own.Content) > 0 || own.StructuredContent != nil {
			return errors.New("the handler returned both content and inputRequests")
		}
		out.InputRequests, err = c.inputRequests(own.InputRequests)
		return err
	}
	if own.Content == nil {
		return nil
	}
	out.Content = make([]mcp.Content, len(own.Content))
	for i, content := range own.Content {
		if out.Content[i], err = c.content(content); err != nil {
			return err
		}
	}
	return nil
}

// leastWords is how long an error may be, whatever the limit of an answer is.
const leastWords = 4 << 10

// words is a cleaner for an error in the place of the answer: it has a limit of its own,
// and what it finds counts as found in the answer.
func (c *cleaner) words() *cleaner {
	return &cleaner{broker: c.broker, most: max(c.most, leastWords)}
}

// problem returns a copy of p that may leave, with the reference that finds its cause,
// and no more text than an answer may have.
func (c *cleaner) problem(p *Problem, reference string) *Problem {
	w := c.words()
	out := *p
	out.Code, out.Category = w.shortened(p.Code), Category(w.shortened(string(p.Category)))
	out.Message, out.Hint, out.Reference = w.shortened(p.Message), w.shortened(p.Hint), reference
	out.Fields = nil
	for _, f := range p.Fields {
		if w.bytes >= w.most {
			break
		}
		f.Path, f.Rule, f.Message = w.shortened(f.Path), w.shortened(f.Rule), w.shortened(f.Message)
		f.Allowed, f.Nearest = w.allShortened(f.Allowed), w.allShortened(f.Nearest)
		out.Fields = append(out.Fields, f)
	}
	c.found(w.redacted)
	return &out
}

// allShortened is a copy of texts that may leave, nil where there is none.
func (c *cleaner) allShortened(texts []string) (out []string) {
	for _, s := range texts {
		out = append(out, c.shortened(s))
	}
	return out
}

// wire returns a copy of a protocol error that may leave, no longer than an answer.
func (c *cleaner) wire(w *jsonrpc.Error) *jsonrpc.Error {
	words := c.words()
	out := &jsonrpc.Error{Code: w.Code, Message: words.shortened(w.Message)}
	if words.secretNumber(w.Code) {
		out.Code = jsonrpc.CodeInternalError
	}
	if len(w.Data) > 0 {
		data, err := shielded(func() (json.RawMessage, error) { return words.value(w.Data) })
		if err == nil && words.within() == nil {
			out.Data = data
		}
	}
	c.found(words.redacted)
	return out
}
