package serve

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/safemcp/safemcp/internal/bridge"
)

const (
	floodWindow = 10 * time.Second
	floodSingle = 20  // refusals of an address in a window that are recorded one by one
	floodAll    = 100 // and of all addresses, and as many of callers who are known
	floodCounts = 32  // addresses whose further ones are counted by themselves
)

// A flood records refusals: so many of a window one by one, and the rest as counts by
// address, so that whoever sends rubbish can neither fill the log nor hide others in
// it: strangers do not use up what is there for callers who are known. The counts are recorded when the window is over.
type flood struct {
	record func(bridge.Refusal)
	now    func() time.Time

	mu      sync.Mutex
	begun   time.Time
	singles [2]int              // of strangers, and of callers who are known
	seen    map[string]int      // refusals by address or caller, in this window
	counts  map[string]*counted // those that were only counted
	timer   *time.Timer
}

type counted struct {
	last  bridge.Refusal
	n     int
	bytes int
}

func newFlood(gate bridge.Gate) *flood {
	return &flood{now: time.Now, record: func(r bridge.Refusal) { gate.Refused(context.Background(), r) }}
}

// others is the address of those that are too many to be counted one by one.
const others = "others"

// refused records a refusal or counts it.
func (f *flood) refused(r bridge.Refusal) {
	if f.onlyCounted(r) {
		return
	}
	f.record(r)
}

// onlyCounted counts a refusal, and says whether that is all that is to be recorded.
func (f *flood) onlyCounted(r bridge.Refusal) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := f.now(); f.seen == nil || now.Sub(f.begun) >= floodWindow {
		f.begun, f.singles, f.seen = now, [2]int{}, map[string]int{}
	}
	address, who, known := "", "", 0
	if r.Caller != nil {
		address = network(r.Caller.Address)
		if who = "address|" + address; r.Caller.Principal.ID != "" {
			who, known = "caller|"+r.Caller.Principal.ID, 1
		}
	}
	if f.singles[known] < floodAll && f.seen[who] < floodSingle {
		f.singles[known]++
		f.seen[who]++
		return false
	}
	c := f.counts[address]
	if c == nil && len(f.counts) >= floodCounts {
		address = others
		c = f.counts[address]
	}
	if c == nil {
		c = &counted{}
		if f.counts == nil {
			f.counts = map[string]*counted{}
		}
		f.counts[address] = c
	}
	c.last = r
	c.n++
	c.bytes += r.Bytes
	if f.timer == nil {
		f.timer = time.AfterFunc(floodWindow, f.flush)
	}
	return true
}

// flush records the counts.
func (f *flood) flush() {
	f.mu.Lock()
	if f.timer != nil {
		f.timer.Stop()
		f.timer = nil
	}
	counts := f.counts
	f.counts = nil
	f.mu.Unlock()
	for _, address := range slices.Sorted(maps.Keys(counts)) {
		c := counts[address]
		caller := c.last.Caller
		if address == others {
			caller = nil
		} else if caller != nil && caller.Transport != "stdio" { // several principals may share an address
			caller = &bridge.Caller{Address: caller.Address, Transport: caller.Transport}
		}
		from := ""
		if address == others {
			from = " from other addresses"
		}
		f.record(bridge.Refusal{
			Caller: caller, Rule: "flood", Code: c.last.Code, Bytes: c.bytes,
			Reason: fmt.Sprintf("%d more messages%s were refused within %s", c.n, from, floodWindow),
		})
	}
}
