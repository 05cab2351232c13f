package serve

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/safemcp/safemcp/access"
)

// An assault is what attackers do at once, until ctx is done.
type assault struct {
	t       *testing.T
	ctx     context.Context
	address string
	all     sync.WaitGroup
	answers sync.Map // status → *atomic.Int64
}

func (a *assault) count(status int) {
	n, _ := a.answers.LoadOrStore(status, new(atomic.Int64))
	n.(*atomic.Int64).Add(1)
}

// each does f n times side by side, again and again.
func (a *assault) each(n int, f func(i int) error) {
	for i := range n {
		a.all.Go(func() {
			for a.ctx.Err() == nil {
				if f(i) != nil {
					runtime.Gosched()
				}
			}
		})
	}
}

// held opens a connection, sends the beginning of something, and holds it until the
// server lets it go.
func (a *assault) held(beginning string) func(int) error {
	return func(int) error {
		c, err := (&net.Dialer{}).DialContext(a.ctx, "tcp", a.address)
		if err != nil {
			return err
		}
		stop := context.AfterFunc(a.ctx, func() { _ = c.Close() })
		defer stop()
		defer c.Close()
		if _, err := io.WriteString(c, beginning); err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, c)
		return err
	}
}

// sends makes calls with a token as fast as they are answered.
func (a *assault) sends(client *http.Client, token string, body func() io.Reader) func(int) error {
	return func(int) error {
		r, err := callOf(token, "open").request(a.ctx, "http://"+a.address)
		if err != nil {
			return err
		}
		if body != nil {
			r.Body, r.ContentLength, r.GetBody = io.NopCloser(body()), -1, nil
		}
		res, err := client.Do(r)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		a.count(res.StatusCode)
		return err
	}
}

// Under slow connections, thousands of idle ones, bodies without end and floods from
// callers who are known and who are not, a good caller from the same address is
// answered every time, and memory is bounded.
func TestAGoodCallerIsAnsweredUnderAssault(t *testing.T) {
	if testing.Short() {
		t.Skip("it loads the machine")
	}
	s, _ := weather(t)
	people := newDirectory(who("good"), who("mallory"))
	people.costs = true
	ctx, cancel := context.WithCancel(t.Context())
	at, done := make(chan net.Addr, 1), make(chan error, 1)
	go func() {
		done <- HTTP(ctx, s, &HTTPOptions{
			Address: "127.0.0.1:0", Authenticators: []access.Authenticator{people}, Listening: func(a net.Addr) { at <- a },
			HeaderTimeout: time.Second, BodyTimeout: time.Second, IgnoreSignals: true,
		})
	}()
	address := (<-at).String()

	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	attack, end := context.WithCancel(t.Context())
	a := &assault{t: t, ctx: attack, address: address}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}
	head := "POST /mcp HTTP/1.1\r\nHost: " + address + "\r\n"
	a.each(2000, a.held(""))
	a.each(200, a.held(head+"X-Slow: "))
	a.each(100, a.held(head+"Authorization: Bearer mallory\r\nContent-Type: application/json\r\nAccept: */*\r\nContent-Length: 4000000\r\n\r\n{"))
	a.each(4, a.sends(client, "mallory", func() io.Reader { return io.LimitReader(endless{}, 50<<20) }))
	a.each(8, a.sends(client, "mallory", nil))
	a.each(8, a.sends(client, "guess", nil))
	a.each(8, a.sends(client, "", nil))

	// The good caller begins when the assault does, and makes its calls one after
	// the other on a connection of its own.
	good := &http.Client{Transport: &http.Transport{}}
	const calls = 100
	var worst time.Duration
	var peak uint64
	for i := range calls {
		begun := time.Now()
		r, err := callOf("good", "open").request(t.Context(), "http://"+address)
		if err != nil {
			t.Fatal(err)
		}
		res, err := good.Do(r)
		if err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK || !strings.Contains(string(body), "Paris") {
			t.Fatalf("call %d: %d %s, %v", i, res.StatusCode, body, err)
		}
		worst = max(worst, time.Since(begun))
		if i%10 == 0 {
			var now runtime.MemStats
			runtime.ReadMemStats(&now)
			peak = max(peak, now.HeapAlloc)
		}
	}
	end()
	a.all.Wait()
	client.CloseIdleConnections()
	good.CloseIdleConnections()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	var statuses []string
	refused := int64(0)
	a.answers.Range(func(status, n any) bool {
		statuses = append(statuses, fmt.Sprint(status, ": ", n.(*atomic.Int64).Load()))
		if status != http.StatusOK {
			refused += n.(*atomic.Int64).Load()
		}
		return true
	})
	t.Logf("%d calls of a good caller, the slowest took %v; heap %d MB before, %d MB at most (attackers included); attackers' answers %v",
		calls, worst.Round(time.Millisecond), before.HeapAlloc>>20, peak>>20, statuses)
	if refused == 0 {
		t.Error("no attacker was refused")
	}
	if peak > 512<<20 {
		t.Errorf("the heap grew to %d MB", peak>>20)
	}
}

// endless is a body.
type endless struct{}

var blanks = strings.Repeat(" ", 64<<10)

func (endless) Read(p []byte) (int, error) {
	return copy(p, blanks), nil
}
