package serve

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/safemcp/safemcp/internal/bridge"
)

const (
	floodWindow = 10 * time.Second
	floodSingle = 20 // refusals in a window that are recorded one by one
)

// A flood records refusals: so many of a window one by one, and the rest as a count,
// so that whoever sends rubbish cannot fill the log.
type flood struct {
	record func(bridge.Refusal)
	now    func() time.Time

	mu    sync.Mutex
	begun time.Time
	seen  int
	more  bridge.Refusal // the last of those that were only counted
	bytes int
	timer *time.Timer
}

func newFlood(gate bridge.Gate) *flood {
	return &flood{now: time.Now, record: func(r bridge.Refusal) { gate.Refused(context.Background(), r) }}
}

// refused records a refusal or counts it.
func (f *flood) refused(r bridge.Refusal) {
	f.mu.Lock()
	if f.now().Sub(f.begun) >= floodWindow {
		f.mu.Unlock()
		f.flush()
		f.mu.Lock()
		f.begun, f.seen, f.bytes = f.now(), 0, 0
	}
	f.seen++
	single := f.seen <= floodSingle
	if !single {
		f.more = r
		f.bytes += r.Bytes
		if f.timer == nil {
			f.timer = time.AfterFunc(floodWindow, f.flush)
		}
	}
	f.mu.Unlock()
	if single {
		f.record(r)
	}
}

// flush records the count of those that were not recorded one by one.
func (f *flood) flush() {
	f.mu.Lock()
	if f.timer != nil {
		f.timer.Stop()
		f.timer = nil
	}
	n, r, bytes := f.seen-floodSingle, f.more, f.bytes
	if n > 0 {
		f.seen, f.bytes = floodSingle, 0
	}
	f.mu.Unlock()
	if n <= 0 {
		return
	}
	f.record(bridge.Refusal{
		Caller: r.Caller, Rule: "flood", Code: r.Code, Bytes: bytes,
		Reason: fmt.Sprintf("%d more messages were refused within %s", n, floodWindow),
	})
}
