package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/audit/report"
	"github.com/safemcp/safemcp/internal/private"
)

// auditReport writes a page about a log.
func auditReport(ctx context.Context, args []string, out, errs io.Writer) error {
	flags := flag.NewFlagSet("audit report", flag.ContinueOnError)
	path := flags.String("o", "", "the file of the page, or - for standard output")
	title := flags.String("title", "", "the heading of the page")
	against := againstFlags(flags)
	dir, err := parse(flags, args)
	if err != nil {
		return err
	}
	if *path == "" {
		return fmt.Errorf("audit report takes -o FILE for the page, or -o - for standard output: %w", errUsage)
	}
	options := report.Options{Title: *title}
	if options.Verify, err = against(); err != nil {
		return err
	}
	to := "standard output"
	if *path != "-" {
		if to, err = pagePath(*path, dir); err != nil { // before the long work
			return err
		}
	}
	if isTerminal(errs) {
		options.Progress = func(events int) { fmt.Fprintf(errs, "\r%d events read", events) }
	}
	page, found, err := pageOf(ctx, dir, &options)
	if options.Progress != nil {
		fmt.Fprint(errs, "\r\x1b[K") // the line of the progress is taken away
	}
	if err != nil {
		return err
	}
	if *path == "-" {
		_, err = out.Write(page)
	} else {
		err = private.Put(to, page, os.Rename)
	}
	if err != nil {
		return err
	}
	if found.Bad != nil {
		fmt.Fprintf(errs, "WRONG  %s\n       The page says so: %s\n", found.Bad, to)
		return errWrong
	}
	fmt.Fprintf(errs, "The report is in %s\n", to)
	return nil
}

// pageOf makes the page. Verification does not end with ctx, so it is left alone where
// somebody interrupts it: nothing has been written by then.
func pageOf(ctx context.Context, dir string, o *report.Options) ([]byte, audit.Report, error) {
	type made struct {
		page  bytes.Buffer
		found audit.Report
		err   error
	}
	done := make(chan *made, 1)
	go func() {
		m := new(made)
		m.found, m.err = report.Write(ctx, &m.page, dir, o)
		done <- m
	}()
	select {
	case m := <-done:
		return m.page.Bytes(), m.found, m.err
	case <-ctx.Done():
		return nil, audit.Report{}, fmt.Errorf("interrupted, nothing was written: %w", context.Cause(ctx))
	}
}

// pagePath is where the page is put. A file that is there is replaced, as other
// programs do with -o, but nothing else is, and nothing beside the log: a page in the
// place of a segment would be the end of it.
func pagePath(path, dir string) (string, error) {
	path, err := private.Resolve(path)
	if err != nil {
		return "", err
	}
	switch info, err := os.Stat(path); {
	case err == nil && !info.Mode().IsRegular():
		return "", fmt.Errorf("%s is no regular file: give another path, or -o - for standard output", path)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", err
	}
	log, err := os.Stat(dir) //nolint:gosec // whoever runs the command names the directory
	if err != nil {
		return "", err
	}
	for at := filepath.Dir(path); ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		if err != nil {
			return "", err
		}
		if os.SameFile(info, log) {
			return "", fmt.Errorf("%s lies in the directory of the log, where nothing else belongs: give another path", path)
		}
		if at == filepath.Dir(at) {
			return path, nil
		}
	}
}
