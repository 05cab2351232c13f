package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/safemcp/safemcp/audit"
)

// auditTrail shows the log of the run, verifies it, and verifies it again with one
// byte changed.
func (g *guide) auditTrail() error {
	g.section("The audit trail of this run")
	if err := audit.WriteTable(g.page.W, audit.Read(g.trail), &audit.TableOptions{Header: true, Colour: g.page.Colour}); err != nil {
		return err
	}
	g.page.Sayf("\nAn intent is on disk before its handler runs, an outcome before its answer leaves. Choices from a list are readable, ‹n› is the length of something typed, which is kept as a keyed hash.")

	g.section("Is the log as it was written?")
	report, err := audit.Verify(g.trail, nil)
	if err != nil {
		return err
	}
	if err := g.report(report); err != nil {
		return err
	}
	if report.Bad != nil || report.Unfinished > 0 {
		return errors.New("the log of the run does not verify")
	}

	g.section("And after one byte of it is changed?")
	from, to, err := g.changeOneByte()
	if err != nil {
		return err
	}
	g.page.Sayf("Somebody edits the log: %s becomes %s.\n\n", from, to)
	report, err = audit.Verify(g.trail, nil)
	if err != nil {
		return err
	}
	if err := g.report(report); err != nil {
		return err
	}
	if report.Bad == nil {
		return errors.New("the changed log verifies")
	}
	g.page.Sayf("\nThat was the tour. The server that you saw is in examples/quickstart: copy it.\n")
	return nil
}

func (g *guide) report(r audit.Report) error {
	var text bytes.Buffer
	if err := r.Fprint(&text); err != nil {
		return err
	}
	for line := range strings.Lines(text.String()) {
		code := "2"
		switch {
		case strings.HasPrefix(line, "OK"):
			code = "32"
		case strings.HasPrefix(line, "WRONG"):
			code = "31"
		}
		head, rest, _ := strings.Cut(strings.TrimRight(line, "\n"), " ")
		g.page.Labelled(head, code, strings.TrimSpace(rest))
	}
	return nil
}

// changeOneByte makes the refused call one that was permitted.
func (g *guide) changeOneByte() (from, to string, err error) {
	segments, err := filepath.Glob(filepath.Join(g.trail, "*.jsonl"))
	if err != nil || len(segments) == 0 {
		return "", "", fmt.Errorf("there is no segment in %s: %w", g.trail, err)
	}
	content, err := os.ReadFile(segments[0])
	if err != nil {
		return "", "", err
	}
	from, to = `"city":{"clear":"Paris"}`, `"city":{"clear":"Parks"}`
	changed := bytes.Replace(content, []byte(from), []byte(to), 1)
	if bytes.Equal(changed, content) {
		return "", "", fmt.Errorf("the log does not hold %s", from)
	}
	return from, to, os.WriteFile(segments[0], changed, 0o600)
}
