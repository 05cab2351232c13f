// Package vault issues credentials from a HashiCorp Vault, or an OpenBao, which has the
// same API: stored values (KV version 2) and users of a database that are made for the
// occasion.
//
//	provider, err := vault.New("https://vault.example.org:8200", &vault.Options{
//		Login: vault.AppRole(vault.AppRoleOptions{RoleID: roleID, SecretIDFile: "/run/secrets/vault", Wrapped: true}),
//		ToolPolicies: func(tool string) []string { return []string{"tool-" + tool} },
//	})
//	defer provider.Close(ctx)
//	broker := secrets.NewBroker(provider, nil)
//
// # Tokens
//
// The provider logs in when it first needs to, renews its token when two thirds of its
// life are over, and logs in again when it has ended. With Options.ToolPolicies each
// tool works with a child token of its own, which has those policies alone and a life
// that cannot be extended. Revoking the provider's token ends all of them, and with
// them every lease that they made: Close does. A caller's own token is never sent to
// Vault.
//
// # Paths
//
// The path of a binding is written down by the server's author, and checked when the
// server is put together. A part of it may be {tenant}: it is filled from the tenant of
// a caller who is known, where that is 1 to 63 of a to z, 0 to 9 and "-", and the call
// is refused otherwise.
//
// # Trouble
//
// A request has 3 seconds and one attempt. A Vault that cannot be reached, is sealed,
// is a standby or asks for patience makes every Issue fail with [secrets.ErrUnavailable];
// after three such failures one request is tried now and then, from every quarter of a
// second to every five, and all others fail at once.
package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/safemcp/safemcp/secrets"
)

// Options change how a Vault is used.
type Options struct {
	// Login is how the provider proves what it is. It is needed.
	Login Login
	// ToolPolicies names the policies of a tool's own token. Where it is nil, every
	// tool works with the provider's token. It has to be safe for concurrent use.
	ToolPolicies func(tool string) []string
	// ToolLifetime is how long a tool's token lives at most, and so every lease that
	// it makes: zero is an hour.
	ToolLifetime time.Duration
	// Namespace is that of the Enterprise edition or of OpenBao.
	Namespace string
	// KVMount and DatabaseMount are where the engines are mounted: "secret" and
	// "database" where empty.
	KVMount, DatabaseMount string
	// Timeout bounds one request; zero is 3 seconds.
	Timeout time.Duration
	// CACert is the certificates in PEM that Vault's is signed by, where the
	// system's are not to be asked. ServerName is the name in Vault's certificate,
	// where it is not that of the address.
	CACert     []byte
	ServerName string
	// InsecurePlaintext gives the reason why secrets may travel unencrypted to an
	// address that is not this machine's. [Provider.InsecurePlaintext] returns it.
	InsecurePlaintext string
}

// A Provider issues credentials from a Vault. It is safe for concurrent use.
type Provider struct {
	state func() *provider // a closure, so that nothing prints what is in it
}

type provider struct {
	options Options
	client  *client
	session *session
	stop    chan struct{}
	stopped sync.Once

	mu    sync.Mutex
	tools map[string]*session // of the tools' own tokens
}

var _ secrets.Provider = (*Provider)(nil)

// mountName is what a mount may be called.
var mountName = regexp.MustCompile(`^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$`)

// New returns a provider for the Vault at address, "https://…" or on this machine
// "http://…". It sends nothing yet: a Vault that is down now may be there at the first
// call. The error says what is wrong with the options. Close it.
func New(address string, o *Options) (*Provider, error) {
	if o == nil || o.Login == nil {
		return nil, errors.New("vault: Options.Login is needed: Token, AppRole, JWT or Kubernetes")
	}
	p := &provider{options: *o, stop: make(chan struct{}), tools: map[string]*session{}}
	options := &p.options
	for mount, normal := range map[*string]string{&options.KVMount: "secret", &options.DatabaseMount: "database"} {
		if *mount == "" {
			*mount = normal
		}
		if !mountName.MatchString(*mount) {
			return nil, errors.New("vault: the name of a mount has letters, digits, - and _, and slashes between them")
		}
	}
	if options.Timeout == 0 {
		options.Timeout = requestTimeout
	}
	if options.ToolLifetime == 0 {
		options.ToolLifetime = time.Hour
	}
	if options.Timeout < 0 || options.ToolLifetime < time.Second {
		return nil, errors.New("vault: Options.Timeout is negative, or Options.ToolLifetime is under a second")
	}
	var err error
	if p.client, err = newClient(address, options); err != nil {
		return nil, err
	}
	p.session = &session{client: p.client, login: options.Login, now: time.Now, budget: 2 * options.Timeout}
	go p.keep()
	return &Provider{state: func() *provider { return p }}, nil
}

// InsecurePlaintext returns the reason that Options gave.
func (p *Provider) InsecurePlaintext() string { return p.state().options.InsecurePlaintext }

// String says what it is, and nothing of what it holds.
func (*Provider) String() string { return "vault.Provider" }

// Supports refuses bindings that are not made with [secrets.KV] or [secrets.Database],
// those that Binding.Check refuses, and braces in a path other than the part {tenant}.
func (*Provider) Supports(b secrets.Binding) error {
	if err := b.Check(); err != nil {
		return err
	}
	switch b.Kind() {
	case secrets.KindKV:
		for part := range strings.SplitSeq(b.Path(), "/") {
			if part != tenantPart && strings.ContainsAny(part, "{}") {
				return fmt.Errorf("vault: %s: the only part in braces is %s", b, tenantPart)
			}
		}
		return nil
	case secrets.KindDatabase:
		if strings.ContainsAny(b.Path(), "{}") {
			return fmt.Errorf("vault: %s: a role has no braces", b)
		}
		return nil
	}
	return fmt.Errorf("vault: %s: %w", b, secrets.ErrUnsupported)
}

const tenantPart = "{tenant}"

var tenantName = regexp.MustCompile(`^[a-z0-9-]{1,63}$`)

// pathOf fills a path, and escapes its parts: they have been checked, and hold none that
// mean something else.
func pathOf(path, tenant string) (string, error) {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if part == tenantPart {
			if !tenantName.MatchString(tenant) {
				return "", errors.New("vault: the credential is that of a tenant, and the caller has none that a path can name")
			}
			part = tenant
		}
		parts[i] = url.PathEscape(part)
	}
	return strings.Join(parts, "/"), nil
}

// Issue implements [secrets.Provider].
func (p *Provider) Issue(ctx context.Context, r secrets.Request) (*secrets.Credential, error) {
	in := p.state()
	if err := p.Supports(r.Binding); err != nil {
		return nil, err
	}
	path, err := pathOf(r.Binding.Path(), r.Tenant)
	if err != nil {
		return nil, err
	}
	if r.Binding.Kind() == secrets.KindDatabase {
		return in.database(ctx, r, path)
	}
	return in.kv(ctx, r, path)
}

// kv reads the latest version of a stored value.
func (p *provider) kv(ctx context.Context, r secrets.Request, path string) (*secrets.Credential, error) {
	a, _, err := p.as(ctx, r.Tool, http.MethodGet, p.options.KVMount+"/data/"+path, nil)
	if err != nil {
		return nil, fmt.Errorf("vault: %s: %w", r.Binding, err)
	}
	var entry struct {
		Data     map[string]any `json:"data"`
		Metadata struct {
			Version int `json:"version"`
		} `json:"metadata"`
	}
	if err := a.into(&entry); err != nil {
		return nil, fmt.Errorf("vault: %s: %w", r.Binding, err)
	}
	field, there := entry.Data[r.Binding.Field()]
	if !there {
		return nil, fmt.Errorf("vault: %s: %w", r.Binding, secrets.ErrNotFound)
	}
	text, is := field.(string)
	if !is || text == "" {
		return nil, fmt.Errorf("vault: %s: the field is no text, or an empty one", r.Binding)
	}
	return secrets.NewCredential(secrets.CredentialData{
		Binding: r.Binding, Value: secrets.NewSecret([]byte(text)), Version: fmt.Sprintf("v%d", entry.Metadata.Version),
	})
}

// database has a user made.
func (p *provider) database(ctx context.Context, r secrets.Request, role string) (*secrets.Credential, error) {
	begun := time.Now()
	a, t, err := p.as(ctx, r.Tool, http.MethodGet, p.options.DatabaseMount+"/creds/"+role, nil)
	if err != nil {
		return nil, fmt.Errorf("vault: %s: %w", r.Binding, err)
	}
	var user struct {
		Username string `json:"username"`
		Password string `json:"password"`
	}
	if err := a.into(&user); err != nil || user.Password == "" || a.LeaseID == "" {
		return nil, fmt.Errorf("vault: %s: the answer is no user of a database", r.Binding)
	}
	expires := begun.Add(time.Duration(a.LeaseDuration) * time.Second)
	if end := t.expires(); !end.IsZero() && !t.renews && end.Before(expires) {
		expires = end // the lease ends with the token that made it
	}
	return secrets.NewCredential(secrets.CredentialData{
		Binding: r.Binding, Value: secrets.NewSecret([]byte(user.Password)), ID: a.LeaseID, Version: a.LeaseID[strings.LastIndexByte(a.LeaseID, '/')+1:],
		Fields:  map[string]secrets.Secret{"username": secrets.NewSecret([]byte(user.Username)), "password": secrets.NewSecret([]byte(user.Password))},
		Expires: expires,
	})
}

// into decodes the data of an answer.
func (a *answer) into(v any) error {
	if len(a.Data) == 0 || json.Unmarshal(a.Data, v) != nil {
		return errors.New("the answer has not the form that is expected")
	}
	return nil
}

// Renew implements [secrets.Provider]: it extends a lease of a database user.
func (p *Provider) Renew(ctx context.Context, c *secrets.Credential) (*secrets.Credential, error) {
	if c.ID() == "" {
		return nil, secrets.ErrNotRenewable
	}
	in := p.state()
	begun := time.Now()
	a, t, err := in.as(ctx, "", http.MethodPut, "sys/leases/renew", map[string]any{"lease_id": c.ID()})
	if err != nil {
		return nil, fmt.Errorf("vault: renewing %s: %w", c.Binding(), err)
	}
	expires := begun.Add(time.Duration(a.LeaseDuration) * time.Second)
	if end := t.expires(); !end.IsZero() && !t.renews && end.Before(expires) {
		expires = end
	}
	if !a.Renewable && !expires.After(c.Expires()) {
		return nil, secrets.ErrNotRenewable
	}
	data := secrets.CredentialData{Binding: c.Binding(), Value: c.Secret(), ID: c.ID(), Version: c.Version(), Expires: expires, Fields: map[string]secrets.Secret{}}
	for _, name := range []string{"username", "password"} {
		if value, there := c.Field(name); there {
			data.Fields[name] = value
		}
	}
	return secrets.NewCredential(data)
}

// Revoke implements [secrets.Provider]: it ends a lease. The provider's token needs the
// capability update on sys/leases/revoke for it; without that, Close still ends all of
// them with the token that made them.
func (p *Provider) Revoke(ctx context.Context, c *secrets.Credential) error {
	if c.ID() == "" {
		return nil // what is stored stays
	}
	_, _, err := p.state().as(ctx, "", http.MethodPut, "sys/leases/revoke", map[string]any{"lease_id": c.ID(), "sync": true})
	if err != nil {
		return fmt.Errorf("vault: revoking a lease for %s: %w", c.Binding(), err)
	}
	return nil
}

// Healthy says why Vault cannot be used at the moment, as far as that is known: it asks
// for a token, and sends nothing where there is one and no trouble.
func (p *Provider) Healthy(ctx context.Context) error {
	in := p.state()
	if err := in.client.breaker.trouble(); err != nil {
		if _, ended := in.client.do(ctx, http.MethodGet, "sys/health", secrets.Secret{}, nil); ended != nil {
			return fmt.Errorf("vault: %w", ended)
		}
	}
	if _, err := in.session.get(ctx); err != nil {
		return fmt.Errorf("vault: %w", err)
	}
	return nil
}

// Close revokes the tokens that the provider has got, and so every lease that was made
// with them, within ctx. A token that was given is left. A second Close does nothing.
func (p *Provider) Close(ctx context.Context) (err error) {
	in := p.state()
	in.stopped.Do(func() {
		close(in.stop)
		sessions := in.sessions()
		for i := range sessions { // children first: they are ours where the parent was given
			t := sessions[len(sessions)-1-i].held()
			if t == nil || t.given {
				continue
			}
			if _, rerr := in.client.do(ctx, http.MethodPost, "auth/token/revoke-self", t.value, nil); rerr != nil {
				err = errors.Join(err, fmt.Errorf("vault: revoking a token: %w", rerr))
			}
		}
		in.client.http.CloseIdleConnections()
	})
	return err
}
