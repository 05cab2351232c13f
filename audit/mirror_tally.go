package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// The reporter gathers losses for noticeAfter, so that the first notice says more than
// "one", and is silent for noticeEvery after each.
const (
	noticeAfter = 5 * time.Second
	noticeEvery = time.Minute
)

// ruleMirrors is the rule of the notices that tell of mirrors' losses.
const ruleMirrors = "mirrors"

// MirrorStats are what became of a mirror's events since the log was opened. Every event
// that was recorded before Close is counted once.
type MirrorStats struct {
	Name    string // as Mirror says, or "mirror 1 (*slog.JSONHandler)"
	Taken   uint64 // its handler took them
	Skipped uint64 // its handler is not enabled for their level
	Failed  uint64 // its handler returned an error, or panicked
	Dropped uint64 // its queue had no room, or they were left in it at Close
	Waiting uint64 // in its queue, or in the hands of its handler
	// Err is what its handler last failed with. The log does not hold it, since a
	// handler's words may say more than belongs there, an address with a password say.
	Err error
}

// A tally keeps them.
type tally struct {
	mu    sync.Mutex
	stats MirrorStats
	told  MirrorStats // as they were at the last notice
	owes  bool        // something was lost since, other than a notice of losses
}

func newTally(i int, h slog.Handler) *tally {
	name := fmt.Sprintf("mirror %d (%T)", i+1, h)
	if named, ok := h.(interface{ mirror() Mirror }); ok {
		if name = named.mirror().Name; name == "" {
			name = fmt.Sprintf("mirror %d (%T)", i+1, named.mirror().Handler)
		}
	}
	return &tally{stats: MirrorStats{Name: name}}
}

func (t *tally) change(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f()
}

func (t *tally) offered() { t.change(func() { t.stats.Waiting++ }) }
func (t *tally) taken()   { t.change(func() { t.stats.Waiting--; t.stats.Taken++ }) }
func (t *tally) skipped() { t.change(func() { t.stats.Waiting--; t.stats.Skipped++ }) }

func (t *tally) dropped(own bool) {
	t.change(func() { t.stats.Waiting--; t.stats.Dropped++; t.owes = t.owes || !own })
}

func (t *tally) failed(err error, own bool) {
	t.change(func() { t.stats.Waiting--; t.stats.Failed++; t.stats.Err = err; t.owes = t.owes || !own })
}

func (t *tally) read() MirrorStats {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.stats
}

// tell returns what was lost since the last notice, if there is something to tell, and
// counts it as told. What returns undoes that.
func (t *tally) tell() (s MirrorStats, undo func(), owed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.owes {
		return MirrorStats{}, nil, false
	}
	was := t.told
	t.told, t.owes = t.stats, false
	s = MirrorStats{Name: t.stats.Name, Failed: t.stats.Failed - was.Failed, Dropped: t.stats.Dropped - was.Dropped}
	return s, func() { t.change(func() { t.told, t.owes = was, true }) }, true
}

// losses says in words what a mirror lost.
func (s MirrorStats) losses() string {
	text := fmt.Sprintf("%s failed to take %d events and dropped %d that it had no room for", s.Name, s.Failed, s.Dropped)
	if s.Waiting > 0 {
		text += fmt.Sprintf(", and has not answered for %d", s.Waiting)
	}
	return text
}

func mirrorNotice(since string, losses []string) *Event {
	return &Event{Phase: PhaseNotice, Decision: Decision{
		By: "log", Rule: ruleMirrors, Reason: since + ": " + strings.Join(losses, "; "),
	}}
}

// ownNotice says that a line is a notice of losses. Its own loss is counted and is no
// reason for another one, or a mirror that is down would make the log grow for ever.
func ownNotice(line []byte) bool {
	if !bytes.Contains(line, []byte(`"`+ruleMirrors+`"`)) {
		return false
	}
	var e struct {
		Phase    Phase    `json:"phase"`
		Decision Decision `json:"decision"`
	}
	return json.Unmarshal(line, &e) == nil && e.Phase == PhaseNotice && e.Decision.By == "log" && e.Decision.Rule == ruleMirrors
}

// report has losses recorded until the mirrors are closed: five seconds after the first,
// and then at most once a minute.
func (m *mirrors) report(record func(context.Context, *Event) error) {
	if len(m.each) == 0 {
		return
	}
	m.done.Go(func() {
		var last time.Time
		for m.waitForLoss(last) {
			var losses []string
			var undo []func()
			for _, one := range m.each {
				if s, back, owed := one.tally.tell(); owed {
					losses, undo = append(losses, s.losses()), append(undo, back)
				}
			}
			if len(losses) == 0 {
				continue
			}
			last = time.Now()
			if record(m.watching, mirrorNotice("since the last notice", losses)) != nil {
				for _, back := range undo {
					back()
				}
				m.wake() // the log is not well: again in a minute
			}
		}
	})
}

// waitForLoss waits for a loss, and then until it is time to tell of it. It returns false
// when the mirrors are closed.
func (m *mirrors) waitForLoss(last time.Time) bool {
	select {
	case <-m.lost:
	case <-m.watching.Done():
		return false
	}
	timer := time.NewTimer(max(noticeAfter, time.Until(last.Add(noticeEvery))))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-m.watching.Done():
		return false
	}
}

// notice returns the event that says what mirrors lost since the log was opened, or nil
// where they lost nothing. It is for when they are closed.
func (m *mirrors) notice() *Event {
	var losses []string
	for _, one := range m.each {
		if s := one.tally.read(); s.Failed+s.Dropped+s.Waiting > 0 {
			losses = append(losses, s.losses())
		}
	}
	if losses == nil {
		return nil
	}
	return mirrorNotice("since the log was opened", losses)
}
