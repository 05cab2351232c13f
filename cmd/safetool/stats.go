package main

import (
	"context"
	"encoding/json"
	"flag"
	"io"
	"time"

	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/audit/tally"
	"github.com/safemcp/safemcp/internal/visible"
)

// auditStats counts what is in a log.
func auditStats(ctx context.Context, args []string, out, errs io.Writer) error {
	flags := flag.NewFlagSet("audit stats", flag.ContinueOnError)
	asJSON := flags.Bool("json", false, "write the counts as JSON")
	filterOf := filterFlags(flags)
	dir, err := parse(flags, args)
	if err != nil {
		return err
	}
	filter, err := filterOf(time.Now(), dir)
	if err != nil {
		return err
	}
	counted, err := tally.Of(audit.Events(filter.Lines(linesOf(ctx, dir, false, errs))))
	if err != nil {
		return err
	}
	summary := counted.Summary()
	if !*asJSON {
		return summary.Fprint(out)
	}
	text, err := json.Marshal(summary)
	if err != nil {
		return err
	}
	_, err = out.Write(append(visible.AppendJSON(nil, text), '\n'))
	return err
}
