package serve

import (
	"context"
	"crypto/rand"
	"net/http"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/safetool"
)

// A sessions has those of clients older than 2026-07-28, each its opener's alone. The
// SDK ends none by itself; this does.
type sessions struct {
	o   *HTTPOptions
	sdk *mcp.Server
	now func() time.Time

	mu    sync.Mutex
	byID  map[string]*session
	timer *time.Timer
	ended bool
}

type session struct {
	owner       string // the principal's ID
	begun, used time.Time
	busy        int // requests of it that run, open streams among them
}

func newSessions(o *HTTPOptions, sdk *mcp.Server) *sessions {
	return &sessions{o: o, sdk: sdk, now: time.Now, byID: map[string]*session{}}
}

// noSession is the one answer to a session that is not there and to one that is
// somebody else's. A client that gets a 404 begins a new one.
func noSession() *turned {
	return turn(http.StatusNotFound, "session", "There is no such session of yours. It may have ended.").
		hinted("Begin a new one with initialize, without an Mcp-Session-Id.")
}

// enter begins a request in a session, and returns when the session ends at the
// latest.
func (s *sessions) enter(id, owner string) (ends time.Time, t *turned) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.byID[id]
	if found == nil || s.over(found) {
		return ends, noSession()
	}
	if found.owner != owner {
		t = noSession()
		t.cause = "the session belongs to another principal"
		return ends, t
	}
	found.busy++
	found.used = s.now()
	return found.begun.Add(s.o.SessionLifetime), nil
}

// leave ends a request in a session.
func (s *sessions) leave(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found := s.byID[id]; found != nil {
		found.busy--
		found.used = s.now()
	}
}

// reserve keeps a place for a session that owner begins, under a key that no session
// has. Where it has too many, the one that it used least recently ends.
func (s *sessions) reserve(owner string) (key string, t *turned) {
	s.mu.Lock()
	defer s.mu.Unlock()
	own, oldest := 0, ""
	for id, found := range s.byID {
		if found.owner != owner {
			continue
		}
		own++
		if found.busy == 0 && (oldest == "" || found.used.Before(s.byID[oldest].used)) {
			oldest = id
		}
	}
	if own >= s.o.CallerSessions {
		if oldest == "" {
			return "", turn(http.StatusTooManyRequests, "sessions", "You have too many sessions in use.").
				later(safetool.CodeBusy, safetool.CategoryPolicy, time.Minute)
		}
		delete(s.byID, oldest)
		go s.close(map[string]bool{oldest: true})
	}
	if len(s.byID) >= s.o.Sessions {
		return "", turn(http.StatusServiceUnavailable, "sessions", "The server has as many sessions as it takes.").
			later(safetool.CodeBusy, safetool.CategoryServer, time.Minute)
	}
	now := s.now()
	key = "to come: " + rand.Text()
	s.byID[key] = &session{owner: owner, begun: now, used: now, busy: 1}
	return key, nil
}

// begin gives a place that was kept to the session that the SDK has begun.
func (s *sessions) begin(key, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.byID[key]
	if found == nil {
		return
	}
	delete(s.byID, key)
	s.byID[id] = found
	if s.timer == nil && !s.ended {
		s.timer = time.AfterFunc(s.pause(), s.sweep)
	}
}

// end forgets a session that the SDK has ended, or a place that was kept in vain.
func (s *sessions) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byID, id)
}

func (s *sessions) over(of *session) bool {
	now := s.now()
	return now.Sub(of.begun) > s.o.SessionLifetime || (of.busy == 0 && now.Sub(of.used) > s.o.SessionIdle)
}

func (s *sessions) pause() time.Duration {
	return min(max(min(s.o.SessionIdle, s.o.SessionLifetime)/4, 10*time.Millisecond), time.Minute)
}

// sweep ends the sessions that are over, and comes again while there are any.
func (s *sessions) sweep() {
	over := map[string]bool{}
	s.mu.Lock()
	for id, found := range s.byID {
		if s.over(found) {
			over[id] = true
			delete(s.byID, id)
		}
	}
	if s.timer = nil; len(s.byID) > 0 && !s.ended {
		s.timer = time.AfterFunc(s.pause(), s.sweep)
	}
	s.mu.Unlock()
	s.close(over)
}

// close ends sessions of the SDK's server. Close waits for what runs in a session, so
// nobody waits for it.
func (s *sessions) close(ids map[string]bool) {
	if len(ids) == 0 {
		return
	}
	for found := range s.sdk.Sessions() {
		if ids[found.ID()] {
			go func() { _ = found.Close() }()
		}
	}
}

// endAll ends every session, within ctx, and begins none any more.
func (s *sessions) endAll(ctx context.Context) {
	s.mu.Lock()
	s.ended = true
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
	clear(s.byID)
	s.mu.Unlock()
	var all sync.WaitGroup
	for found := range s.sdk.Sessions() {
		all.Go(func() { _ = found.Close() })
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

func (s *sessions) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.byID)
}
