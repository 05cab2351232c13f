package report

import (
	"fmt"
	"strings"
	"testing"

	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/audit/tally"
)

// A caller of whom there is much to see is there at the end, however many names others
// make up before, between and after; and nothing that was counted is lost.
func TestAFloodOfNamesDrivesOutNobodyWhoMatters(t *testing.T) {
	t.Parallel()
	const most, rounds = 50, 40_000
	tal := newRanking(most)
	var given uint64
	add := func(n string, c tally.Class) {
		given++
		tal.add(name{text: n}, c)
	}
	for i := range 5000 {
		add(fmt.Sprintf("early-%d", i), tally.Refused)
	}
	for i := range rounds {
		add(fmt.Sprintf("made-up-%d", i), tally.Refused)
		if i%10 == 0 {
			add("steady", tally.Answered)
		}
	}
	lines := tal.by(all)
	if len(lines) > most || len(tal.byName) > most || len(tal.byName) != len(lines) {
		t.Fatalf("%d lines, %d names", len(lines), len(tal.byName))
	}
	sum := tal.others.All()
	for _, l := range lines {
		sum += l.counts.All()
	}
	if sum != given {
		t.Errorf("%d were counted and %d are left", given, sum)
	}
	if l := lines[0]; l.name.text != "steady" || l.counts[tally.Answered] < rounds/10-100 || !l.late || !strings.HasPrefix(atLeast(l), "≥ ") {
		t.Errorf("%+v leads with %s", l.name, atLeast(l))
	}
}

func TestATallyIsExactWhileItHasRoom(t *testing.T) {
	t.Parallel()
	tal := newRanking(3)
	for i := range 60 {
		tal.add(name{text: "abc"[i%3 : i%3+1], of: "x"}, tally.Class(i%2))
	}
	tal.add(name{text: "a", of: "y"}, tally.Refused)
	if tal.others.All() != 20 {
		t.Errorf("others are %v", tal.others)
	}
	for _, l := range tal.by(all)[:2] {
		if l.counts.All() != 20 || l.late || atLeast(l) != "20" {
			t.Errorf("%v: %v", l.name, l.counts)
		}
	}
}

// Whatever is in a log, what is kept of it is bounded.
func TestFiguresDoNotGrowWithTheirLog(t *testing.T) {
	t.Parallel()
	f := newFigures()
	for i := range 30_000 {
		n := fmt.Sprintf("%d-%s", i, strings.Repeat("n", 300))
		for _, p := range []audit.Phase{audit.PhaseRefused, audit.PhaseOutcome, audit.PhaseNotice} {
			f.add(&audit.Event{
				Phase: p, Time: monday2.AddDate(i%9000-2000, 0, i), Duration: 1 << (i % 60), Server: audit.Server{Name: n},
				Caller: audit.Caller{Subject: fmt.Sprint(i % 1000), Issuer: n}, MCP: audit.MCP{Tool: n}, Outcome: audit.Outcome{Status: audit.Status(n)},
				Decision: audit.Decision{By: n, Rule: n, Reason: n, Effect: audit.EffectObserve},
			}, true)
		}
	}
	for what, tal := range map[string]*ranking{"tools": f.tools, "callers": f.callers, "reasons": f.reasons, "observed": f.observed, "notices": f.notices, "servers": f.servers} {
		if len(tal.byName) > tal.most || len(tal.ranks) > tal.most || tal.most > keepTools {
			t.Errorf("%s: %d names", what, len(tal.byName))
		}
		for _, l := range tal.ranks {
			if l.what != nil && len(l.what.byName) > keepWhat || len(l.name.text)+len(l.name.of)+len(l.name.id)+len(l.reason) > 4*maxName {
				t.Errorf("%s: a line is too large", what)
			}
		}
	}
	if len(f.time.slots) > maxSlots || f.time.len() > maxSlots || len(f.failures) > len(failures) {
		t.Errorf("%d slots in %d, %d ways to fail", len(f.time.slots), f.time.len(), len(f.failures))
	}
	if n := len(pageOf(t, hostile(hostileNames), foundIn(hostile(hostileNames)))); n > 1<<20 {
		t.Errorf("a page has %d bytes", n)
	}
}
