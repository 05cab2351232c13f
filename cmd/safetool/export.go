package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/safemcp/safemcp/audit/export"
	"github.com/safemcp/safemcp/internal/private"
)

// auditExport writes a log for other systems.
func auditExport(ctx context.Context, args []string, out, errs io.Writer) error {
	flags := flag.NewFlagSet("audit export", flag.ContinueOnError)
	name := flags.String("format", "", "ocsf, cloudevents or csv")
	path := flags.String("o", "", "the file to write, rather than standard output")
	filterOf := filterFlags(flags)
	dir, err := parse(flags, args)
	if err != nil {
		return err
	}
	if *name == "" {
		return fmt.Errorf("audit export takes --format and one of ocsf, cloudevents and csv: %w", errUsage)
	}
	format, err := export.ParseFormat(*name)
	if err != nil {
		return fmt.Errorf("audit export: %w: %w", err, errUsage)
	}
	filter, err := filterOf(time.Now(), dir)
	if err != nil {
		return err
	}
	lines := filter.Lines(linesOf(ctx, dir, *path == "" && isTerminal(out), errs))
	if *path == "" {
		return export.Write(out, lines, format)
	}
	if err := mayReplace(*path, dir); err != nil {
		return err
	}
	return private.Write(*path, os.Rename, func(w io.Writer) error { return export.Write(w, lines, format) })
}

// mayReplace refuses what a file that takes the place of path would destroy: the log
// itself, and what is no file of which there is a content.
func mayReplace(path, dir string) error {
	in, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return err
	}
	log, err := os.Stat(dir) //nolint:gosec // G703: whoever runs the command says where
	if err != nil {
		return err
	}
	if os.SameFile(in, log) {
		return fmt.Errorf("audit export: %s is in the directory of the log, where nothing else belongs: give another -o: %w", path, errUsage)
	}
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("audit export: %s is no regular file, and a file would take its place: leave -o out and redirect standard output to it: %w", path, errUsage)
	}
	return nil
}
