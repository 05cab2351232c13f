package safetool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/internal/bridge"
	"github.com/safemcp/safemcp/validate"
)

// A tool is a registered tool with its types erased: what reflection there is
// happens when it is registered.
type tool struct {
	feature
	definition *mcp.Tool
	legacy     *mcp.Tool // as listed to clients older than 2026-07-28
	decode     func(context.Context, json.RawMessage) (any, error)
	invoke     func(context.Context, *mcp.CallToolRequest, any) (*Result, error)
	encode     func(any) (json.RawMessage, error)
	objects    bool       // the output is an object, or nothing is said about it
	listsOut   bool       // an output schema is listed
	live       *schemaNow // the input schema where it may change
	headers    []bridge.ParamHeader
	answers    audit.Rules // of the answer's structured content
	flags      bool        // some texts are flagged
}

// AddTool adds a tool whose arguments and output have Go types, as [mcp.AddTool]
// does, behind every guard of this package.
//
// In is a struct, a map, or any. Its tags say what is allowed, see package
// validate: they are the schema that the model reads and the rules that are
// enforced, and arguments are decoded once, straight into it. An InputSchema of
// the author's own is listed instead and enforced beside the type. In as any
// without a schema takes what comes, and is warned about. Where an allowlist that may
// change is in it, tools/list shows its values of the moment, and clients are told when
// that is another schema.
//
// Out may be any type that marshals to JSON. Its schema is listed and enforced,
// unless Out is any and the tool has no OutputSchema. Below protocol version
// 2026-07-28 an output that is no object is sent as text alone.
//
// What the handler returns is read as the SDK reads it: a result of its own, a
// result with IsError, InputRequests, a bare *jsonrpc.Error, which becomes the
// protocol's error. Any other error becomes a [Problem]; see [Say]. A result with
// IsError set takes no output.
//
// AddTool panics on a wiring mistake, with a sentence that names it: a Policy
// that says nothing, a name that is taken, types that have no schema, rules that
// do not exist, annotations that contradict the Risk.
func AddTool[In, Out any](s *Server, t *mcp.Tool, p Policy, h mcp.ToolHandlerFor[In, Out]) {
	if err := addTyped(s, t, p, h); err != nil {
		panic(fmt.Errorf("safetool.AddTool %s: %w", nameOf(t, func() string { return t.Name }), err))
	}
}

// AddRawTool adds a tool that reads its own arguments. Its InputSchema, which it
// must have, is enforced as written on the exact bytes before the handler sees
// them; an OutputSchema is enforced on what it answers. Else it is as [AddTool].
func AddRawTool(s *Server, t *mcp.Tool, p Policy, h mcp.ToolHandler) {
	if err := addRaw(s, t, p, h); err != nil {
		panic(fmt.Errorf("safetool.AddRawTool %s: %w", nameOf(t, func() string { return t.Name }), err))
	}
}

func addTyped[In, Out any](s *Server, t *mcp.Tool, p Policy, h mcp.ToolHandlerFor[In, Out]) error {
	if h == nil {
		return errors.New("its handler is nil")
	}
	out, err := newTool(s, t, p)
	if err != nil {
		return err
	}
	own, err := schemaOf(t.InputSchema)
	if err != nil {
		return fmt.Errorf("its InputSchema: %w", err)
	}
	args, err := validate.For[In](&validate.Options{Allow: s.options.Allow, Rules: s.options.Rules, Schema: own})
	if err != nil {
		return err
	}
	outSchema, err := schemaOf(t.OutputSchema)
	if err != nil {
		return fmt.Errorf("its OutputSchema: %w", err)
	}
	result, err := validate.ForResult[Out](outSchema)
	if err != nil {
		return err
	}
	out.decode = func(ctx context.Context, raw json.RawMessage) (any, error) { return args.Decode(ctx, raw) }
	out.invoke = func(ctx context.Context, req *mcp.CallToolRequest, in any) (*Result, error) {
		typed, _ := in.(In) // a nil interface stays nil where In is any
		content, output, err := h(ctx, req, typed)
		if err != nil {
			return nil, err
		}
		return &Result{Output: output, Content: content}, nil
	}
	if args.Live() {
		out.live = &schemaNow{current: args.Current}
	}
	out.encode, out.objects, out.flags = result.Encode, result.IsObject(), args.Flags()
	return s.register(out, args.Schema(), result.Schema(), args.Fields(), result.Fields(), args.Warnings())
}

func addRaw(s *Server, t *mcp.Tool, p Policy, h mcp.ToolHandler) error {
	if h == nil {
		return errors.New("its handler is nil")
	}
	out, err := newTool(s, t, p)
	if err != nil {
		return err
	}
	own, err := schemaOf(t.InputSchema)
	if err != nil {
		return fmt.Errorf("its InputSchema: %w", err)
	}
	if own == nil {
		return errors.New(`it has no InputSchema: write one; {"type":"object","additionalProperties":false} is a tool without arguments`)
	}
	doc, err := validate.ForSchema(own, &validate.Options{Allow: s.options.Allow})
	if err != nil {
		return err
	}
	outSchema, err := schemaOf(t.OutputSchema)
	if err != nil {
		return fmt.Errorf("its OutputSchema: %w", err)
	}
	result, err := validate.ForResult[any](outSchema)
	if err != nil {
		return err
	}
	out.decode = func(ctx context.Context, raw json.RawMessage) (any, error) {
		return raw, doc.Check(ctx, raw)
	}
	out.invoke = func(ctx context.Context, req *mcp.CallToolRequest, _ any) (*Result, error) {
		content, err := h(ctx, req)
		if err != nil {
			return nil, err
		}
		return &Result{Content: content}, nil
	}
	out.encode, out.objects = result.Encode, result.IsObject()
	return s.register(out, doc.Schema(), result.Schema(), doc.Fields(), result.Fields(), doc.Warnings())
}

// toolName is what the specification allows (2025-11-25, SEP-986).
var toolName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,128}$`)

func newTool(s *Server, t *mcp.Tool, p Policy) (*tool, error) {
	if t == nil {
		return nil, errors.New("the tool is nil")
	}
	if !toolName.MatchString(t.Name) {
		return nil, errors.New("a tool's name is 1 to 128 letters, digits and the characters _ . -")
	}
	f, err := s.newFeature("tool", t.Name, p)
	if err != nil {
		return nil, err
	}
	definition := *t
	if definition.Annotations, err = f.policy.annotations(t.Annotations); err != nil {
		return nil, err
	}
	return &tool{feature: f, definition: &definition}, nil
}

// register completes a tool and puts it into the catalogue.
func (s *Server) register(t *tool, in, out json.RawMessage, fields, answers []validate.Field, warnings []string) error {
	t.definition.InputSchema = in
	var err error
	if t.headers, err = paramHeaders(in); err != nil {
		return err
	}
	t.definition.OutputSchema = nil // a nil RawMessage in an any is not nil
	if out != nil {
		t.definition.OutputSchema = out
		t.listsOut = true
	}
	if err := listable(t.definition, &t.definition.Meta); err != nil {
		return err
	}
	t.legacy = t.definition
	if !t.objects {
		old := *t.definition
		old.OutputSchema = nil
		t.legacy = &old
	}
	if t.rules, err = rulesOf(fields, ""); err != nil {
		return err
	}
	if t.answers, err = rulesOf(answers, ""); err != nil {
		return fmt.Errorf("its answer: %w", err)
	}
	if err := put(&s.catalogue.mu, &s.catalogue.tools, t.name, t); err != nil {
		return err
	}
	if len(warnings) > 0 {
		s.log.Warn("a tool takes more than it may need to", "tool", t.name, "warnings", warnings)
	}
	s.toolsChanged()
	if t.live != nil {
		s.lookout.offer(s)
	}
	return nil
}

// rulesOf is how arguments are recorded: as their audit tags say, else clear where their
// vocabulary is closed, else member by member, else keyed.
func rulesOf(fields []validate.Field, path string) (rules audit.Rules, err error) {
	for _, f := range fields {
		r := audit.FieldRule{Name: f.Name}
		switch {
		case f.Audit != "":
			if r.Rule, err = audit.ParseRule(f.Audit); err != nil {
				return nil, fmt.Errorf("the audit tag of %s%s: %w", path, f.Name, err)
			}
		case f.Closed:
			r.Rule = audit.RuleClosed
		default:
			if r.Within, err = rulesOf(f.Within, path+f.Name+"."); err != nil {
				return nil, err
			}
		}
		rules = append(rules, r)
	}
	return rules, nil
}

// schemaOf returns an author's schema as raw JSON, nil when there is none.
func schemaOf(schema any) (json.RawMessage, error) {
	if schema == nil {
		return nil, nil
	}
	if text, ok := schema.([]byte); ok { // which would marshal as base64
		schema = json.RawMessage(text)
	}
	raw, err := json.Marshal(schema)
	if err != nil {
		return nil, fmt.Errorf("it does not marshal: %w", err)
	}
	if string(raw) == "null" {
		return nil, nil
	}
	return raw, nil
}
