package report

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/safemcp/safemcp/audit"
)

var monday2 = time.Date(2026, 3, 2, 7, 0, 0, 0, time.UTC)

// given yields events and then an error, if there is one.
func given(events []*audit.Event, err error) iter.Seq2[*audit.Event, error] {
	return func(yield func(*audit.Event, error) bool) {
		for _, e := range events {
			if !yield(e, nil) {
				return
			}
		}
		if err != nil {
			yield(nil, err)
		}
	}
}

// foundIn is a report of events that all are as they were written.
func foundIn(events []*audit.Event) audit.Report {
	r := audit.Report{Segments: 3, Events: len(events), Phases: map[audit.Phase]int{}, Checkpoint: fmt.Sprintf("%d:%s", len(events), strings.Repeat("5f3a", 16))}
	for i, e := range events {
		r.Phases[e.Phase]++
		if i == 0 {
			r.First = e.Time
		}
		r.Last = e.Time
	}
	return r
}

// pageOf is the page of such events.
func pageOf(t *testing.T, events []*audit.Event, found audit.Report) string {
	t.Helper()
	f, err := read(context.Background(), given(events, nil), found, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := newPage(f, found, &Options{Title: "Audit report", Made: time.Date(2026, 3, 5, 9, 30, 0, 0, time.UTC)})
	p.Directory = "/var/lib/weather/audit"
	var b bytes.Buffer
	if err := p.write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// sample is what a server of some teams does in three days.
func sample() []*audit.Event {
	random := rand.New(rand.NewPCG(1, 2))
	server := audit.Server{Name: "weather", Version: "v1.4.0"}
	tools := []struct {
		name   string
		median float64 // ms
		spread float64
		weight int
	}{{"get_weather", 11, 0.5, 50}, {"search_documents", 140, 0.9, 22}, {"calculate_tax", 2.1, 0.4, 14}, {"share_document", 48, 0.6, 8}, {"run_report", 2400, 0.7, 3}, {"delete_document", 30, 0.3, 3}}
	callers := []audit.Caller{
		{ID: "https://id.example|planner", Issuer: "https://id.example", Subject: "planner-agent", Tenant: "logistics"},
		{ID: "https://id.example|anna", Issuer: "https://id.example", Subject: "anna@example.com", Tenant: "finance"},
		{ID: "key|k7", Issuer: "apikey", Subject: "nightly-batch"},
		{ID: "https://id.example|bo", Issuer: "https://id.example", Subject: "bo@example.com", Tenant: "finance"},
		{Address: "203.0.113.77"},
	}
	var events []*audit.Event
	add := func(e audit.Event) { e.Server = server; events = append(events, &e) }
	add(audit.Event{Time: monday2, Phase: audit.PhaseNotice, Decision: audit.Decision{By: "server", Rule: "start", Reason: "serving on 127.0.0.1:8443"}})
	for at := monday2; at.Before(monday2.Add(70 * time.Hour)); {
		hour := float64(at.Hour()) + float64(at.Minute())/60
		busy := 0.12 + peak(hour, 10.5, 2.6) + 0.8*peak(hour, 15, 2.2)
		at = at.Add(time.Duration(random.ExpFloat64() / busy * float64(40*time.Second)))
		k := random.IntN(100)
		tool := tools[0]
		for _, tool = range tools {
			if k -= tool.weight; k < 0 {
				break
			}
		}
		caller := callers[min(int(math.Abs(random.NormFloat64())*1.5), 3)]
		if hour < 5 {
			caller = callers[2]
		}
		e := audit.Event{Time: at, Call: fmt.Sprint(len(events)), Caller: caller, MCP: audit.MCP{Method: "tools/call", Tool: tool.name}}
		refuse := func(effect audit.Effect, by, rule, reason string) {
			e.Phase, e.Decision, e.Outcome = audit.PhaseRefused, audit.Decision{Effect: effect, By: by, Rule: rule, Reason: reason}, audit.Outcome{Status: audit.StatusRefused}
			add(e)
		}
		switch r := random.IntN(1000); {
		case tool.name == "delete_document":
			refuse(audit.EffectAsk, "approval", "high_risk", "delete_document is a high-risk tool: a person has to approve each call, and this server has nobody to ask. Nothing was done.")
			continue
		case r < 30:
			refuse(audit.EffectDeny, "validate", "arguments", "city must be one of Paris, London, Tokyo, Nairobi, Lima.")
			continue
		case r < 42 && caller.Tenant == "finance":
			refuse(audit.EffectDeny, "policy", "scopes", "The scope documents:write is needed.")
			continue
		case r < 47:
			refuse(audit.EffectDeny, "limit", "rate", "Too many calls of search_documents: wait for some seconds.")
			continue
		}
		intent := e
		intent.Phase, intent.Decision = audit.PhaseIntent, audit.Decision{Effect: audit.EffectPermit, By: "policy", Rule: "scopes"}
		add(intent)
		e.Phase, e.Outcome.Status = audit.PhaseOutcome, audit.StatusOK
		e.Duration = time.Duration(tool.median * math.Exp(tool.spread*random.NormFloat64()) * float64(time.Millisecond))
		switch r := random.IntN(1000); {
		case r < 12:
			e.Outcome.Status = audit.StatusToolError
		case r < 14:
			e.Outcome.Status, e.Duration = audit.StatusTimeout, 30*time.Second
		case r < 15:
			e.Outcome.Status = audit.StatusPanic
		}
		add(e)
	}
	burst := monday2.Add(43*time.Hour + 10*time.Minute)
	for i := range 60 {
		add(audit.Event{
			Time: burst.Add(time.Duration(i) * 20 * time.Second), Phase: audit.PhaseRefused, Caller: callers[4], MCP: audit.MCP{Method: "tools/call"},
			Decision: audit.Decision{Effect: audit.EffectDeny, By: "door", Rule: "credentials", Reason: "Nobody is known by these credentials."}, Outcome: audit.Outcome{Status: audit.StatusRefused},
		})
	}
	add(audit.Event{Time: burst, Phase: audit.PhaseNotice, MCP: audit.MCP{Tool: "share_document"}, Decision: audit.Decision{By: "secrets", Rule: "leak", Reason: "secrets of the binding weather/share were redacted: the answer"}})
	slices.SortStableFunc(events, func(a, b *audit.Event) int { return a.Time.Compare(b.Time) })
	return events
}

var limits = []string{
	"The public key is the one beside the log: whoever could write there could have signed a log of their own. Keep the file signer.pub elsewhere and give it here.",
	"Without a checkpoint from elsewhere nothing shows whether events are missing from the end, or the whole was put back to an earlier state, or is another log that was signed with the same key.",
}

// peak is highest at a middle, and 1 there.
func peak(x, middle, width float64) float64 {
	d := (x - middle) / width
	return math.Exp(-d * d)
}

// hostileNames are of somebody who wants the reader of the page to be harmed or misled.
var hostileNames = []string{
	`<script>document.title="owned"</script>`,
	`"><img src=x onerror=document.title="owned">`,
	`</text></svg><script>document.title="owned"</script>`,
	`</title><svg onload=document.title="owned">`,
	`</style><script>document.title="owned"</script>`,
	`javascript:document.title="owned"`,
	`{{.Title}}`, `&lt;b&gt;`, "'-alert(1)-'", "`${alert(1)}`",
	"admin\u202egnp.exe", "a\u200bb\ufeffc\u00ad", "x\r\nWRONG\x1b[2J\x00", "\xff\xfe",
	"z" + strings.Repeat("\u0310", 400), strings.Repeat("W", 5000), strings.Repeat("漢", 900),
	"admin ", " admin", "ad  min", "מנהל ראשי", "\U000e0041\U000e0042", "no name", "others", "",
}

// hostile are events in which such names stand wherever something can, the first ones
// most often.
func hostile(names []string) []*audit.Event {
	var events []*audit.Event
	for i, n := range names {
		for k := range len(names) - i {
			at := monday2.Add(time.Duration(i*40+k) * time.Minute)
			caller := audit.Caller{ID: n + "|id", Issuer: n, Subject: n, Tenant: n}
			events = append(events,
				&audit.Event{Time: at, Server: audit.Server{Name: n, Version: n}, Phase: audit.PhaseRefused, Caller: caller, MCP: audit.MCP{Method: n, Tool: n}, Decision: audit.Decision{Effect: audit.EffectDeny, By: n, Rule: n, Reason: n}},
				&audit.Event{Time: at, Phase: audit.PhaseOutcome, Caller: caller, MCP: audit.MCP{Tool: n}, Outcome: audit.Outcome{Status: audit.Status(n)}, Duration: time.Duration(math.MaxInt64 >> (2 * i))},
				&audit.Event{Time: at, Phase: audit.PhaseOutcome, Caller: caller, MCP: audit.MCP{Resource: n}, Decision: audit.Decision{Effect: audit.EffectObserve, By: n, Rule: n, Reason: n}, Outcome: audit.Outcome{Status: audit.StatusOK}, Duration: time.Duration(k)},
				&audit.Event{Time: at, Phase: audit.PhaseNotice, Decision: audit.Decision{By: n, Rule: n, Reason: n}},
				&audit.Event{Time: at, Phase: audit.Phase(n), Decision: audit.Decision{By: n}},
			)
		}
	}
	return append(events, &audit.Event{Phase: audit.PhaseOrphaned}, &audit.Event{Time: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), Phase: audit.PhaseRefused})
}
