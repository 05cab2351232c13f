package vault

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/safemcp/safemcp/secrets"
)

// mostLeases bounds those that are kept at the same time.
const mostLeases = 1 << 16

// A lease is one that Vault gave, with whose token. Vault wants it renewed by a token
// that may, which is the tool's own; the credential alone does not say which.
type lease struct {
	tool  string
	token *token // that made it, and with which it ends
	end   time.Time
}

// leases are those that have not ended. It is safe for concurrent use.
type leases struct {
	mu    sync.Mutex
	held  map[string]*lease // by ID
	swept time.Time
	// closed says that nobody revokes what is added.
	closed bool
}

func (l *leases) add(id string, one *lease, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return errClosed
	}
	if now.Sub(l.swept) > time.Minute || len(l.held) >= mostLeases {
		l.swept = now
		for id, held := range l.held {
			if !now.Before(held.end) {
				delete(l.held, id)
			}
		}
	}
	if len(l.held) >= mostLeases {
		return fmt.Errorf("%d leases are held, and no more can be", mostLeases)
	}
	l.held[id] = one
	return nil
}

func (l *leases) of(id string) *lease {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held[id]
}

func (l *leases) extend(id string, end time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if held := l.held[id]; held != nil {
		held.end = end
	}
}

func (l *leases) drop(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.held, id)
}

// close ends it, and returns the leases that do not end when the provider revokes its own
// tokens.
func (l *leases) close(now time.Time) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	var all []string
	for id, held := range l.held {
		if now.Before(held.end) && !held.token.ours() {
			all = append(all, id)
		}
	}
	return all
}

// keepLease remembers a lease, and writes it down where no token of ours ends it.
func (p *provider) keepLease(id string, l *lease, end time.Time) error {
	l.end = end
	if !l.token.ours() {
		if err := p.journal.add(entry{Lease: id}); err != nil {
			return err
		}
	}
	return p.leases.add(id, l, p.session.now())
}

// giveBack ends a lease that nobody gets, after Close with the token that made it, where
// that may.
func (p *provider) giveBack(ctx context.Context, id string, t *token) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.options.Timeout)
	defer cancel()
	err := p.endLease(ctx, id)
	if errors.Is(err, errClosed) {
		_, err = p.client.send(ctx, http.MethodPut, revokeLease, t.value, map[string]any{"lease_id": id, "sync": true})
	}
	if err != nil {
		p.tell(ctx, slog.LevelWarn, "vault: a lease that nobody got could not be revoked", "lease", id, "error", err.Error())
	}
}

// Renew implements [secrets.Provider]: it extends a lease of a database user with the
// token of the tool that has it. The lease of the answer ends later or when it did, unless
// Vault says that it ends before that. A lease that has ended is [secrets.ErrNotFound],
// and one that the token may not renew, which the policy "default" lets it,
// [secrets.ErrDenied].
func (p *Provider) Renew(ctx context.Context, c *secrets.Credential) (*secrets.Credential, error) {
	if c.ID() == "" {
		return nil, secrets.ErrNotRenewable
	}
	in := p.state()
	held := in.leases.of(c.ID())
	tool := ""
	if held != nil {
		tool = held.tool
	}
	begun := in.session.now()
	a, t, err := in.as(ctx, tool, http.MethodPut, renewLease, map[string]any{"lease_id": c.ID()})
	if why(err) == unrenewable {
		return c, nil // it is there, and stays as long as it was to
	}
	if err != nil {
		if errors.Is(err, secrets.ErrNotFound) {
			in.forgetLease(c.ID())
		}
		return nil, fmt.Errorf("vault: renewing %s: %w", c.Binding(), err)
	}
	if held == nil {
		held = &lease{token: t}
	}
	expires := held.until(begun, a.LeaseDuration)
	if early := c.Expires().Sub(expires); early > 0 && early <= rounding {
		expires = c.Expires()
	}
	in.leases.extend(c.ID(), expires)
	data := secrets.CredentialData{
		Binding: c.Binding(), Value: c.Secret(), ID: c.ID(), Version: c.Version(), Expires: expires, Origin: c.Origin(), Fields: map[string]secrets.Secret{},
	}
	for _, name := range []string{"username", "password"} {
		if value, there := c.Field(name); there {
			data.Fields[name] = value
		}
	}
	return secrets.NewCredential(data)
}

// rounding is what an end may seem to come earlier because Vault counts whole seconds.
const rounding = 2 * time.Second

// Revoke implements [secrets.Provider]: it ends a lease. The provider's token needs the
// capability update on sys/leases/revoke for it; without that, Close still ends those
// that were made with tokens of ours.
func (p *Provider) Revoke(ctx context.Context, c *secrets.Credential) error {
	if c.ID() == "" {
		return nil // what is stored stays
	}
	if err := p.state().endLease(ctx, c.ID()); err != nil {
		return fmt.Errorf("vault: revoking a lease for %s: %w", c.Binding(), err)
	}
	return nil
}

func (p *provider) endLease(ctx context.Context, id string) error {
	_, _, err := p.as(ctx, "", http.MethodPut, revokeLease, map[string]any{"lease_id": id, "sync": true})
	if err != nil && why(err) != gone {
		return err
	}
	p.forgetLease(id)
	return nil
}

func (p *provider) forgetLease(id string) {
	p.leases.drop(id)
	p.journal.drop(entry{Lease: id})
}
