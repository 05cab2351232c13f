package safetool

import (
	"context"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/audit"
)

// list answers the list methods from the catalogue: what this caller may know of,
// page by page. A cursor is sealed, since the SDK's own names the last thing of
// the page, which may be hidden from whoever reads it next.
func (f *flight) list(ctx context.Context, req mcp.Request) (mcp.Result, error) {
	c := &f.server.catalogue
	switch r := req.(type) {
	case *mcp.ListToolsRequest:
		res := &mcp.ListToolsResult{Tools: []*mcp.Tool{}}
		err := page(ctx, f, cursorOf(r.Params), &res.NextCursor, func(above string) []*tool { return sorted(&c.mu, &c.tools, above) },
			func(t *tool) *feature { return &t.feature },
			func(t *tool) { res.Tools = append(res.Tools, t.now(ctx, f)) })
		f.cacheable(ctx, r, &res.Cacheable)
		return answered(res, err)
	case *mcp.ListPromptsRequest:
		res := &mcp.ListPromptsResult{Prompts: []*mcp.Prompt{}}
		err := page(ctx, f, cursorOf(r.Params), &res.NextCursor, func(above string) []*prompt { return sorted(&c.mu, &c.prompts, above) },
			func(p *prompt) *feature { return &p.feature },
			func(p *prompt) { res.Prompts = append(res.Prompts, p.definition) })
		f.cacheable(ctx, r, &res.Cacheable)
		return answered(res, err)
	case *mcp.ListResourcesRequest:
		res := &mcp.ListResourcesResult{Resources: []*mcp.Resource{}}
		err := page(ctx, f, cursorOf(r.Params), &res.NextCursor, func(above string) []*resource { return sorted(&c.mu, &c.resources, above) },
			func(r *resource) *feature { return &r.feature },
			func(r *resource) { res.Resources = append(res.Resources, r.definition) })
		f.cacheable(ctx, r, &res.Cacheable)
		return answered(res, err)
	case *mcp.ListResourceTemplatesRequest:
		res := &mcp.ListResourceTemplatesResult{ResourceTemplates: []*mcp.ResourceTemplate{}}
		err := page(ctx, f, cursorOf(r.Params), &res.NextCursor, func(above string) []*resource { return sorted(&c.mu, &c.templates, above) },
			func(r *resource) *feature { return &r.feature },
			func(r *resource) { res.ResourceTemplates = append(res.ResourceTemplates, r.template) })
		f.cacheable(ctx, r, &res.Cacheable)
		return answered(res, err)
	}
	return nil, &turnedAway{f.turnAway(ctx, notFound("list"), audit.Args{})}
}

// answered returns either a result or an error, as the SDK demands.
func answered(res mcp.Result, err error) (mcp.Result, error) {
	if err != nil {
		return nil, err
	}
	return res, nil
}

// page adds the visible among all, up to the page's size, and sets next when
// there are more.
func page[T any](ctx context.Context, f *flight, cursor string, next *string, all func(above string) []T, of func(T) *feature, add func(T)) error {
	above, ok := f.openCursor(cursor)
	if !ok {
		return &turnedAway{f.turnAway(ctx, refuse("admit", "cursor", Problem{
			Code: CodeInvalidArguments, Category: CategoryCaller,
			Message: "The cursor is not one that this server issued.",
			Hint:    "List again from the start, without a cursor.",
		}), audit.Args{})}
	}
	count, last := 0, ""
	for _, item := range all(above) {
		feature := of(item)
		if !f.sees(feature) {
			continue
		}
		if count++; count > f.server.pageSize {
			*next = f.server.cursors.seal([]byte(f.method + "\x00" + last))
			return nil
		}
		last = feature.name
		add(item)
	}
	return nil
}

func (f *flight) openCursor(cursor string) (above string, ok bool) {
	if cursor == "" {
		return "", true
	}
	plain, err := f.server.cursors.open(cursor)
	if err != nil {
		return "", false
	}
	method, above, _ := strings.Cut(string(plain), "\x00")
	return above, method == f.method
}

func cursorOf(params any) string {
	switch p := params.(type) {
	case *mcp.ListToolsParams:
		if p != nil {
			return p.Cursor
		}
	case *mcp.ListPromptsParams:
		if p != nil {
			return p.Cursor
		}
	case *mcp.ListResourcesParams:
		if p != nil {
			return p.Cursor
		}
	case *mcp.ListResourceTemplatesParams:
		if p != nil {
			return p.Cursor
		}
	}
	return ""
}

// cacheable lets the program choose how long a list may be kept, but not by whom:
// it was made for this caller.
func (f *flight) cacheable(ctx context.Context, req mcp.Request, c *mcp.Cacheable) {
	if o := f.server.options.SDK; o != nil && o.SetCacheable != nil {
		o.SetCacheable(ctx, req, c)
	}
	c.CacheScope = "private"
}
