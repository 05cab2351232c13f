// Package vault issues credentials from a HashiCorp Vault, or an OpenBao, which has the
// same API: stored values (KV version 2), users of a database that are made for the
// occasion, and keys (transit) that sign, hash, encrypt and decrypt without leaving Vault.
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
// tool works with a child token of its own, which has those policies, Vault's "default"
// and no others when it is made, and a life that cannot be extended. Revoking the provider's token ends all of them, and with
// them every lease that they made: Close does. A credential says that it ends no later
// than the token that it was made with. A caller's own token is never sent to Vault.
//
// # Journal
//
// A process that is killed revokes nothing. With Options.Journal each process writes the
// accessors of its tokens into a file of its own, on disk before a token is used, and
// holds it locked while it lives; with a token that was given, which is not ours to
// revoke, its leases. Whichever process next uses Vault with the same directory revokes
// what is in the files that nobody holds, and goes on trying while Vault is away. An
// accessor and a lease's name can be ended with by those whose token may, and not be
// used. What is lost is a token that Vault made and that the process had not read yet
// when it was killed: it lives until its time is over.
//
// # Keys
//
// A binding made with [secrets.Transit] gives a [secrets.Key]. Each use of it is a request
// with the tool's own token, so Vault's audit log has each, under the accessor that the
// credential's [secrets.Origin] names: one credential may be used often, and a request of
// its own is that which looked the key up. A message, a digest or a plaintext has 512 KiB
// at most.
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
// is a standby that cannot hand a request on, is slow or asks for patience makes every
// Issue fail with [secrets.ErrUnavailable]; after three such failures one request is tried
// now and then, from every quarter of a second to every five, and all others fail at once.
// How long Vault asks to be left alone (Retry-After) is kept to, up to those five seconds.
// A database that cannot be reached is one for itself, with connections of its own, and
// closes Vault to nobody else; only what is done to leases waits for each other's. A
// login that is refused is tried again at that pace, too.
//
// A token that was revoked is replaced when Vault denies something to it. What the policies
// do not allow, and a login that is refused, is [secrets.ErrDenied]; a value, a role, a key
// or a lease that is not there any more [secrets.ErrNotFound]. Calls notice each of these by
// themselves, Renew the end of a lease, and [Provider.Healthy] within 2 seconds what no
// call has noticed.
package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/safemcp/safemcp/secrets"
)

// A Provider issues credentials from a Vault. It is safe for concurrent use.
type Provider struct {
	state func() *provider // a closure, so that nothing prints what is in it
}

type provider struct {
	options Options
	client  *client
	session *session
	leases  leases
	journal *journal // nil where there is none

	stop            chan struct{}
	halt            func() // closes stop, and ends what runs in the background
	kept, inherited chan struct{}
	issuing         sync.WaitGroup
	underWay        atomic.Int64 // how many it waits for
	stopped         sync.Once

	mu      sync.Mutex
	tools   map[string]*session // of the tools' own tokens
	closed  bool
	asked   time.Time // when Healthy last asked Vault
	verdict error     // and what came of it
}

var _ secrets.Provider = (*Provider)(nil)

// New returns a provider for the Vault at address, "https://…" or on this machine
// "http://…". It sends nothing yet: a Vault that is down now may be there at the first
// call. The error says what is wrong with the options. Close it.
func New(address string, o *Options) (*Provider, error) {
	if o == nil || o.Login == nil {
		return nil, errors.New("vault: Options.Login is needed: Token, AppRole, JWT or Kubernetes")
	}
	p := &provider{
		options: *o, leases: leases{held: map[string]*lease{}}, tools: map[string]*session{},
		stop: make(chan struct{}), kept: make(chan struct{}), inherited: make(chan struct{}),
	}
	if err := p.options.complete(); err != nil {
		return nil, err
	}
	var err error
	if p.client, err = newClient(address, &p.options); err != nil {
		return nil, err
	}
	p.session = p.newSession(p.options.Login)
	if p.journal, err = openJournal(p.options.Journal, entry{Vault: p.client.base, Namespace: p.options.Namespace}); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.halt = func() { close(p.stop); cancel() }
	go p.keep()
	go func() {
		defer close(p.inherited)
		if p.journal != nil {
			p.inherit(ctx)
		}
	}()
	return &Provider{state: func() *provider { return p }}, nil
}

// OptOuts returns which defences are off, and why: a server records them, by its broker.
func (p *Provider) OptOuts() map[string]string {
	if reason := p.state().options.InsecurePlaintext; reason != "" {
		return map[string]string{"InsecurePlaintext": reason}
	}
	return nil
}

// String says what it is, and nothing of what it holds.
func (*Provider) String() string { return "vault.Provider" }

// Supports refuses bindings that Binding.Check refuses, and braces other than the part
// {tenant} of the path of a stored value.
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
	case secrets.KindDatabase, secrets.KindTransit:
		if strings.ContainsAny(b.Path(), "{}") {
			return fmt.Errorf("vault: %s: the name of a role or a key has no braces", b)
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
	end, err := in.begin()
	if err != nil {
		return nil, err
	}
	defer end()
	switch r.Binding.Kind() {
	case secrets.KindDatabase:
		return in.database(ctx, r, path)
	case secrets.KindTransit:
		return in.transit(ctx, r, path)
	}
	return in.kv(ctx, r, path)
}

// tell logs. A handler that panics ends nothing that is under way.
func (p *provider) tell(ctx context.Context, level slog.Level, text string, args ...any) {
	defer func() { _ = recover() }()
	p.options.Logger.Log(ctx, level, text, args...)
}

// into decodes the data of an answer.
func (a *answer) into(v any) error {
	if len(a.Data) == 0 || json.Unmarshal(a.Data, v) != nil {
		return errors.New("the answer has not the form that is expected")
	}
	return nil
}
