package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"os/user"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/safemcp/safemcp/access"
	"github.com/safemcp/safemcp/internal/bridge"
	"github.com/safemcp/safemcp/safetool"
)

// StdioOptions change how a server is run over standard input and output. Nil is the
// zero value.
type StdioOptions struct {
	// Scopes and Roles are what the user who started the program is granted.
	Scopes, Roles []string
	// FrameBytes bounds a message, in bytes; zero is 4 MiB.
	FrameBytes int
	// Depth bounds how deep a message is nested; zero is 128. The arguments of a
	// tool have a limit of their own within.
	Depth int
	// Drain is how long calls that run at the end of the input, or when the program
	// is told to end, may take to be answered; zero is 10 seconds.
	Drain time.Duration
	// IgnoreSignals leaves SIGINT and SIGTERM to the program, which ends the server
	// through the context.
	IgnoreSignals bool
}

// Defaults of StdioOptions, and what the end takes beyond the drain at most.
const (
	defaultFrame = 4 << 20
	defaultDepth = 128
	defaultDrain = 10 * time.Second
	lastWords    = 2 * time.Second
)

// serving says that standard input and output are taken: there is one of each.
var serving atomic.Bool

// Stdio serves the client that started this program, over standard input and output,
// until the input ends, ctx is done, or SIGINT or SIGTERM comes. Then nothing more is
// read, calls that run are answered within the drain, and the end is recorded. A
// second signal ends it at once. It returns nil after each of these but the last.
//
// The caller is the user of the operating system, the principal "os|NAME", with the
// scopes and roles of the options.
//
// While it runs, nothing but the protocol is written to standard output: os.Stdout,
// descriptor 1 and what child processes inherit of it lead to standard error, and
// standard input, for all but the protocol, is empty.
func Stdio(ctx context.Context, server *safetool.Server, o *StdioOptions) (err error) {
	if server == nil {
		return errors.New("serve: Stdio needs a server")
	}
	options, err := o.complete()
	if err != nil {
		return err
	}
	if !serving.CompareAndSwap(false, true) {
		return errors.New("serve: Stdio is running already: a process has one standard input and output")
	}
	defer serving.Store(false)
	streams, err := takeOver()
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	defer func() { err = errors.Join(err, streams.restore()) }()

	// Asked for, the signal does not end the program when a handler writes to a
	// standard error, or output, that nobody reads any more; the write fails instead.
	// A client that is killed would otherwise take the records of its calls with it.
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, syscall.SIGPIPE)
	defer signal.Stop(pipe)

	signals := make(chan os.Signal, 2)
	if !options.IgnoreSignals {
		signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
		defer signal.Stop(signals)
	}
	return run(ctx, bridge.Open(server), streams.in, streams.out, options, signals)
}

// complete checks the options and fills in the defaults.
func (o *StdioOptions) complete() (*StdioOptions, error) {
	var out StdioOptions
	if o != nil {
		out = *o
	}
	if out.FrameBytes < 0 || out.Depth < 0 || out.Drain < 0 {
		return nil, errors.New("serve: FrameBytes, Depth and Drain of StdioOptions are not negative; zero is the default")
	}
	if out.FrameBytes == 0 {
		out.FrameBytes = defaultFrame
	}
	if out.Depth == 0 {
		out.Depth = defaultDepth
	}
	if out.Drain == 0 {
		out.Drain = defaultDrain
	}
	return &out, nil
}

// run serves one client over a pair of streams.
func run(ctx context.Context, gate bridge.Gate, in io.Reader, out io.Writer, o *StdioOptions, signals <-chan os.Signal) error {
	caller := bridge.Caller{Principal: osUser(), Transport: "stdio"}
	caller.Principal.Scopes, caller.Principal.Roles = o.Scopes, o.Roles
	if err := gate.Start(ctx, "stdio"); err != nil {
		return fmt.Errorf("serve: nothing is served, since the start could not be recorded: %w", err)
	}
	detached := context.WithoutCancel(ctx)
	c := newConn(in, out, caller, gate, o)
	reason, err := serveConn(ctx, detached, gate, c, o, signals)
	c.flood.flush()
	ending, cancel := context.WithTimeout(detached, lastWords)
	defer cancel()
	if serr := gate.Stop(ending, "stdio", reason); serr != nil {
		err = errors.Join(err, fmt.Errorf("serve: the end could not be recorded: %w", serr))
	}
	return err
}

// errForced is returned after a second signal.
var errForced = errors.New("serve: ended by a second signal, without waiting for calls that were running")

// serveConn serves until the end, and says in words what it was.
func serveConn(ctx, detached context.Context, gate bridge.Gate, c *conn, o *StdioOptions, signals <-chan os.Signal) (string, error) {
	session, err := gate.SDK.Connect(detached, c, nil)
	if err != nil {
		return "it could not connect", fmt.Errorf("serve: connecting: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- session.Wait() }()
	reason := "the input ended"
	var late <-chan time.Time
	done, ending := ctx.Done(), c.ending
	signalled := false
	for {
		select {
		case err := <-ended:
			if err != nil && !errors.Is(err, io.EOF) {
				return "the connection failed", fmt.Errorf("serve: the connection failed: %w", err)
			}
			return reason, nil
		case s := <-signals:
			if signalled {
				_ = c.Close()
				return "a second signal", errForced
			}
			signalled = true
			reason = "the signal " + s.String()
			c.end()
		case <-done:
			done = nil
			reason = "the program ended it"
			c.end()
		case <-ending:
			ending = nil
			if c.broken.Load() && !signalled && done != nil {
				reason = "the client was gone"
			}
			late = time.After(o.Drain + lastWords)
		case <-late:
			return reason + "; handlers were still running, or the client did not take its answers", nil
		}
	}
}

// osUser is who started the program.
func osUser() access.Principal {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return access.NewPrincipal("os", u.Username)
	}
	return access.NewPrincipal("os", strconv.Itoa(os.Getuid()))
}
