package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/safemcp/safemcp/audit"
)

// auditShow shows a log.
func auditShow(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("audit show", flag.ContinueOnError)
	follow := flags.Bool("follow", false, "wait for more events, until interrupted")
	asJSON := flags.Bool("json", false, "show the events as they are in the log")
	dir, err := parse(flags, args)
	if err != nil {
		return err
	}
	events := audit.Read(dir)
	if *follow {
		events = audit.Follow(ctx, dir)
	}
	if *asJSON {
		err = writeJSON(out, events)
	} else {
		err = audit.WriteTable(out, events, &audit.TableOptions{Header: true, Colour: terminal(out)})
	}
	if errors.Is(err, context.Canceled) { // how following ends
		return nil
	}
	return err
}

func writeJSON(out io.Writer, events iter.Seq2[*audit.Event, error]) error {
	for e, err := range events {
		if err != nil {
			return err
		}
		line, err := e.MarshalJSON() // as in the log; json.Marshal would escape < and >
		if err != nil {
			return fmt.Errorf("event %d: %w", e.Seq, err)
		}
		if _, err := out.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	return nil
}

// terminal says that colours may be used: out is a terminal, and nobody said
// otherwise (https://no-color.org).
func terminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
