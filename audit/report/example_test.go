package report_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/audit/report"
)

func Example() {
	dir, err := os.MkdirTemp("", "audit")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	trail, err := audit.Open(dir, nil)
	if err != nil {
		panic(err)
	}
	refusal := audit.Event{
		Phase: audit.PhaseRefused, MCP: audit.MCP{Tool: "get_weather"}, Caller: audit.Caller{Subject: "<b>anna</b>"},
		Decision: audit.Decision{Effect: audit.EffectDeny, By: "policy", Rule: "scopes"},
	}
	if err := trail.Record(ctx, &refusal); err != nil {
		panic(err)
	}
	if err := trail.Close(); err != nil {
		panic(err)
	}

	var page bytes.Buffer
	found, err := report.Write(ctx, &page, dir, nil)
	if err != nil {
		panic(err)
	}
	fmt.Println("wrong:", found.Bad != nil)
	fmt.Println("who called is text:", strings.Contains(page.String(), "&lt;b&gt;anna&lt;/b&gt;"))
	// Output:
	// wrong: false
	// who called is text: true
}
