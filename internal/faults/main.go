package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:gocritic // nothing is left for stop to do
	}
}

func run(ctx context.Context) (err error) {
	most := flag.Duration("time", 3*time.Minute, "how long a target may take for a fault")
	parallel := flag.Int("parallel", 2, "how many processes fuzz at once")
	runs := flag.Int("runs", 1, "how often each fault is looked for")
	only := flag.String("run", "", "a regular expression of the names of faults to look for")
	flag.Parse()
	named, err := regexp.Compile(*only)
	if err != nil {
		return fmt.Errorf("-run: %w", err)
	}
	root, err := filepath.Abs(".")
	if err != nil {
		return fmt.Errorf("the module's root: %w", err)
	}
	all, err := faults(root)
	if err != nil {
		return fmt.Errorf("run this from the module's root: %w", err)
	}
	scratch, err := os.MkdirTemp("", "faults")
	if err != nil {
		return fmt.Errorf("a directory for the copy: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	h := &hunt{filepath.Join(scratch, "tree"), scratch, *most, *parallel}
	if err := copied(root, h.root); err != nil {
		return err
	}
	var wrong []error
	looked := 0
	for i := range all {
		f := &all[i]
		if !named.MatchString(f.Name) {
			continue
		}
		looked++
		err := h.find(ctx, f, *runs, func(found finding, err error) { report(f, found, err) })
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		wrong = append(wrong, err)
	}
	if looked == 0 {
		return errors.New("no fault has such a name")
	}
	return errors.Join(wrong...)
}

// report says one line of a fault, with what the target said.
func report(f *fault, found finding, err error) {
	after := fmt.Sprintf("%6.1f s", found.after.Seconds())
	switch {
	case err != nil:
		after += ", " + err.Error()
	case found.bySeeds:
		after = "by its seeds, without fuzzing"
	}
	fmt.Printf("%-15s %s: %s\n", f.Target, f.Name, after)
	if found.said != "" {
		fmt.Printf("%15s %.200s\n", "", found.said)
	}
}
