package vault

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/safemcp/safemcp/secrets"
)

// Bounds of Close.
const (
	longestClose = 30 * time.Second
	closers      = 8 // requests at a time
	closeAgain   = 250 * time.Millisecond
)

// Close revokes the tokens that the provider has got, and so every lease that was made
// with them, and the leases that were made with a token that was given, which itself is
// left. It tries again while Vault is in trouble, until ctx ends or 30 seconds are over.
// The error says what could not be revoked, or that something was still being issued: it
// lives until its time is over, or where there is a journal until the next start. A second Close does nothing.
func (p *Provider) Close(ctx context.Context) (err error) {
	in := p.state()
	in.stopped.Do(func() { err = in.close(ctx) })
	return err
}

func (p *provider) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, longestClose)
	defer cancel()
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.halt()
	issued := make(chan struct{}) // what is under way: or there would be a lease that nobody knows of
	go func() {
		defer close(issued)
		p.issuing.Wait()
	}()
	for _, done := range []chan struct{}{p.kept, p.inherited, issued} {
		select {
		case <-done:
		case <-ctx.Done():
		}
	}
	left := &remains{}
	sessions := p.sessions()
	own := sessions[0].close(ctx)
	var children []*token
	for _, s := range sessions[1:] {
		children = append(children, s.close(ctx)...)
	}
	left.late = p.underWay.Load() > 0 || slices.ContainsFunc(sessions, (*session).isLeft)
	if loose := p.leases.close(p.session.now()); len(own) > 0 {
		eachOf(loose, func(id string) {
			left.lease(id, p.insist(ctx, http.MethodPut, revokeLease, own[0], map[string]any{"lease_id": id, "sync": true}))
		})
	}
	revoke := func(t *token) {
		left.token(p.insist(ctx, http.MethodPost, "auth/token/revoke-self", t, nil))
	}
	alone := false // there are children that end with no parent of ours
	for _, t := range own {
		if t.ours() {
			revoke(t)
		} else {
			alone = true
		}
	}
	if alone || left.tokens > 0 {
		eachOf(children, revoke)
	}
	p.client.idle()
	return errors.Join(left.error(p.journal != nil), p.journal.close(left.any()))
}

// begin says that a credential is being issued, until end is called, or that it is too
// late for that.
func (p *provider) begin() (end func(), err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errClosed
	}
	p.issuing.Add(1)
	p.underWay.Add(1)
	return func() {
		p.underWay.Add(-1)
		p.issuing.Done()
	}, nil
}

// eachOf calls f with all, several at a time.
func eachOf[T any](all []T, f func(T)) {
	work := make(chan T)
	var wait sync.WaitGroup
	for range min(closers, len(all)) {
		wait.Go(func() {
			for one := range work {
				f(one)
			}
		})
	}
	for _, one := range all {
		work <- one
	}
	close(work)
	wait.Wait()
}

// insist sends a request until Vault has done it, has nothing to do or refuses, or ctx
// ends. It goes past the breaker, and is as slow.
func (p *provider) insist(ctx context.Context, method, path string, t *token, body any) error {
	for {
		_, err := p.client.send(ctx, method, path, t.value, body)
		switch {
		case err == nil, why(err) == gone, why(err) == tokenEnded:
			return nil
		case !errors.Is(err, secrets.ErrUnavailable):
			return err
		}
		select {
		case <-time.After(closeAgain):
		case <-ctx.Done():
			return err
		}
	}
}

// remains are what Close could not revoke. It is safe for concurrent use.
type remains struct {
	mu     sync.Mutex
	tokens int
	leases []string
	late   bool // what was being issued when the time was over is not known
	first  error
}

func (r *remains) token(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.tokens++
		r.first = cmp.Or(r.first, err)
	}
}

func (r *remains) lease(id string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.leases = append(r.leases, id)
		r.first = cmp.Or(r.first, err)
	}
}

func (r *remains) any() bool { return r.tokens > 0 || len(r.leases) > 0 || r.late }

// errLate is why something may be left that is not counted.
var errLate = errors.New("something was still being issued when the time was over")

func (r *remains) error(journal bool) error {
	if !r.any() {
		return nil
	}
	const most = 5 // leases that are named
	named := strings.Join(r.leases[:min(most, len(r.leases))], ", ")
	if len(r.leases) > most {
		named += ", …"
	}
	fate := "they live until their time is over"
	if journal {
		fate = "they are in the journal, and the next start revokes them"
	}
	return fmt.Errorf("vault: %d tokens and %d leases (%s) could not be revoked; %s: %w", r.tokens, len(r.leases), named, fate, cmp.Or(r.first, errLate))
}
