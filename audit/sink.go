package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// A Sink takes a signed checkpoint to another place. That is what shows later that the log
// was cut back, or put back to an earlier state: give what it kept to [VerifyOptions].Since.
// It returns nil when the checkpoint is kept. It is called by one goroutine at a time, and
// holds nothing up; ctx ends after ten seconds, and when the log is closed.
type Sink func(ctx context.Context, checkpoint string) error

// FileSink appends checkpoints to a file, which it makes, 0600, and syncs. It shows
// something only where whoever may write the log may not write that file: on a file system
// of another machine, or one that only lets files grow.
func FileSink(path string) Sink {
	return func(_ context.Context, checkpoint string) error {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return fmt.Errorf("audit: %w", err)
		}
		_, err = f.WriteString(checkpoint)
		if err == nil {
			err = f.Sync()
		}
		if err = errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("audit: %w", err)
		}
		return nil
	}
}

// HTTPSink sends each checkpoint as the body of a POST request, text/plain, to a URL. An
// answer of the class 2xx says that it is kept. A nil client is one that follows no
// redirects.
func HTTPSink(url string, client *http.Client) Sink {
	if client == nil {
		client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	return func(ctx context.Context, checkpoint string) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(checkpoint))
		if err != nil {
			return fmt.Errorf("audit: %w", err)
		}
		r.Header.Set("Content-Type", "text/plain; charset=utf-8")
		res, err := client.Do(r)
		if err != nil {
			return fmt.Errorf("audit: %w", err)
		}
		defer res.Body.Close()
		_, _ = io.CopyN(io.Discard, res.Body, 64<<10) // so that the connection can be used again
		if res.StatusCode/100 != 2 {
			return fmt.Errorf("audit: the checkpoint was answered with %s", res.Status)
		}
		return nil
	}
}

// SlogSink hands each checkpoint to a handler, as the attribute "checkpoint" of a record
// "audit checkpoint", which a mirror's target keeps beside the events.
func SlogSink(h slog.Handler) Sink {
	return func(ctx context.Context, checkpoint string) error {
		r := slog.NewRecord(time.Now(), slog.LevelInfo, "audit checkpoint", 0)
		r.AddAttrs(slog.String("checkpoint", checkpoint))
		if !h.Enabled(ctx, r.Level) {
			return errors.New("audit: the handler of checkpoints is not enabled")
		}
		return h.Handle(ctx, r)
	}
}

// SinkStats are what became of the checkpoints that one sink was given. Only the newest is
// tried again.
type SinkStats struct {
	Kept   uint64 // checkpoints
	Failed uint64 // tries
	Events uint64 // that the last kept one covers
	Error  string // of the last try, if it failed
}

// How long a sink may take, and how long it is left alone after it has failed.
const (
	sinkTimeout = 10 * time.Second
	sinkPause   = time.Second
	sinkPauses  = time.Minute // at most, since each is twice the one before
)

// sinks hand checkpoints on.
type sinks struct {
	ctx    context.Context //nolint:containedctx // ends with the log
	cancel context.CancelFunc
	each   []*sink
	done   sync.WaitGroup
}

type sink struct {
	take Sink

	mu      sync.Mutex
	newest  string
	size    uint64
	given   uint64 // how many checkpoints there were
	closed  bool
	stats   SinkStats
	changed chan struct{}
}

func newSinks(all []Sink) *sinks {
	s := &sinks{}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	for _, take := range all {
		one := &sink{take: take, changed: make(chan struct{}, 1)}
		s.each = append(s.each, one)
		s.done.Go(func() { s.serve(one) })
	}
	return s
}

// offer gives every sink a checkpoint. It does not wait.
func (s *sinks) offer(size uint64, signed []byte) {
	if len(s.each) == 0 {
		return
	}
	text := string(bytes.Clone(signed))
	for _, one := range s.each {
		one.mu.Lock()
		one.newest, one.size = text, size
		one.given++
		one.mu.Unlock()
		one.wake()
	}
}

func (one *sink) wake() {
	select {
	case one.changed <- struct{}{}:
	default:
	}
}

// serve hands one sink the newest checkpoint, until it has it.
func (s *sinks) serve(one *sink) {
	var had uint64
	pause := sinkPause
	for {
		one.mu.Lock()
		text, size, given, closed := one.newest, one.size, one.given, one.closed
		one.mu.Unlock()
		if given == had {
			if closed || s.ctx.Err() != nil {
				return
			}
			select {
			case <-one.changed:
			case <-s.ctx.Done():
			}
			continue
		}
		err := s.try(one, text)
		one.note(size, err)
		if err == nil {
			had, pause = given, sinkPause
			continue
		}
		if s.ctx.Err() != nil {
			return
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-s.ctx.Done():
		}
		timer.Stop()
		pause = min(2*pause, sinkPauses)
	}
}

// try is one call of a sink, whatever it does: a panic and the end of its goroutine are
// errors.
func (s *sinks) try(one *sink, text string) error {
	ctx, cancel := context.WithTimeout(s.ctx, sinkTimeout)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		err := errors.New("audit: a sink ended its goroutine")
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("audit: a sink panicked: %v", p)
			}
			done <- err
		}()
		err = one.take(ctx, text)
	}()
	return <-done
}

func (one *sink) note(size uint64, err error) {
	one.mu.Lock()
	defer one.mu.Unlock()
	if err != nil {
		one.stats.Failed++
		one.stats.Error = err.Error()
		return
	}
	one.stats.Kept++
	one.stats.Events, one.stats.Error = size, ""
}

func (s *sinks) read() (all []SinkStats) {
	for _, one := range s.each {
		one.mu.Lock()
		all = append(all, one.stats)
		one.mu.Unlock()
	}
	return all
}

// close lets the sinks take the last checkpoint, for so long. One that blocks longer keeps
// its goroutine.
func (s *sinks) close(budget time.Duration) {
	for _, one := range s.each {
		one.mu.Lock()
		one.closed = true
		one.mu.Unlock()
		one.wake()
	}
	done := make(chan struct{})
	go func() { s.done.Wait(); close(done) }()
	timer := time.NewTimer(budget)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
	s.cancel()
}
