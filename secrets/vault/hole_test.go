package vault_test

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/safemcp/safemcp/secrets"
	"github.com/safemcp/safemcp/secrets/vault"
)

// A connection that has become a black hole, as one does when a machine or a way to it goes
// away without a word, is not used again: what is reached by another one is reached.
func TestABlackHoleIsLeft(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 1 {
			t.Errorf("it is asked with %s", r.Proto)
		}
		fine(w)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	var swallows, all sync.Map // the connections that there were when the way went away, and all
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				return
			}
			all.Store(conn, true)
			t.Cleanup(func() { _, _ = conn.Close(), out.Close() })
			relay := func(to io.Writer, from io.Reader) {
				buf := make([]byte, 32<<10)
				for {
					n, err := from.Read(buf)
					if err != nil {
						return
					}
					if _, is := swallows.Load(conn); !is {
						_, _ = to.Write(buf[:n])
					}
				}
			}
			go relay(out, conn)
			go relay(conn, out)
		}
	}()
	roots := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	p, err := vault.New("https://"+listener.Addr().String(), &vault.Options{
		Login: vault.Token(secrets.NewSecret([]byte("hvs.the-token-of-the-test"))), CACert: roots, ServerName: "example.com", Timeout: 500 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close(t.Context()) })
	request := secrets.Request{Tool: "t", Binding: secrets.KV("app/share", "key")}
	if _, err := p.Issue(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	all.Range(func(conn, _ any) bool { swallows.Store(conn, true); return true })
	for range 10 {
		if _, err = p.Issue(t.Context(), request); err == nil {
			return
		}
	}
	t.Error(err)
}

// However many roles of a database hang, what needs no database is served.
func TestADatabaseThatHangsTakesNoConnectionFromOthers(t *testing.T) {
	t.Parallel()
	const many = 64
	hang, hung := make(chan struct{}), make(chan struct{}, many)
	p, _ := pretended(t, &vault.Options{Timeout: time.Minute}, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/creds/") {
			hung <- struct{}{}
			<-hang
		}
		fine(w)
	})
	var wait sync.WaitGroup
	defer wait.Wait()
	defer close(hang)
	for i := range many {
		wait.Go(func() {
			_, _ = p.Issue(t.Context(), secrets.Request{Tool: "t", Binding: secrets.Database(fmt.Sprint("role", i))})
		})
	}
	for range 16 { // as many as there are connections
		<-hung
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, err := p.Issue(ctx, secrets.Request{Tool: "t", Binding: secrets.KV("app/share", "key")}); err != nil {
		t.Error(err)
	}
}

// A database whose users cannot be kept or taken away does not close Vault to what needs none.
func TestALeaseInTroubleClosesVaultToNobody(t *testing.T) {
	t.Parallel()
	p, _ := pretended(t, &vault.Options{}, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.Contains(r.URL.Path, "/leases/"):
			w.WriteHeader(http.StatusInternalServerError)
		case strings.Contains(r.URL.Path, "/creds/"):
			_, _ = w.Write([]byte(`{"lease_id":"database/creds/r/l","lease_duration":3600,"data":{"username":"the-user","password":"the-password"}}`))
		default:
			fine(w)
		}
	})
	c, err := p.Issue(t.Context(), secrets.Request{Tool: "t", Binding: secrets.Database("r")})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if err := p.Revoke(t.Context(), c); !errors.Is(err, secrets.ErrUnavailable) {
			t.Errorf("the database is away: %v", err)
		}
		if _, err := p.Renew(t.Context(), c); !errors.Is(err, secrets.ErrUnavailable) {
			t.Errorf("the database is away: %v", err)
		}
	}
	if _, err := p.Issue(t.Context(), secrets.Request{Tool: "t", Binding: secrets.KV("app/share", "key")}); err != nil {
		t.Error(err)
	}
}
