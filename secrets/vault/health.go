package vault

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// askEvery is how long it takes at most until a probe notices that something is wrong
// that no call has noticed.
const askEvery = 2 * time.Second

// Healthy says why Vault cannot be used at the moment, for a probe such as /readyz: that
// it cannot be reached, is sealed, is a standby that cannot hand requests on, is too slow
// or asks for patience, or that the login is refused. It asks for a token where there is
// none. However often it is called, it sends a request only when Vault has not answered
// as it should for 2 seconds, or calls have found it in trouble.
func (p *Provider) Healthy(ctx context.Context) error {
	in := p.state()
	t, err := in.session.get(ctx)
	if err != nil {
		return fmt.Errorf("vault: %w", err)
	}
	ask, verdict := in.toAsk()
	if !ask {
		return verdict
	}
	_, err = in.client.do(ctx, http.MethodGet, "auth/token/lookup-self", t.value, nil)
	switch {
	case denied(err) && in.lost(ctx, in.session, t, err):
		_, err = in.session.get(ctx)
	case denied(err):
		err = nil // a token may be without the policy that lets it look at itself
	}
	if err != nil {
		err = fmt.Errorf("vault: %w", err)
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.verdict = err
	return err
}

// toAsk says whether Vault is to be asked, which one probe of several does; the others
// have the last verdict.
func (p *provider) toAsk() (ask bool, verdict error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.session.now()
	switch {
	case p.client.breaker.trouble(): // which bounds what is sent
		return true, nil
	case now.Sub(time.Unix(0, p.client.heard.Load())) < askEvery:
		return false, nil
	case now.Sub(p.asked) < askEvery:
		return false, p.verdict
	}
	p.asked = now
	return true, nil
}
