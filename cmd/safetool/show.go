package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/internal/visible"
)

// auditShow shows a log.
func auditShow(ctx context.Context, args []string, out, errs io.Writer) error {
	flags := flag.NewFlagSet("audit show", flag.ContinueOnError)
	follow := flags.Bool("follow", false, "wait for more events, until interrupted")
	asJSON := flags.Bool("json", false, "show the lines as they are in the log")
	filterOf := filterFlags(flags)
	dir, err := parse(flags, args)
	if err != nil {
		return err
	}
	filter, err := filterOf(time.Now(), dir)
	if err != nil {
		return err
	}
	if *follow && !filter.Until.IsZero() {
		return fmt.Errorf("audit show: --follow waits for what comes, and --until leaves it out: give one of them: %w", errUsage)
	}
	interactive := isTerminal(out)
	show := func(w io.Writer, lines iter.Seq2[audit.Line, error]) error {
		if *asJSON {
			return writeLines(w, lines, interactive)
		}
		return audit.WriteTable(w, audit.Events(lines), &audit.TableOptions{Header: true, Colour: coloured(out)})
	}
	if *follow {
		err := show(out, filter.Lines(audit.FollowLines(ctx, dir)))
		if errors.Is(err, context.Canceled) { // how following ends
			return nil
		}
		return err
	}
	return buffered(out, func(w io.Writer) error {
		return show(w, filter.Lines(linesOf(ctx, dir, interactive, errs)))
	})
}

// buffered hands write a writer that passes large pieces on to out. What it took before
// an error is passed on too.
func buffered(out io.Writer, write func(w io.Writer) error) error {
	b := bufio.NewWriterSize(out, 64<<10)
	err := write(b)
	if ferr := b.Flush(); err == nil {
		err = ferr
	}
	return err
}

// writeLines writes lines byte for byte. At a terminal, where somebody else's characters
// could move the cursor, those that are not seen are escaped, which is the same JSON.
func writeLines(out io.Writer, lines iter.Seq2[audit.Line, error], interactive bool) error {
	var line []byte
	for l, err := range lines {
		if err != nil {
			return err
		}
		if line = append(line[:0], l.Raw...); interactive {
			line = visible.AppendJSON(line[:0], l.Raw)
		}
		if _, err := out.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	return nil
}
