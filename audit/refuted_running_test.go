package audit

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
)

// The reserve has room for the outcomes of the calls that run, also where a segment that is
// begun with it names them again.
func TestRefutedTheReserveIsSpentOnNamesOfRunningCalls(t *testing.T) {
	t.Parallel()
	for _, c := range [][2]int{{0, 20}, {1000, 17}, {1000, 21}} {
		long := c[0]
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			d := &smallDisk{dir: dir}
			d.room.Store(int64(c[1]) << 18)
			l, err := openOn(d, dir, &Options{SegmentBytes: 1 << 20})
			must(t, err)
			caller := Caller{ID: "https://id.example.com|" + strings.Repeat("u", 36), Issuer: "https://id.example.com", Subject: strings.Repeat("u", 36), Scopes: []string{"files:read", "files:write", "calendar:read"}, Client: "assistant", Address: "192.0.2.1:53211"}
			mcp := MCP{Method: "tools/call", Tool: "wait", Session: strings.Repeat("s", 32), Protocol: "2025-11-25", Request: "17", Transport: "http"}
			server := Server{Name: "example", Version: "v1.2.3", Instance: strings.Repeat("i", 26)}
			for i := range 1000 {
				if i < long {
					must(t, l.Record(t.Context(), &Event{Phase: PhaseIntent, Server: server, Call: fmt.Sprintf("%026d", i), Caller: caller, MCP: mcp}))
				}
			}
			n := 0
			for ; ; n++ {
				call := fmt.Sprint("short", n)
				if l.Record(t.Context(), &Event{Phase: PhaseIntent, Server: server, Call: call, Caller: caller, MCP: mcp}) != nil {
					break
				}
				if l.Record(t.Context(), &Event{Phase: PhaseOutcome, Server: server, Call: call, Caller: caller, MCP: mcp}) != nil {
					t.Logf("the outcome of a call that had begun: refused")
					break
				}
			}
			refused := 0
			for i := range 1000 {
				if err := l.Record(t.Context(), &Event{Phase: PhaseOutcome, Server: server, Call: fmt.Sprintf("%026d", i), Caller: caller, MCP: mcp, Outcome: Outcome{Status: StatusOK}}); err != nil {
					refused++
				}
			}
			if refused > 0 {
				t.Errorf("with %d calls that run for long, %d of 1000 outcomes have no room (a disk of %d KiB)", long, refused, c[1]<<8)
			}
			d.room.Store(64 << 20)
			_ = l.Close()
		})
	}
}

// However a log is killed, sealed, rotated and taken up: what began and did not end is orphaned.
func TestRefutedRunningCallsAreForgotten(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 6))
	for round := range 2 {
		dir := t.TempDir()
		o := &Options{SegmentBytes: int64(1024 + random.IntN(3000))}
		open := map[string]bool{} // intent on record, no outcome
		maybe := map[string]bool{}
		id := 0
		for run := range 4 {
			if run > 0 && random.IntN(2) == 0 {
				must(t, NextKeys(dir, true, true))
			}
			d := &heldDisk{let: make(chan struct{})}
			l, err := openOn(d, dir, o)
			must(t, err)
			for i := range 150 {
				d.broken.Store(random.IntN(20) == 0)
				switch random.IntN(3) {
				case 0:
					id++
					call := fmt.Sprint("call", id)
					err := l.Record(t.Context(), &Event{Phase: PhaseIntent, Call: call})
					if err == nil {
						open[call] = true
					} else {
						maybe[call] = true
					}
				case 1:
					for call := range open {
						if random.IntN(4) > 0 {
							break
						}
						if l.Record(t.Context(), &Event{Phase: PhaseOutcome, Call: call}) == nil {
							delete(open, call)
						}
						break
					}
				default:
					call := fmt.Sprint("x", id, "-", i)
					if l.Record(t.Context(), &Event{Phase: PhaseIntent, Call: call}) == nil && l.Record(t.Context(), &Event{Phase: PhaseOutcome, Call: call}) != nil {
						open[call] = true
					}
				}
				if random.IntN(40) == 0 {
					d.broken.Store(false)
					got, _ := orphans(t, killed(t, dir), &Options{SegmentBytes: int64(1024 + random.IntN(3000))})
					told := map[string]bool{}
					for _, e := range got {
						told[e.Call] = true
					}
					for call := range open {
						if !told[call] {
							t.Errorf("round %d: %s is running, and nothing says that it is orphaned", round, call)
						}
					}
				}
			}
			d.broken.Store(false)
			must(t, l.Close())
			for call := range open {
				maybe[call] = true
			}
			clear(open)
		}
		if t.Failed() {
			return
		}
	}
}
