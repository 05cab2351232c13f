package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/safemcp/safemcp/internal/bridge"
	"github.com/safemcp/safemcp/safetool"
)

// mostHeaderBytes bounds the headers of a request: a token of 8 KiB and some.
const mostHeaderBytes = 32 << 10

// HTTP serves clients of every protocol version over Streamable HTTP, on one endpoint,
// until ctx is done, or SIGINT or SIGTERM comes. Then new requests are refused, calls
// that run are answered within the drain, sessions and streams end, and the end is
// recorded. A second signal ends it at once. It returns nil after each of these but the
// last.
//
// Clients of 2026-07-28 and later are served without sessions, older ones with; a
// session belongs to the principal that began it. Who calls is established anew for
// each request.
func HTTP(ctx context.Context, server *safetool.Server, o *HTTPOptions) error {
	if server == nil {
		return errors.New("serve: HTTP needs a server")
	}
	options, err := o.complete()
	if err != nil {
		return err
	}
	if err := options.listens(); err != nil {
		return err
	}
	config, err := options.tls()
	if err != nil {
		return err
	}
	signals := make(chan os.Signal, 2)
	if !options.IgnoreSignals {
		signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
		defer signal.Stop(signals)
	}
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", options.Address)
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	endpoint, err := newEndpoint(bridge.Open(server), options)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	bounded := bound(listener, options.Connections)
	h := &http.Server{
		Handler: endpoint, TLSConfig: config,
		ReadHeaderTimeout: options.HeaderTimeout, IdleTimeout: options.IdleTimeout, MaxHeaderBytes: mostHeaderBytes,
		ErrorLog: log.New(io.Discard, "", 0), // it quotes what clients sent
	}
	ended := make(chan error, 1)
	go func() {
		if config != nil {
			ended <- h.ServeTLS(bounded, "", "")
			return
		}
		ended <- h.Serve(bounded)
	}()
	if options.Listening != nil {
		options.Listening(listener.Addr())
	}
	return endpoint.until(ctx, h, ended, signals)
}

// until serves until the end, and ends it.
func (e *Endpoint) until(ctx context.Context, h *http.Server, ended <-chan error, signals <-chan os.Signal) error {
	reason, err := "the program ended it", error(nil)
	select {
	case <-ctx.Done():
	case s := <-signals:
		reason = "the signal " + s.String()
	case err = <-ended:
		reason, err = "the listener failed", fmt.Errorf("serve: %w", err)
	}
	drain, hurry := context.WithTimeout(context.WithoutCancel(ctx), e.o.Drain)
	defer hurry()
	done := make(chan error, 1)
	go func() {
		err := e.stop(drain, reason)
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
		defer cancel()
		if h.Shutdown(closing) != nil {
			_ = h.Close() // whoever is still there has had its time
		}
		done <- err
	}()
	select {
	case serr := <-done:
		return errors.Join(err, serr)
	case <-signals:
		hurry()
		_ = h.Close()
		now, cancel := context.WithCancel(ctx)
		cancel()
		return errors.Join(errForced, e.stop(now, "a second signal"))
	}
}

// A boundedListener refuses connections beyond a bound, by closing them: one that
// waited would wait behind those who hold theirs.
type boundedListener struct {
	net.Listener
	slots chan struct{}
}

func bound(l net.Listener, most int) net.Listener {
	return &boundedListener{l, make(chan struct{}, most)}
}

func (l *boundedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err //nolint:wrapcheck // http.Server looks at it
		}
		select {
		case l.slots <- struct{}{}:
			return &boundedConn{Conn: c, free: sync.OnceFunc(func() { <-l.slots })}, nil
		default:
			_ = c.SetDeadline(time.Now())
			_ = c.Close()
		}
	}
}

type boundedConn struct {
	net.Conn
	free func()
}

func (c *boundedConn) Close() error {
	c.free()
	return c.Conn.Close() //nolint:wrapcheck // a connection's own
}
