package safetool

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/yosida95/uritemplate/v3"

	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/limit"
)

// The SDK's server holds one tool, one prompt and one resource, ours, behind
// which the catalogue lists and dispatches. So no name that a caller may not
// know is in the SDK's cursors, header checks or error texts, and nothing that is
// added to the SDK's server can take the place of something guarded.
const (
	innerTool     = "safemcp"
	innerPrompt   = "safemcp"
	innerResource = "safemcp:inner"
)

// A feature is one thing that a server offers, with what guards it.
type feature struct {
	kind   string // "tool", "resource", "resource template" or "prompt"
	name   string // a resource's URI, a template's URI template
	policy Policy
	limits limit.Limits
	rules  audit.Rules

	running *limit.Gauge   // its calls
	rates   *limit.Buckets // by principal
}

type resource struct {
	feature
	definition *mcp.Resource         // nil for a template
	template   *mcp.ResourceTemplate // nil for a resource
	matches    *regexp.Regexp
	handler    mcp.ResourceHandler
	mimeType   string
}

type prompt struct {
	feature
	definition *mcp.Prompt
	handler    mcp.PromptHandler
}

// A catalogue holds what the server offers. It is safe for concurrent use.
type catalogue struct {
	mu        sync.RWMutex
	tools     map[string]*tool
	prompts   map[string]*prompt
	resources map[string]*resource
	templates map[string]*resource
}

func put[V any](mu *sync.RWMutex, m *map[string]V, name string, v V) error {
	mu.Lock()
	defer mu.Unlock()
	if _, taken := (*m)[name]; taken {
		return fmt.Errorf("it is registered already, and what is guarded is not replaced")
	}
	if *m == nil {
		*m = make(map[string]V)
	}
	(*m)[name] = v
	return nil
}

func (c *catalogue) tool(name string) *tool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.tools[name]
}

func (c *catalogue) prompt(name string) *prompt {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.prompts[name]
}

// resource finds what serves a URI: a resource of that URI, else the first
// matching template in the order of their texts.
func (c *catalogue) resource(uri string) *resource {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if r := c.resources[uri]; r != nil {
		return r
	}
	for _, name := range slices.Sorted(maps.Keys(c.templates)) {
		if r := c.templates[name]; r.matches.MatchString(uri) {
			return r
		}
	}
	return nil
}

// sorted returns what m holds above name, in order.
func sorted[V any](mu *sync.RWMutex, m *map[string]V, above string) []V {
	mu.RLock()
	defer mu.RUnlock()
	names := slices.Sorted(maps.Keys(*m))
	from, found := slices.BinarySearch(names, above)
	if found {
		from++
	}
	all := make([]V, 0, len(names)-from)
	for _, name := range names[from:] {
		all = append(all, (*m)[name])
	}
	return all
}

// newFeature checks what every registration has in common.
func (s *Server) newFeature(kind, name string, p Policy) (feature, error) {
	if err := p.check(s.options.Secrets); err != nil {
		return feature{}, err
	}
	if kind != "tool" && p.Risk != ReadOnly {
		return feature{}, fmt.Errorf("a %s is read: its Risk must be ReadOnly; what changes the world is a tool", kind)
	}
	return feature{kind: kind, name: name, running: new(limit.Gauge), rates: new(limit.Buckets), policy: p.clone(), limits: p.Limits.Or(s.limits)}, nil
}

func (s *Server) addResource(r *mcp.Resource, p Policy, h mcp.ResourceHandler) error {
	if r == nil || h == nil {
		return fmt.Errorf("it needs a resource and a handler")
	}
	if i := strings.IndexByte(r.URI, ':'); i < 1 {
		return fmt.Errorf("its URI has no scheme")
	}
	f, err := s.newFeature("resource", r.URI, p)
	if err != nil {
		return err
	}
	definition := *r
	if err := listable(&definition, &definition.Meta); err != nil {
		return err
	}
	f.rules = audit.Rules{{Name: "uri", Rule: audit.RuleClear}} // declared, so not the caller's words
	err = put(&s.catalogue.mu, &s.catalogue.resources, r.URI,
		&resource{feature: f, definition: &definition, handler: h, mimeType: r.MIMEType})
	if err != nil {
		return err
	}
	s.sdk.AddResource(&mcp.Resource{URI: innerResource, Name: innerResource}, s.serveResource)
	return nil
}

func (s *Server) addTemplate(t *mcp.ResourceTemplate, p Policy, h mcp.ResourceHandler) error {
	if t == nil || h == nil {
		return fmt.Errorf("it needs a template and a handler")
	}
	tmpl, err := uritemplate.New(t.URITemplate)
	if err != nil {
		return fmt.Errorf("its URI template is invalid: %w", err)
	}
	f, err := s.newFeature("resource template", t.URITemplate, p)
	if err != nil {
		return err
	}
	definition := *t
	if err := listable(&definition, &definition.Meta); err != nil {
		return err
	}
	f.rules = audit.Rules{{Name: "uri", Rule: audit.RuleHMAC}}
	err = put(&s.catalogue.mu, &s.catalogue.templates, t.URITemplate,
		&resource{feature: f, template: &definition, matches: tmpl.Regexp(), handler: h, mimeType: t.MIMEType})
	if err != nil {
		return err
	}
	s.sdk.AddResource(&mcp.Resource{URI: innerResource, Name: innerResource}, s.serveResource)
	return nil
}

func (s *Server) addPrompt(p *mcp.Prompt, policy Policy, h mcp.PromptHandler) error {
	if p == nil || p.Name == "" || h == nil {
		return fmt.Errorf("it needs a prompt with a name and a handler")
	}
	f, err := s.newFeature("prompt", p.Name, policy)
	if err != nil {
		return err
	}
	for _, a := range p.Arguments {
		f.rules = append(f.rules, audit.FieldRule{Name: a.Name, Rule: audit.RuleHMAC})
	}
	definition := *p
	if err := listable(&definition, &definition.Meta); err != nil {
		return err
	}
	if err := put(&s.catalogue.mu, &s.catalogue.prompts, p.Name, &prompt{f, &definition, h}); err != nil {
		return err
	}
	s.sdk.AddPrompt(&mcp.Prompt{Name: innerPrompt}, s.servePrompt)
	return nil
}

// AddResource adds a resource that the policy guards, which must be ReadOnly. It
// panics on a wiring mistake, as AddTool does.
func AddResource(s *Server, r *mcp.Resource, p Policy, h mcp.ResourceHandler) {
	if err := s.addResource(r, p, h); err != nil {
		panic(fmt.Errorf("safetool.AddResource %s: %w", nameOf(r, func() string { return r.URI }), err))
	}
}

// AddResourceTemplate adds a resource template that the policy guards, which must
// be ReadOnly. Where several templates match a URI, the first in the order of
// their texts serves it. It panics on a wiring mistake, as AddTool does.
func AddResourceTemplate(s *Server, t *mcp.ResourceTemplate, p Policy, h mcp.ResourceHandler) {
	if err := s.addTemplate(t, p, h); err != nil {
		panic(fmt.Errorf("safetool.AddResourceTemplate %s: %w", nameOf(t, func() string { return t.URITemplate }), err))
	}
}

// AddPrompt adds a prompt that the policy guards, which must be ReadOnly. It
// panics on a wiring mistake, as AddTool does.
func AddPrompt(s *Server, p *mcp.Prompt, policy Policy, h mcp.PromptHandler) {
	if err := s.addPrompt(p, policy, h); err != nil {
		panic(fmt.Errorf("safetool.AddPrompt %s: %w", nameOf(p, func() string { return p.Name }), err))
	}
}

// listable makes a definition fit to be listed: the SDK encodes it after all
// middleware, where a MarshalJSON that panics ends the process and a NaN is never
// answered. Its _meta, which holds anything, is encoded here, once.
func listable[T any](definition *T, meta *mcp.Meta) error {
	_, err := shielded(func() (json.RawMessage, error) {
		if *meta != nil {
			encoded := make(mcp.Meta, len(*meta))
			for key, value := range *meta {
				raw, err := encodeAny(value)
				if err != nil {
					return nil, err
				}
				encoded[key] = raw
			}
			*meta = encoded
		}
		return encodeAny(definition)
	})
	if err != nil {
		return fmt.Errorf("it cannot be listed: %w", err)
	}
	return nil
}

func nameOf[T any](definition *T, name func() string) string {
	if definition == nil {
		return "(nil)"
	}
	return fmt.Sprintf("%q", name())
}

// innerSchema lets everything through to our own handler, which decodes.
var innerSchema = json.RawMessage(`{"type":"object"}`)
