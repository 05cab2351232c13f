package safetool

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/internal/bridge"
	"github.com/safemcp/safemcp/limit"
)

// A notices recorder counts the events that it is given.
type notices struct{ n atomic.Int32 }

func (r *notices) Record(context.Context, *audit.Event) error { r.n.Add(1); return nil }

// A part of the handler's that is left behind may end at any moment of the end of its
// pass: the log learns of it exactly once, after the answer, and a shutdown waits for it
// exactly as long.
func TestWhatIsLeftBehindIsToldOnce(t *testing.T) {
	t.Parallel()
	ends := map[string]func(p *pass, part func()){
		"before it is decided": func(p *pass, part func()) { part(); _, _ = p.own(); p.finish(true, nil) },
		"while it is recorded": func(p *pass, part func()) { _, _ = p.own(); part(); p.finish(true, nil) },
		"after the answer":     func(p *pass, part func()) { _, _ = p.own(); p.finish(true, nil); part() },
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			trail := &notices{}
			s, err := NewServer(&mcp.Implementation{Name: "test"}, &Options{Audit: trail})
			if err != nil {
				t.Fatal(err)
			}
			f := &flight{server: s, caller: &bridge.Caller{}, start: time.Now()}
			of, err := s.newFeature("tool", "act", Policy{Risk: ReadOnly, AnyCaller: true, Limits: limit.Limits{Timeout: time.Millisecond, Concurrency: 1}})
			if err != nil {
				t.Fatal(err)
			}
			p := f.newPass(&of, "act")
			if err := p.enter(nil); err != nil {
				t.Fatal(err)
			}
			p.begin()
			if err := p.join(); err != nil {
				t.Fatal(err)
			}
			_ = p.close(nil) // until the time of the part is over
			told, parted := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(told)
				end(p, func() {
					go func() { defer close(parted); p.part(true, nil) }()
					for gone := false; !gone; time.Sleep(time.Millisecond) {
						p.mu.Lock()
						gone = p.parts == 0
						p.mu.Unlock()
					}
				})
			}()
			p.ended()
			if trail.n.Load() != 0 {
				t.Error("the log learned of it before the answer")
			}
			p.answered.Done()
			<-told
			<-parted
			if n := trail.n.Load(); n != 1 {
				t.Errorf("the log learned of it %d times", n)
			}
			if n := s.running.Wait(t.Context()); n != 0 {
				t.Errorf("%d still run", n)
			}
			if !p.feature.running.Acquire(1) || p.join() == nil {
				t.Error("its slot is not free, or a handler may still begin")
			}
		})
	}
}
