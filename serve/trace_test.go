package serve

import (
	"net/http"
	"testing"

	"github.com/safemcp/safemcp/access"
	"github.com/safemcp/safemcp/audit"
)

// The trace context of an HTTP request is recorded with its call, where the call has none
// in _meta; of two headers none is.
func TestTheTraceContextOfAHeader(t *testing.T) {
	t.Parallel()
	const trace, span = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	s, trail := weather(t)
	_, url := serveOn(t, s, &HTTPOptions{Authenticators: []access.Authenticator{newDirectory(who("ann"))}})
	last := func() audit.Trace {
		events := trail.Events()
		return events[len(events)-1].Trace
	}
	good := callOf("ann", "open")
	good.header["Traceparent"] = "00-" + trace + "-" + span + "-01"
	if g := good.to(t, url); g.status != http.StatusOK || last() != (audit.Trace{TraceID: trace, SpanID: span}) {
		t.Errorf("%d: %+v", g.status, last())
	}
	plain := callOf("ann", "open")
	if g := plain.to(t, url); g.status != http.StatusOK || last() != (audit.Trace{}) {
		t.Errorf("%d: %+v", g.status, last())
	}
	r, err := good.request(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Add("Traceparent", "00-"+trace+"-"+span+"-00")
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if last() != (audit.Trace{}) {
		t.Errorf("of two headers %+v was taken", last())
	}
}
