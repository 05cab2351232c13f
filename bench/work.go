package main

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/limit"
	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/validate"
)

// searchArgs is the work that both sides do: a tool of eight fields.
type searchArgs struct {
	Query   string   `json:"query"             validate:"required,min=1,max=200"`
	Kind    string   `json:"kind"              validate:"required,oneof=memo letter report minutes"`
	Limit   int      `json:"limit,omitempty"   validate:"omitempty,min=1,max=100"`
	Page    int      `json:"page,omitempty"    validate:"omitempty,min=1,max=1000"`
	Score   float64  `json:"score,omitempty"   validate:"omitempty,min=0,max=1"`
	Strict  bool     `json:"strict,omitempty"`
	Tags    []string `json:"tags,omitempty"    validate:"omitempty,max=5,dive,min=1,max=20"`
	Country string   `json:"country,omitempty" validate:"omitempty,len=2"`
}

type searchHits struct {
	Total int      `json:"total"`
	IDs   []string `json:"ids"`
	Next  int      `json:"next"`
}

const arguments = `{"query":"minutes of the spring meeting","kind":"minutes","limit":20,"page":3,"score":0.75,"strict":true,"tags":["budget","library"],"country":"FR"}`

func find(in *searchArgs) searchHits {
	return searchHits{Total: len(in.Query), IDs: []string{"d1", "d2", in.Country}, Next: in.Page + 1}
}

func search(_ context.Context, _ *mcp.CallToolRequest, in searchArgs) (*mcp.CallToolResult, searchHits, error) {
	return nil, find(&in), nil
}

// searchRaw checks nothing and does the least.
func searchRaw(_ context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	var in searchArgs
	if err := json.Unmarshal(req.Params.Arguments, &in); err != nil {
		return nil, err
	}
	raw, err := json.Marshal(find(&in))
	if err != nil {
		return nil, err
	}
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: string(raw)}}, StructuredContent: json.RawMessage(raw)}, nil
}

var impl = &mcp.Implementation{Name: "bench", Version: "v1"}

// discard is an audit log that keeps nothing, so that what is measured is the
// library and not a disk.
type discard struct{}

func (discard) Record(context.Context, *audit.Event) error { return nil }

// guarded is the tool behind every guard.
func guarded(trail audit.Recorder) (*safetool.Server, error) {
	s, err := safetool.NewServer(impl, &safetool.Options{Audit: trail, Limits: limit.Limits{
		CallerRate: limit.Rate{Count: 1 << 30, Per: time.Hour}, // counted, and never exceeded
	}})
	if err != nil {
		return nil, err
	}
	safetool.AddTool(s, &mcp.Tool{Name: "search"}, safetool.Policy{Risk: safetool.ReadOnly, AnyCaller: true}, search)
	return s, nil
}

// typed is the tool by mcp.AddTool, with the same constraints in its schema.
func typed() (*mcp.Server, error) {
	args, err := validate.For[searchArgs](nil)
	if err != nil {
		return nil, err
	}
	s := mcp.NewServer(impl, nil)
	mcp.AddTool(s, &mcp.Tool{Name: "search", InputSchema: args.Schema()}, search)
	return s, nil
}

// raw is the tool without any checks.
func raw() (*mcp.Server, error) {
	s := mcp.NewServer(impl, nil)
	s.AddTool(&mcp.Tool{Name: "search", InputSchema: json.RawMessage(`{"type":"object"}`)}, searchRaw)
	return s, nil
}

// answered says whether a result is the one that the work has.
func answered(res *mcp.CallToolResult) error {
	if res.IsError || len(res.Content) != 1 || res.StructuredContent == nil {
		return errors.New("the tool did not answer as it should")
	}
	return nil
}
