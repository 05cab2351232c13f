package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/limit"
	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/validate"
)

// wrongArguments are the reference arguments, most of which breaks a rule.
const wrongArguments = `{"query":"","kind":"minute","limit":200,"page":0,"score":1.75,"strict":true,"tags":["budget",""],"country":"FRA"}`

// decoding is strict decoding with every check, n times; wrong says that the arguments are.
func decoding(raw string, wrong bool) func(context.Context) (*side, error) {
	return func(ctx context.Context) (*side, error) {
		args, err := validate.For[searchArgs](nil)
		if err != nil {
			return nil, err
		}
		return &side{do: func(n int) error {
			for range n {
				if _, err := args.Decode(ctx, json.RawMessage(raw)); (err != nil) != wrong {
					return fmt.Errorf("decoding said %w", err)
				}
			}
			return nil
		}, close: nothing}, nil
	}
}

// unmarshalling is encoding/json reading into the same type and checking nothing.
func unmarshalling(context.Context) (*side, error) {
	raw := []byte(arguments)
	return &side{do: func(n int) error {
		for range n {
			var in searchArgs
			if err := json.Unmarshal(raw, &in); err != nil {
				return err
			}
		}
		return nil
	}, close: nothing}, nil
}

// documents are arguments with every kind of value, in the shapes that could cost more
// than their bytes do.
type documents struct {
	Items   []entry          `json:"items,omitempty"   validate:"dive"`
	Names   map[string]int   `json:"names,omitempty"   validate:"dive,min=0"`
	Text    string           `json:"text,omitempty"    validate:"min=1"`
	Nests   []nest           `json:"nests,omitempty"   validate:"dive"`
	Kinds   []string         `json:"kinds,omitempty"   validate:"dive,oneof=memo letter report minutes"`
	Numbers []float64        `json:"numbers,omitempty" validate:"dive,min=-1000000,max=1000000"`
	Own     []map[string]any `json:"own,omitempty"`
}

type entry struct {
	ID    int      `json:"id"   validate:"min=1"`
	Name  string   `json:"name" validate:"min=1,max=40"`
	Tags  []string `json:"tags" validate:"max=8,dive,min=1,max=20"`
	OK    bool     `json:"ok"`
	Value float64  `json:"v"    validate:"min=0"`
}

// A nest contains itself.
type nest struct {
	Left  *nest  `json:"left,omitempty"`
	Right *nest  `json:"right,omitempty"`
	Name  string `json:"name" validate:"max=20"`
}

const (
	small  = 1 << 10
	medium = 16 << 10
	large  = 1 << 20
	huge   = 4 << 20
)

// shapes are documents of about a size, by what could cost more than its bytes.
var shapes = map[string]struct {
	wrong bool
	of    func(size int) string
}{
	// Values of all kinds, one after the other.
	"items": {of: func(size int) string {
		return `{"items":[` + list(`{"id":12345,"name":"some name","tags":["a","b"],"ok":true,"v":1.5}`, size) + `]}`
	}},
	// Objects in each other, and the same with a wrong value at the bottom of each.
	"deep":      {of: func(size int) string { return `{"nests":[` + list(tree(`"leaf"`, size), size) + `]}` }},
	"deepwrong": {true, func(size int) string { return `{"nests":[` + list(tree(`7`, size), size) + `]}` }},
	// An object with many members.
	"wide": {of: func(size int) string { return `{"names":` + members("name", size) + `}` }},
	// One long text.
	"long": {of: func(size int) string { return `{"text":"` + strings.Repeat("a text is long ", size/15) + `"}` }},
	// Many values that each are close to an allowed one.
	"nearmiss": {true, func(size int) string { return `{"kinds":[` + list(`"reports"`, size) + `]}` }},
	// Many members that there are not, all but spelt as one that there is.
	"unknown": {true, func(size int) string { return members("Items", size) }},
}

// tree is objects within each other: in a large document they go deeper than in a small one,
// and 4,000 levels at most.
func tree(name string, size int) string {
	var before, behind strings.Builder
	for range min(size/50, 4000) {
		before.WriteString(`{"name":"branch","left":`)
		behind.WriteString(`,"right":{"name":"twig"}}`)
	}
	return before.String() + `{"name":` + name + `}` + behind.String()
}

// members are an object of about a size.
func members(name string, size int) string {
	var b strings.Builder
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, `,"%s%d":%d`, name, i, i)
	}
	return "{" + b.String()[1:] + "}"
}

// list is one value again and again, about size bytes.
func list(one string, size int) string {
	return strings.TrimSuffix(strings.Repeat(one+",", max(size/(len(one)+1), 1)), ",")
}

// sized decodes documents of one shape and size until it has decoded as many bytes as the
// largest has.
func sized(shape string, size, whole int) func(context.Context) (*side, error) {
	return func(ctx context.Context) (*side, error) {
		args, err := validate.For[documents](nil)
		if err != nil {
			return nil, err
		}
		s := shapes[shape]
		raw := json.RawMessage(s.of(size))
		times := max(whole/len(raw), 1)
		return &side{calls: 1, do: func(n int) error {
			for range n * times {
				if _, err := args.Decode(ctx, raw); (err != nil) != s.wrong {
					return fmt.Errorf("%s of %d bytes: %w", shape, size, err)
				}
			}
			return nil
		}, close: nothing}, nil
	}
}

// flat compares the cost of a byte in large arguments with that in small ones.
func flat(shape string, size, against int) *comparison {
	return processor(fmt.Sprintf("decode/%s/%dKB", shape, size>>10), 1.5, sized(shape, size, size), sized(shape, against, size))
}

// registering registers 500 tools, each with the reference arguments, n times.
func registering(add func() error) func(context.Context) (*side, error) {
	return func(context.Context) (*side, error) {
		return &side{calls: 1, do: func(n int) error {
			for range n {
				if err := add(); err != nil {
					return err
				}
			}
			return nil
		}, close: nothing}, nil
	}
}

const toolsOfAServer = 500

func guardedTools() error {
	s, err := safetool.NewServer(impl, &safetool.Options{Audit: discard{}, Limits: limit.Limits{}})
	if err != nil {
		return err
	}
	for i := range toolsOfAServer {
		safetool.AddTool(s, &mcp.Tool{Name: fmt.Sprintf("search_%d", i)}, safetool.Policy{Risk: safetool.ReadOnly, AnyCaller: true}, search)
	}
	return nil
}

func plainTools() error {
	s := mcp.NewServer(impl, nil)
	for i := range toolsOfAServer {
		mcp.AddTool(s, &mcp.Tool{Name: fmt.Sprintf("search_%d", i)}, search)
	}
	return nil
}
