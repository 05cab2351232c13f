package vault

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/safemcp/safemcp/secrets"
)

// database has a user made.
func (p *provider) database(ctx context.Context, r secrets.Request, role string) (*secrets.Credential, error) {
	begun := p.session.now()
	a, t, err := p.as(ctx, r.Tool, http.MethodGet, p.options.DatabaseMount+"/creds/"+role, nil)
	if err != nil {
		return nil, fmt.Errorf("vault: %s: %w", r.Binding, err)
	}
	var user struct {
		Username string `json:"username"`
		Password string `json:"password"`
	}
	if err := a.into(&user); err != nil || user.Password == "" || user.Username == "" || a.LeaseID == "" {
		return nil, fmt.Errorf("vault: %s: the answer is no user of a database", r.Binding)
	}
	l := &lease{tool: r.Tool, token: t}
	expires := l.until(begun, a.LeaseDuration)
	if err := p.keepLease(a.LeaseID, l, expires); err != nil {
		p.giveBack(ctx, a.LeaseID, t)
		return nil, fmt.Errorf("vault: %s: %w", r.Binding, err)
	}
	c, err := secrets.NewCredential(secrets.CredentialData{
		Binding: r.Binding, Value: secrets.NewSecret([]byte(user.Password)), ID: a.LeaseID, Version: a.LeaseID[strings.LastIndexByte(a.LeaseID, '/')+1:],
		Fields:  map[string]secrets.Secret{"username": secrets.NewSecret([]byte(user.Username)), "password": secrets.NewSecret([]byte(user.Password))},
		Expires: expires, Origin: t.origin(a, r.Binding.Path()),
	})
	if err != nil {
		p.giveBack(ctx, a.LeaseID, t)
	}
	return c, err
}

// until is when a lease of so many seconds ends: with the token that made it, at the
// latest, however long Vault says that it is.
func (l *lease) until(begun time.Time, duration int) time.Time {
	expires := begun.Add(seconds(duration))
	if end := l.token.expires(); !end.IsZero() && end.Before(expires) {
		return end
	}
	return expires
}
