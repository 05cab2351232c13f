package serve

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/safemcp/safemcp/access"
	"github.com/safemcp/safemcp/internal/bridge"
)

// A flood can neither fill the log nor hide others in it: so many of each address and of
// all are recorded one by one, the rest as counts, and nothing is left out of those.
func TestAFloodNeitherFillsTheLogNorHidesOthers(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	var recorded []bridge.Refusal
	f := &flood{record: func(r bridge.Refusal) { recorded = append(recorded, r) }, now: func() time.Time { return now }}
	of := func(address string, p access.Principal, n int) {
		for range n {
			f.refused(bridge.Refusal{Caller: &bridge.Caller{Address: address, Transport: "http", Principal: p}, Rule: "origin", Bytes: 10})
		}
	}
	refuse := func(address string, n int) { of(address, access.Principal{}, n) }
	refuse("192.0.2.1", 5000)
	refuse("192.0.2.2", 1)
	if n := len(recorded); n != floodSingle+1 || recorded[n-1].Caller.Address != "192.0.2.2" {
		t.Fatalf("%d records; who refused once is hidden", n)
	}
	for i := range 300 {
		refuse(fmt.Sprintf("198.51.%d.%d", i/100, i%100), 30)
	}
	singles := len(recorded)
	if singles != floodAll {
		t.Errorf("%d refusals of all addresses are recorded one by one", singles)
	}
	of("198.51.0.1", who("ada"), floodSingle+1)
	if n := len(recorded) - singles; n != floodSingle || recorded[len(recorded)-1].Caller.Principal.ID != who("ada").ID {
		t.Errorf("strangers hide a caller who is known: %d records", n)
	}
	singles = len(recorded)
	f.flush()
	counts := recorded[singles:]
	if len(counts) != floodCounts+1 {
		t.Errorf("%d counts", len(counts))
	}
	total, bytes, others := singles, 0, 0
	for _, c := range counts {
		var n int
		if _, err := fmt.Sscanf(c.Reason, "%d more", &n); err != nil || c.Rule != "flood" {
			t.Errorf("%+v", c)
		}
		total += n
		bytes += c.Bytes
		switch {
		case c.Caller == nil:
			others++
		case c.Caller.Principal.Known():
			t.Errorf("a count of an address is one principal's: %+v", c.Caller)
		}
	}
	if total != 5001+9000+floodSingle+1 || others != 1 || bytes != 10*(total-singles) {
		t.Errorf("%d refusals and %d bytes are accounted for, %d counts of others", total, bytes, others)
	}
	now = now.Add(floodWindow)
	refuse("192.0.2.1", 1)
	if recorded[len(recorded)-1].Rule != "origin" {
		t.Error("when the window is over, it is recorded one by one again")
	}
	f.flush()
	if recorded[len(recorded)-1].Rule != "origin" {
		t.Error("what has been counted is counted again")
	}
}

// A session that is in use is not ended to make room.
func TestASessionInUseIsNotEndedForAnother(t *testing.T) {
	t.Parallel()
	s, _ := weather(t)
	e, url := serveOn(t, s, &HTTPOptions{Authenticators: []access.Authenticator{newDirectory(who("ada"))}, CallerSessions: 1})
	first := begun(t, url, "ada")
	if _, turned := e.sessions.enter(first, who("ada").ID); turned != nil {
		t.Fatal(turned.message)
	}
	if g := (sent{token: "ada", body: initialize}).to(t, url); g.status != http.StatusTooManyRequests || g.header.Get("Retry-After") == "" {
		t.Errorf("one more while the only one is in use: %+v", g)
	}
	e.sessions.leave(first)
	if second := begun(t, url, "ada"); second == first {
		t.Error("no new one")
	}
}

// What the SDK would say of a request of an older client is said in words of ours.
func TestTheSDKsWordsDoNotLeave(t *testing.T) {
	t.Parallel()
	s, trail := weather(t)
	_, url := serveOn(t, s, &HTTPOptions{Authenticators: []access.Authenticator{newDirectory(who("ada"))}})
	session := begun(t, url, "ada")
	for name, request := range map[string]sent{
		"a method that there is not":  {body: `{"jsonrpc":"2.0","id":3,"method":"` + marker + `/x"}`},
		"a version that there is not": {version: "1999-" + marker, body: listTools},
		"a place in a stream":         {method: http.MethodGet, header: map[string]string{"Last-Event-ID": marker}},
		"a place in a POST":           {body: listTools, header: map[string]string{"Last-Event-ID": marker}},
		"a method of newer clients":   {body: `{"jsonrpc":"2.0","id":3,"method":"server/discover"}`},
	} {
		request.token, request.session = "ada", session
		if request.version == "" {
			request.version = "2025-11-25"
		}
		before := len(trail.Events())
		g := request.to(t, url)
		words := strings.Contains(g.body, marker) || strings.Contains(g.body, "Bad Request") || strings.Contains(g.body, "malformed") && !strings.Contains(g.body, `"code":"malformed"`)
		if !strings.Contains(g.body, `"error"`) || !strings.Contains(g.body, `"category"`) || words {
			t.Errorf("%s: %+v", name, g)
		}
		if len(trail.Events()) == before {
			t.Errorf("%s: the refusal is not recorded", name)
		}
	}
}

// More connections than the bound are closed at once, and room that is given back is
// used again.
func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := bound(inner, 2)
	accepted := make(chan net.Conn, 10)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				close(accepted)
				return
			}
			accepted <- c
		}
	}()
	dial := func() net.Conn {
		c, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	dial()
	first := <-accepted
	dial()
	<-accepted
	if _, err := dial().Read(make([]byte, 1)); err == nil || err.Error() == "" {
		t.Error("a third is not closed")
	}
	_ = first.Close()
	_ = first.Close() // gives one place back, not two
	dial()
	<-accepted
	if _, err := dial().Read(make([]byte, 1)); err == nil {
		t.Error("a place was given back twice")
	}
	_ = l.Close()
	if _, more := <-accepted; more {
		t.Error("one too many was accepted")
	}
}
