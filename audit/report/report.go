package report

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"path/filepath"
	"time"

	"github.com/safemcp/safemcp/audit"
)

// Options change what the page says. Nil is the zero value.
type Options struct {
	// Verify is what the log is held against.
	Verify audit.VerifyOptions
	// Title is the heading; without one it is "Audit report".
	Title string
	// Made is when the page was made, by its own words; without it that is now.
	Made time.Time
	// Progress is told now and then how many events have been read, where it is given.
	// It is called from the goroutine of Write and holds it up.
	Progress func(events int)
}

// Write verifies the log in dir, reads it, and writes the page to w. A log that is
// wrong has a page too, which says so before anything else; the report that is returned
// is what audit.Verify found. The error says that the log could not be read, that the
// options make no sense, that ctx ended or that w failed; nothing is written to w until
// all of the log has been read. It may run beside the log's writer: the page shows the
// events that were verified and none that came later.
func Write(ctx context.Context, w io.Writer, dir string, o *Options) (audit.Report, error) {
	var options Options
	if o != nil {
		options = *o
	}
	if options.Made.IsZero() {
		options.Made = time.Now()
	}
	if options.Title == "" {
		options.Title = "Audit report"
	}
	found, err := audit.Verify(dir, &options.Verify)
	if err != nil {
		return found, err
	}
	f, err := read(ctx, audit.Read(dir), found, options.Progress)
	if err != nil {
		return found, err
	}
	p := newPage(f, found, &options)
	if whole, err := filepath.Abs(dir); err == nil {
		dir = whole
	}
	p.Directory = visible(dir, 200)
	if err := p.write(w); err != nil {
		return found, fmt.Errorf("audit/report: writing the page: %w", err)
	}
	return found, nil
}

// progressEvery is how many events are read in some tenths of a second.
const progressEvery = 20_000

// read takes the figures of the events that were verified. Where the log is wrong it
// goes on as far as there is something to read: those who look into it want to see the
// rest as well, and are told that nothing vouches for it.
func read(ctx context.Context, events iter.Seq2[*audit.Event, error], found audit.Report, progress func(int)) (*figures, error) {
	f := newFigures()
	for e, err := range events {
		switch {
		case err != nil && found.Bad != nil:
			f.ended = err.Error()
			return f, nil
		case err != nil:
			return nil, err
		case ctx.Err() != nil:
			return nil, fmt.Errorf("audit/report: %w", context.Cause(ctx))
		case f.events == found.Events && found.Bad == nil: // it was written after the verification
			return f, nil
		}
		f.add(e, f.events < found.Events)
		if progress != nil && f.events%progressEvery == 0 {
			progress(f.events)
		}
	}
	if f.events < found.Events {
		return nil, errors.New("audit/report: events that were verified were gone when they were read: somebody removes from the log while the report is made; try again")
	}
	return f, nil
}
