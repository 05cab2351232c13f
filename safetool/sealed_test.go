package safetool

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/access"
	"github.com/safemcp/safemcp/internal/bridge"
)

// An answer that comes too late is to a question that nobody remembers.
func TestAStateIsNeverTakenAfterItsTime(t *testing.T) {
	t.Parallel()
	s, err := NewServer(&mcp.Implementation{Name: "asking"}, &Options{Audit: &kept{}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	before := time.Now()
	f := &flight{server: s, caller: &bridge.Caller{Principal: access.NewPrincipal("test", "ada")}}
	p := f.newPass(&feature{name: "asks"}, "asks")
	sealed := p.ask(mcp.InputRequestMap{"r": &mcp.ListRootsParams{}}, "mine")
	if st, err := s.states.openState(sealed, before.Add(stateLifetime)); err != nil || st.Inner != "mine" {
		t.Errorf("within its time: %+v, %v", st, err)
	}
	if _, err := s.states.openState(sealed, time.Now().Add(stateLifetime+2*time.Second)); !errors.Is(err, errStateExpired) {
		t.Errorf("after its time: %v", err)
	}
}
