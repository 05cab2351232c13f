package safetool

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/limit"
)

// A ToolCard is what a reviewer has to know of one thing that a server offers.
type ToolCard struct {
	Kind    string // "tool", "resource", "resource template" or "prompt"
	Name    string
	Risk    Risk
	Callers string // who may use it, in words
	// Approval says whether a person is asked: "none" or "each call".
	Approval string
	// Credentials are "name from binding", sorted by name.
	Credentials []string
	// Leaks says what becomes of an answer that holds a secret.
	Leaks  Leaks
	Limits limit.Limits
	// Audit says how much of each call is recorded, and Buffered that a call goes on before
	// it is on disk.
	Audit    audit.Level
	Buffered bool
}

// Describe returns a card for everything that the server offers, tools first,
// each kind in the order of names: the table that security signs in a review. The
// order is stable, so that it can be compared with a file in a test.
func (s *Server) Describe() []ToolCard {
	c := &s.catalogue
	var cards []ToolCard
	for _, t := range sorted(&c.mu, &c.tools, "") {
		cards = append(cards, t.card())
	}
	for _, r := range sorted(&c.mu, &c.resources, "") {
		cards = append(cards, r.card())
	}
	for _, r := range sorted(&c.mu, &c.templates, "") {
		cards = append(cards, r.card())
	}
	for _, p := range sorted(&c.mu, &c.prompts, "") {
		cards = append(cards, p.card())
	}
	return cards
}

func (f *feature) card() ToolCard {
	p := &f.policy
	card := ToolCard{Kind: f.kind, Name: f.name, Risk: p.Risk, Callers: p.callers(), Approval: "none", Leaks: p.Leaks, Limits: f.limits, Audit: p.Audit, Buffered: p.Buffered}
	if p.Risk == HighRisk {
		card.Approval = "each call"
	}
	for _, name := range slices.Sorted(maps.Keys(p.Secrets)) {
		card.Credentials = append(card.Credentials, name+" from "+p.Secrets[name].String())
	}
	return card
}

// callers says who may call, in words.
func (p *Policy) callers() string {
	var parts []string
	if len(p.Roles) > 0 {
		parts = append(parts, "role "+strings.Join(p.Roles, " or "))
	}
	if len(p.Scopes) > 0 {
		parts = append(parts, "scope "+strings.Join(p.Scopes, " and "))
	}
	if parts == nil {
		return "any caller"
	}
	return strings.Join(parts, ", with ")
}

// WriteCards writes cards as an aligned table.
func WriteCards(w io.Writer, cards []ToolCard) error {
	table := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "KIND\tNAME\tRISK\tCALLERS\tAPPROVAL\tCREDENTIALS\tLEAKS\tRECORDED\tTIMEOUT\tARGUMENTS\tANSWER\tAT ONCE")
	for _, c := range cards {
		credentials := strings.Join(c.Credentials, ", ")
		if credentials == "" {
			credentials = "none"
		}
		recorded := c.Audit.String()
		if c.Buffered {
			recorded += ", buffered"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\n", c.Kind, c.Name, c.Risk, c.Callers, c.Approval, credentials, c.Leaks, recorded,
			c.Limits.Timeout.Round(time.Millisecond), size(c.Limits.ArgumentBytes), size(c.Limits.ResultBytes), c.Limits.Concurrency)
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("safetool: writing the table: %w", err)
	}
	return nil
}

func size(n int) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d B", n)
}
