package tally

import (
	"maps"
	"time"

	"github.com/safemcp/safemcp/audit"
)

// A Summary is what was counted, in a form that does not change any more. Its JSON is
// that of safetool audit stats --json: members are added, and none changes its meaning.
type Summary struct {
	Events    uint64                  `json:"events"`
	First     time.Time               `json:"first,omitzero"` // the earliest time, and
	Last      time.Time               `json:"last,omitzero"`  // the latest
	Phases    map[audit.Phase]uint64  `json:"phases"`         // "other" for one that no log writes, as below
	Calls     uint64                  `json:"calls"`          // that ended
	Statuses  map[audit.Status]uint64 `json:"statuses"`       // of calls; "orphaned" where it is not known how they ended
	Decisions map[audit.Effect]uint64 `json:"decisions"`      // of calls about which something was decided
	Tools     []Tool                  `json:"tools"`          // those with the most calls first, at most 1,024, as below
	Callers   []Caller                `json:"callers"`
	Refusals  []Refusal               `json:"refusals"`
	// Others are calls that are not in the lists, since there were more names than are
	// kept. What the list says of a name is then the least that it can be, where Forgot
	// says so.
	Others Others `json:"others"`
}

// A Tool is what was counted of a tool that calls named, whether or not there is one of
// that name. Failed are those that were let and did not end well. The durations are those
// of calls that were let, and the percentiles less than a thirty-second above the true ones.
type Tool struct {
	Name    string  `json:"name"`
	Calls   uint64  `json:"calls"`
	Refused uint64  `json:"refused"`
	Failed  uint64  `json:"failed"`
	P50     float64 `json:"p50_ms"` // 0 where no duration is known
	P99     float64 `json:"p99_ms"`
	Max     float64 `json:"max_ms"`
}

// A Caller is what was counted of a caller, by its ID or, without one, its subject.
type Caller struct {
	ID      string `json:"id"`
	Calls   uint64 `json:"calls"`
	Refused uint64 `json:"refused"`
	Failed  uint64 `json:"failed"`
}

// A Refusal says how many calls a rule of a guard has refused.
type Refusal struct {
	By    string `json:"by"`
	Rule  string `json:"rule"`
	Calls uint64 `json:"calls"`
}

// Others are the calls that each list does not show.
type Others struct {
	Tools    uint64 `json:"tools"`
	Callers  uint64 `json:"callers"`
	Refusals uint64 `json:"refusals"`
	Forgot   bool   `json:"forgot"`
}

// Summary returns what was counted until now.
func (t *Tally) Summary() Summary {
	s := Summary{
		Events: t.events, First: t.first, Last: t.last, Calls: t.calls,
		Phases: copied(t.phases), Statuses: copied(t.statuses), Decisions: copied(t.decisions),
		Tools: []Tool{}, Callers: []Caller{}, Refusals: []Refusal{},
		Others: Others{Forgot: t.tools.forgot || t.callers.forgot || t.refusals.forgot},
	}
	var rows []named
	rows, s.Others.Tools = t.tools.most()
	for _, n := range rows {
		tool := Tool{Name: n.name, Calls: n.row.All(), Refused: n.row.Counts[Refused], Failed: n.row.Counts[Failed]}
		if times := n.row.times; times != nil {
			tool.P50, tool.P99, tool.Max = ms(times.Percentile(50)), ms(times.Percentile(99)), ms(times.Max())
		}
		s.Tools = append(s.Tools, tool)
	}
	rows, s.Others.Callers = t.callers.most()
	for _, n := range rows {
		s.Callers = append(s.Callers, Caller{ID: n.name, Calls: n.row.All(), Refused: n.row.Counts[Refused], Failed: n.row.Counts[Failed]})
	}
	rows, s.Others.Refusals = t.refusals.most()
	for _, n := range rows {
		s.Refusals = append(s.Refusals, Refusal{By: n.name, Rule: n.detail, Calls: n.row.All()})
	}
	return s
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func copied[K comparable](m map[K]uint64) map[K]uint64 {
	c := make(map[K]uint64, len(m))
	maps.Copy(c, m)
	return c
}
