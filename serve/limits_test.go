package serve

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/access"
	"github.com/safemcp/safemcp/limit"
	"github.com/safemcp/safemcp/safetool"
)

// A failing limiter knows nothing.
type failing struct{}

func (failing) Take(context.Context, string, limit.Rate) (time.Duration, error) {
	return 0, errors.New("the store is down")
}

func TestALimiterThatFailsLetsNobodyIn(t *testing.T) {
	t.Parallel()
	s, _ := weather(t)
	_, url := serveOn(t, s, &HTTPOptions{Authenticators: []access.Authenticator{newDirectory(who("ada"))}, Limiter: failing{}})
	for _, token := range []string{"ada", "mallory", ""} {
		if g := callOf(token, "open").to(t, url); g.status != http.StatusServiceUnavailable || g.header.Get("Retry-After") == "" {
			t.Errorf("%q: %+v", token, g)
		}
	}
}

func TestACallerWhoAsksTooOftenWaitsAndOthersDoNot(t *testing.T) {
	t.Parallel()
	s, _ := weather(t)
	_, url := serveOn(t, s, &HTTPOptions{
		Authenticators: []access.Authenticator{newDirectory(who("ada"), who("eve"))}, CallerRate: limit.Rate{Count: 3, Per: time.Hour},
	})
	for i := range 5 {
		g := callOf("ada", "open").to(t, url)
		if want := i < 3; (g.status == http.StatusOK) != want || (!want && (g.status != http.StatusTooManyRequests || g.header.Get("Retry-After") != "1200")) {
			t.Errorf("%d: %+v", i, g)
		}
	}
	if g := callOf("eve", "open").to(t, url); g.status != http.StatusOK {
		t.Errorf("another: %+v", g)
	}
}

// slowTool adds a tool that answers when it is let.
func slowTool(s *safetool.Server) (started chan struct{}, let chan struct{}) {
	started, let = make(chan struct{}, 100), make(chan struct{})
	safetool.AddTool(s, &mcp.Tool{Name: "slow"}, safetool.Policy{Risk: safetool.ReadOnly, AnyCaller: true},
		func(ctx context.Context, _ *mcp.CallToolRequest, _ cityArgs) (*mcp.CallToolResult, any, error) {
			started <- struct{}{}
			select {
			case <-let:
			case <-ctx.Done():
			}
			return nil, nil, nil
		})
	return started, let
}

func TestRequestsAtOnceAreBoundedByCallerAndInAll(t *testing.T) {
	t.Parallel()
	s, _ := weather(t)
	started, let := slowTool(s)
	_, url := serveOn(t, s, &HTTPOptions{
		Authenticators: []access.Authenticator{newDirectory(who("ada"), who("eve"), who("bob"))}, Requests: 3, CallerRequests: 2,
	})
	answers := make(chan got, 3)
	for _, token := range []string{"ada", "ada", "eve"} {
		go func() {
			g, _ := callOf(token, "slow").try(context.Background(), url)
			answers <- g
		}()
		<-started
	}
	if g := callOf("ada", "open").to(t, url); g.status != http.StatusTooManyRequests || g.header.Get("Retry-After") == "" {
		t.Errorf("one more of the caller: %+v", g)
	}
	if g := callOf("bob", "open").to(t, url); g.status != http.StatusServiceUnavailable || g.header.Get("Retry-After") == "" {
		t.Errorf("one more in all: %+v", g)
	}
	close(let)
	for range 3 {
		if g := <-answers; g.status != http.StatusOK {
			t.Errorf("%+v", g)
		}
	}
	if g := callOf("ada", "open").to(t, url); g.status != http.StatusOK {
		t.Errorf("afterwards: %+v", g)
	}
}

func TestSessionsAreBoundedAndEnd(t *testing.T) {
	t.Parallel()
	s, _ := weather(t)
	e, url := serveOn(t, s, &HTTPOptions{
		Authenticators: []access.Authenticator{newDirectory(who("ada"), who("eve"))}, Sessions: 3, CallerSessions: 2,
	})
	now := time.Now()
	e.sessions.mu.Lock()
	e.sessions.now = func() time.Time { return now }
	e.sessions.mu.Unlock()
	later := func(d time.Duration) {
		e.sessions.mu.Lock()
		now = now.Add(d)
		e.sessions.mu.Unlock()
	}
	alive := func(token, session string) bool {
		return sent{token: token, session: session, version: "2025-11-25", body: listTools}.to(t, url).status == http.StatusOK
	}
	first := begun(t, url, "ada")
	later(time.Second)
	second := begun(t, url, "ada")
	later(time.Second)
	if !alive("ada", first) { // used later than the second now
		t.Fatal("the first is gone")
	}
	later(time.Second)
	third := begun(t, url, "ada")
	if alive("ada", second) || !alive("ada", first) || !alive("ada", third) {
		t.Error("not the one that was used least recently has ended")
	}
	begun(t, url, "eve")
	if g := (sent{token: "eve", body: initialize}).to(t, url); g.status != http.StatusServiceUnavailable {
		t.Errorf("one more than all: %+v", g)
	}
	later(31 * time.Minute)
	if alive("ada", first) {
		t.Error("a session outlives its idle time")
	}
	e.sessions.sweep()
	if n := e.sessions.count(); n != 0 {
		t.Errorf("%d sessions are kept", n)
	}
	fresh := begun(t, url, "ada")
	for range 47 {
		later(29 * time.Minute)
		if !alive("ada", fresh) {
			t.Fatal("a session that is used ends")
		}
	}
	later(2 * time.Hour)
	if alive("ada", fresh) {
		t.Error("a session outlives its lifetime")
	}
}

// An open stream ends when what its caller presented does.
func TestAStreamEndsWithItsToken(t *testing.T) {
	t.Parallel()
	s, _ := weather(t)
	people := newDirectory(who("ada"))
	_, url := serveOn(t, s, &HTTPOptions{Authenticators: []access.Authenticator{people}})
	session := begun(t, url, "ada")
	brief := who("ada")
	brief.Expires = time.Now().Add(300 * time.Millisecond)
	people.set(brief)
	if g := (sent{method: http.MethodGet, token: "ada", session: session, version: "2025-11-25"}).to(t, url); g.status != http.StatusOK {
		t.Errorf("the stream: %+v", g) // to has read to its end
	}
	brief.Expires = time.Now().Add(300 * time.Millisecond)
	people.set(brief)
	listen := sent{
		token: "ada", version: stateless, header: map[string]string{"Mcp-Method": "subscriptions/listen"},
		body: `{"jsonrpc":"2.0","id":7,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true},` + attackMeta + `}}`,
	}
	if g := listen.to(t, url); g.status != http.StatusOK {
		t.Errorf("listening: %+v", g)
	}
}

// It ends, too, when what was presented is taken back.
func TestAStreamEndsWhenItsKeyIsRevoked(t *testing.T) {
	t.Parallel()
	s, _ := weather(t)
	people := newDirectory(who("ada"))
	e, url := serveOn(t, s, &HTTPOptions{Authenticators: []access.Authenticator{people}})
	e.askAgain = 10 * time.Millisecond
	session := begun(t, url, "ada")
	ended := make(chan got, 2)
	streams := []sent{
		{method: http.MethodGet, token: "ada", session: session, version: "2025-11-25"},
		{
			token: "ada", version: stateless, header: map[string]string{"Mcp-Method": "subscriptions/listen"},
			body: `{"jsonrpc":"2.0","id":7,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true},` + attackMeta + `}}`,
		},
	}
	for _, stream := range streams {
		go func() {
			g, _ := stream.try(context.Background(), url)
			ended <- g
		}()
	}
	asked := func() int {
		people.mu.Lock()
		defer people.mu.Unlock()
		return people.asked
	}
	for begun := asked(); asked() < begun+20; { // both are asked about again
		runtime.Gosched()
	}
	people.mu.Lock()
	people.err = access.ErrUnavailable
	people.mu.Unlock()
	for begun := asked(); asked() < begun+20; {
		runtime.Gosched()
	}
	select {
	case g := <-ended:
		t.Fatalf("a stream ends because nobody can tell: %+v", g)
	default:
	}
	people.mu.Lock()
	people.err = nil
	delete(people.by, "ada")
	people.mu.Unlock()
	for range streams {
		if g := <-ended; g.status != http.StatusOK {
			t.Errorf("%+v", g)
		}
	}
}

// A request whose body was still on its way when the server began to end is told so: it
// would not be waited for.
func TestWhatArrivesWhileTheServerEndsIsToldSo(t *testing.T) {
	t.Parallel()
	s, _ := weather(t)
	e, url := serveOn(t, s, &HTTPOptions{InsecureAnonymous: "a test"})
	address := strings.TrimPrefix(url, "http://")
	whole := (&attack{}).request(address)
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write(whole[:len(whole)-10]); err != nil {
		t.Fatal(err)
	}
	for e.callers.InUse("anonymous|127.0.0.1") == 0 {
		runtime.Gosched()
	}
	e.draining.Store(true)
	if _, err := c.Write(whole[len(whole)-10:]); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
}

func TestBodiesAreBoundedInAllAndByCaller(t *testing.T) {
	t.Parallel()
	b := newBodies(1 << 20)
	fill := func(who string, n int) (*body, error) {
		of := &body{bodies: b, who: who}
		return of, of.read(strings.NewReader(strings.Repeat("a", n)), int64(n), 1<<20)
	}
	mine, err := fill("ada", 200<<10)
	if err != nil {
		t.Fatal(err)
	}
	if over, err := fill("ada", 100<<10); !errors.Is(err, errBodyRoom) {
		t.Errorf("more than a quarter for one: %v", err)
	} else {
		over.free()
	}
	for i := range 4 {
		if _, err := fill(fmt.Sprint("other ", i), 200<<10); err != nil {
			t.Errorf("other %d: %v", i, err)
		}
	}
	if _, err := fill("one more", 200<<10); !errors.Is(err, errBodyRoom) {
		t.Errorf("more than all: %v", err)
	}
	held := b.held
	mine.free()
	mine.free()
	if held-b.held < 200<<10 || held-b.held > 300<<10 {
		t.Errorf("%d bytes came back of %d", held-b.held, 200<<10)
	}
	if of := (&body{bodies: newBodies(1 << 20), who: "x"}); !errors.Is(of.read(strings.NewReader("abc"), -1, 2), errBodyLong) || !errors.Is(of.read(nil, 3, 2), errBodyLong) {
		t.Error("the bound of a body does not hold")
	}
}

func TestTheCallersAddressIsTheOneThatNobodyCanMakeUp(t *testing.T) {
	t.Parallel()
	o := &HTTPOptions{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}, ForwardedHeader: "X-Forwarded-For"}
	f := *o
	f.ForwardedHeader = "Forwarded"
	for _, c := range []struct {
		o          *HTTPOptions
		peer, says string
		want       string
	}{
		{o, "192.0.2.1:5", "198.51.100.7", "192.0.2.1"}, // not a proxy
		{o, "10.0.0.1:5", "198.51.100.7", "198.51.100.7"},
		{o, "10.0.0.1:5", "203.0.113.9, 198.51.100.7", "198.51.100.7"}, // the client made up the first
		{o, "10.0.0.1:5", "198.51.100.7, 10.0.0.2", "198.51.100.7"},    // two proxies
		{o, "10.0.0.1:5", "203.0.113.9, 198.51.100.7, 10.0.0.2", "198.51.100.7"},
		{o, "10.0.0.1:5", "198.51.100.7, rubbish", "10.0.0.1"},
		{o, "10.0.0.1:5", "", "10.0.0.1"},
		{o, "10.0.0.1:5", "[2001:db8::1]:4711", "2001:db8::1"},
		{o, "[::ffff:10.0.0.1]:5", "198.51.100.7:99", "198.51.100.7"},
		{o, "[fd00::1]:5", "10.9.9.9", "10.9.9.9"},
		{&f, "10.0.0.1:5", `for=203.0.113.9, for="198.51.100.7:4711";proto=https`, "198.51.100.7"},
		{&f, "10.0.0.1:5", `for="[2001:db8:cafe::17]:4711"`, "2001:db8:cafe::17"},
		{&f, "10.0.0.1:5", `for=_hidden`, "10.0.0.1"},
		{&HTTPOptions{}, "10.0.0.1:5", "198.51.100.7", "10.0.0.1"},
	} {
		r := &http.Request{RemoteAddr: c.peer, Header: http.Header{}}
		other := map[string]string{"X-Forwarded-For": "Forwarded", "Forwarded": "X-Forwarded-For"}[c.o.ForwardedHeader]
		r.Header.Set(other, "for=203.0.113.66") // the header that the gateway does not write
		if c.says != "" {
			r.Header.Set(zeroAs(c.o.ForwardedHeader, "X-Forwarded-For"), c.says)
		}
		if got := c.o.address(r); got != c.want {
			t.Errorf("%s says %q: %s, want %s", c.peer, c.says, got, c.want)
		}
	}
	if network("2001:db8:1:2:3::4") != network("2001:db8:1:2:ffff::1") || network("2001:db8:1:3::4") == network("2001:db8:1:2::4") || network("192.0.2.1") == network("192.0.2.2") {
		t.Error("addresses do not count by what one customer has")
	}
}

// A client that does not take its answer is not waited for.
func TestAClientThatDoesNotReadIsLetGo(t *testing.T) {
	t.Parallel()
	s, _ := weather(t)
	safetool.AddTool(s, &mcp.Tool{Name: "big"}, safetool.Policy{Risk: safetool.ReadOnly, AnyCaller: true, Limits: limit.Limits{ResultBytes: 64 << 20}},
		func(context.Context, *mcp.CallToolRequest, cityArgs) (*mcp.CallToolResult, any, error) {
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: strings.Repeat("a", 32<<20)}}}, nil, nil
		})
	e, url := serveOn(t, s, &HTTPOptions{InsecureAnonymous: "a test", WriteTimeout: 2 * time.Second})
	c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.(*net.TCPConn).SetReadBuffer(4096)
	call := attack{edit: [2]string{`"name":"open"`, `"name":"big"`}, header: map[string]string{"Mcp-Name": "big"}}
	if _, err := c.Write(call.request(strings.TrimPrefix(url, "http://"))); err != nil {
		t.Fatal(err)
	}
	first, err := bufio.NewReader(c).Peek(1)
	if err != nil || first[0] != 'H' {
		t.Fatal(err)
	}
	deadline := time.Now().Add(30 * time.Second)
	for e.callers.InUse("anonymous|127.0.0.1") > 0 {
		if time.Now().After(deadline) {
			t.Fatal("the request still holds its place")
		}
		time.Sleep(time.Millisecond)
	}
}
