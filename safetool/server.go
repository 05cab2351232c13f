package safetool

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/access"
	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/internal/bridge"
	"github.com/safemcp/safemcp/limit"
	"github.com/safemcp/safemcp/secrets"
	"github.com/safemcp/safemcp/validate"
)

// Options configure a [Server]. Audit must be set; the zero value of every other
// field is the strictest useful one. NewServer copies what it is given.
type Options struct {
	// Audit records every call before and after it; see audit.Open. Without a
	// record there is no call. It must be set, unless InsecureNoAudit gives a
	// reason.
	Audit audit.Recorder
	// Secrets issues the credentials that policies name. What it has issued is
	// redacted from everything that leaves the server.
	Secrets *secrets.Broker
	// Authorizer, if set, is asked after scopes and roles have been met.
	Authorizer access.Authorizer
	// Middleware wraps every tool's handler; the first is outermost.
	Middleware []Middleware
	// Allow are the allowlists that `validate:"allow=NAME"` may name. All tools share
	// their values, which are cached: see validate.Cached. tools/list shows them, and
	// clients are told when they change.
	Allow map[string]validate.Allowlist
	// Rules are the program's own, which `validate:"rule=NAME"` may name.
	Rules map[string]validate.Rule
	// Limits are the limits of every tool, resource and prompt whose policy says
	// nothing else. Zero fields take limit.Defaults.
	Limits limit.Limits
	// Limiter counts calls against the rates of Limits. Nil counts in this process;
	// several replicas of a server share one over a store of their own. Where it
	// fails, calls are refused.
	Limiter limit.Limiter
	// Explain gives the program's own errors their words: it returns the Problem
	// that the caller is told for err, or nil for an error that it does not
	// know. It is asked with errors.Is and errors.As in mind, only for errors
	// that have no words yet, and must be safe for concurrent use.
	Explain func(err error) *Problem
	// Logger receives warnings of wiring and of trouble with the audit log, and
	// is what Call.Logger logs to. Nil logs text to standard error.
	Logger *slog.Logger
	// SDK are the SDK's own options: instructions, completion and subscription
	// handlers and so on. The handlers are guarded like everything else.
	SDK *mcp.ServerOptions

	// InsecureObserve, for migration, gives the reason why refusals by rules on
	// arguments, unknown arguments and missing scopes are recorded as
	// would-refuse and let through. It never lets through what does not decode,
	// a high-risk tool, the undeclared or the unidentified. The reason is
	// audited at start.
	InsecureObserve string
	// InsecureNoAudit gives the reason why nothing is recorded. It is logged.
	InsecureNoAudit string
}

// A Server is a guarded MCP server. It owns the SDK's server and does not hand it
// out: whoever holds that can go around every guard. It is run by package serve,
// and safe for concurrent use.
type Server struct {
	sdk      *mcp.Server
	options  Options
	limits   limit.Limits
	log      *slog.Logger
	recorder audit.Recorder
	redactor *audit.Redactor
	identity audit.Server
	states   *sealer
	cursors  *sealer
	pageSize int

	catalogue   catalogue
	lookout     lookout
	callerSlots limit.Slots   // by principal
	callerRates limit.Buckets // by principal, where Options.Limiter is nil
	running     limit.Tally
	strayed     sync.Map // bindings whose values were in a message outside of any call, with its method
}

// NewServer returns a server that offers nothing yet: add to it with [AddTool]
// and its siblings, and run it with package serve. The error is a wiring mistake
// in a sentence, or an opt-out that could not be recorded.
func NewServer(impl *mcp.Implementation, o *Options) (*Server, error) {
	if impl == nil || impl.Name == "" {
		return nil, errors.New("safetool: NewServer needs an Implementation with a Name")
	}
	var options Options
	if o != nil {
		options = *o
	}
	options.Middleware, options.Allow = slices.Clone(options.Middleware), cached(options.Allow)
	options.Rules = maps.Clone(options.Rules)
	for _, m := range options.Middleware {
		if m == nil {
			return nil, errors.New("safetool: Options.Middleware has a nil element")
		}
	}
	if field := options.Limits.Check(); field != "" {
		return nil, fmt.Errorf("safetool: Options.Limits.%s is negative, or a rate that is half set", field)
	}
	s := &Server{options: options, limits: options.Limits.Or(limit.Defaults()), pageSize: mcp.DefaultPageSize}
	s.log = slog.New(&redactingHandler{inner: logHandler(options.Logger), broker: options.Secrets, stray: s.loggedLeak})
	if err := s.wireAudit(impl); err != nil {
		return nil, err
	}
	var err error
	if s.states, err = newSealer(); err != nil {
		return nil, fmt.Errorf("safetool: %w", err)
	}
	if s.cursors, err = newSealer(); err != nil {
		return nil, fmt.Errorf("safetool: %w", err)
	}
	if err := s.wireSDK(impl); err != nil {
		return nil, err
	}
	if err := s.recordOptOuts(); err != nil {
		return nil, err
	}
	s.options.Secrets.Watch(s.noticeOfSecrets)
	return s, nil
}

// cached copies allowlists. Each is cached here, once, so that what one tool lists another
// enforces.
func cached(lists map[string]validate.Allowlist) map[string]validate.Allowlist {
	lists = maps.Clone(lists)
	for name, list := range lists {
		if list != nil { // the tool that names it is refused
			lists[name] = validate.Cached(list, nil)
		}
	}
	return lists
}

// noticeOfSecrets records what happens to credentials between calls.
func (s *Server) noticeOfSecrets(n secrets.Notice) {
	reason := n.Reason
	if n.Tool != "" {
		reason = n.Tool + ": " + reason
	}
	_ = s.notice(context.Background(), "secrets", string(n.Kind), reason) // logged by record
}

func logHandler(l *slog.Logger) slog.Handler {
	if l != nil {
		return l.Handler()
	}
	return slog.NewTextHandler(os.Stderr, nil)
}

func (s *Server) wireAudit(impl *mcp.Implementation) error {
	s.recorder = s.options.Audit
	switch {
	case s.recorder != nil && s.options.InsecureNoAudit != "":
		return errors.New("safetool: Options has both Audit and InsecureNoAudit: choose one")
	case s.recorder == nil && s.options.InsecureNoAudit == "":
		return errors.New("safetool: Options.Audit is nil, so nothing could be recorded and every call would be refused: give audit.Open(dir, nil), or say why not in InsecureNoAudit")
	case s.recorder == nil:
		s.recorder = noAudit{}
		s.log.Warn("nothing that this server does is audited", "reason", s.options.InsecureNoAudit)
	}
	redactor, err := redactorOf(s.recorder)
	if err != nil {
		return fmt.Errorf("safetool: %w", err)
	}
	s.redactor = redactor
	s.identity = audit.Server{Name: impl.Name, Version: impl.Version, Instance: newID()}
	return nil
}

// wireSDK makes the SDK's server, with our middleware around all of it.
func (s *Server) wireSDK(impl *mcp.Implementation) (err error) {
	defer func() { // the SDK panics on options that contradict each other
		if r := recover(); r != nil {
			err = fmt.Errorf("safetool: Options.SDK: %v", r)
		}
	}()
	var sdk mcp.ServerOptions
	if s.options.SDK != nil {
		sdk = *s.options.SDK
	}
	s.options.SDK = &sdk
	if _, err := encodeAny(sdk.Capabilities); err != nil {
		return fmt.Errorf("safetool: Options.SDK.Capabilities: %w", err)
	}
	if sdk.PageSize > 0 {
		s.pageSize = sdk.PageSize
	}
	if sdk.Logger != nil { // the SDK logs where nothing recovers
		sdk.Logger = slog.New(&redactingHandler{inner: sdk.Logger.Handler(), broker: s.options.Secrets, stray: s.loggedLeak})
	}
	own := *impl
	s.sdk = mcp.NewServer(&own, &sdk)
	s.sdk.AddReceivingMiddleware(s.receive)
	s.sdk.AddSendingMiddleware(s.send)
	return nil
}

// InsecureSDKServer hands out the SDK's server, and with it the way around every
// guard: a tool added to it is called unchecked, middleware added to it answers
// outside of ours. The reason is audited; where that fails, so does this.
func (s *Server) InsecureSDKServer(reason string) (*mcp.Server, error) {
	if reason == "" {
		return nil, errors.New("safetool: InsecureSDKServer needs a reason")
	}
	if err := s.notice(context.Background(), "InsecureSDKServer", "opt_out", reason); err != nil {
		return nil, fmt.Errorf("safetool: the opt-out could not be recorded, so the SDK's server is not handed out: %w", err)
	}
	return s.sdk, nil
}

// ResourceUpdated tells the clients that subscribed to a resource that it has
// changed.
func (s *Server) ResourceUpdated(ctx context.Context, params *mcp.ResourceUpdatedNotificationParams) error {
	return s.sdk.ResourceUpdated(ctx, params) //nolint:wrapcheck // the SDK says what it could not send
}

// optOuts is what those mean that have more to say than their name.
var optOuts = map[string]string{
	"InsecureObserve":     "rules on arguments and scopes are observed, not enforced",
	"InsecureShortValues": "credentials may be too short to be redacted from what leaves",
	"InsecurePlaintext":   "credentials travel unencrypted from their store",
}

func (s *Server) recordOptOuts() error {
	off := s.options.Secrets.OptOuts()
	if s.options.InsecureObserve != "" {
		off["InsecureObserve"] = s.options.InsecureObserve
	}
	for _, name := range slices.Sorted(maps.Keys(off)) {
		s.log.Warn("a defence is off: "+cmp.Or(optOuts[name], name), "reason", off[name])
		if err := s.notice(context.Background(), name, "opt_out", off[name]); err != nil {
			return fmt.Errorf("safetool: the opt-out %s could not be recorded: %w", name, err)
		}
	}
	return nil
}

// recordTimeout bounds how long a record may take. A log that does not answer in
// time counts as one that does not record.
const recordTimeout = 5 * time.Second

// recorderTimeout bounds how long a recorder is waited for that does not keep to its
// context: longer than it may take for the two events that an outcome can be.
const recorderTimeout = 3 * recordTimeout

func init() {
	bridge.Open = func(server any) bridge.Gate {
		s := server.(*Server) //nolint:forcetypeassert // serve and safetooltest pass nothing else
		return bridge.Gate{
			SDK: s.sdk, Start: s.started, Stop: s.stopped, Refused: s.refusedAtDoor,
			Needs: s.needs, Scopes: s.scopes, Ready: s.ready, Notice: s.notice,
		}
	}
	bridge.WithCall = func(ctx context.Context, spec bridge.CallSpec) (context.Context, func()) {
		c := &Call{
			id: newID(), tool: spec.Tool, principal: &spec.Principal, arguments: spec.Arguments,
			logger: slog.New(slog.DiscardHandler), credentials: spec.Credentials,
		}
		return withCall(ctx, c), c.end
	}
}

// started records that the server begins to serve on a transport.
func (s *Server) started(ctx context.Context, transport string) error {
	if err := s.notice(ctx, "server", "start", "serving on "+transport); err != nil {
		return err
	}
	s.lookout.serve(s, 1)
	return nil
}

// stopped waits, within ctx, for handlers that are still running, and records the
// end.
func (s *Server) stopped(ctx context.Context, transport, reason string) error {
	s.lookout.serve(s, -1)
	left := s.running.Wait(ctx)
	text := "stopped serving on " + transport + ": " + reason
	if left > 0 {
		text += fmt.Sprintf("; %d handlers had not returned", left)
	}
	return s.notice(context.WithoutCancel(ctx), "server", "stop", text)
}
