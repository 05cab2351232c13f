package safetool_test

import (
	"errors"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/safetool/safetooltest"
	"github.com/safemcp/safemcp/secrets"
)

// plain is a provider that has turned a defence off.
type plain struct{ safetooltest.Provider }

func (plain) OptOuts() map[string]string {
	return map[string]string{"InsecurePlaintext": "the network is our own"}
}

// No defence is off without a record of it and of why, whoever it is that has turned it
// off: the server, its broker or the store behind that.
func TestNoDefenceIsOffUnrecorded(t *testing.T) {
	t.Parallel()
	with := func(trail *safetooltest.Recorder) (*safetool.Server, error) {
		return safetool.NewServer(&mcp.Implementation{Name: "s", Version: "1"}, &safetool.Options{
			Audit: trail, InsecureObserve: "moving",
			Secrets: secrets.NewBroker(plain{}, &secrets.Options{InsecureShortValues: "PINs of four digits"}),
		})
	}
	trail := &safetooltest.Recorder{}
	if _, err := with(trail); err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for _, e := range trail.Events() {
		if e.Decision.Rule == "opt_out" {
			seen[e.Decision.By] = e.Decision.Reason
		}
	}
	for name, reason := range map[string]string{"InsecureObserve": "moving", "InsecureShortValues": "PINs of four digits", "InsecurePlaintext": "the network is our own"} {
		if seen[name] != reason {
			t.Errorf("%s is recorded with %q", name, seen[name])
		}
		full := errors.New("disk full")
		_, err := with(&safetooltest.Recorder{Fail: func(e audit.Event) error {
			if e.Decision.By == name {
				return full
			}
			return nil
		}})
		if !errors.Is(err, full) {
			t.Errorf("%s cannot be recorded, and NewServer says %v", name, err)
		}
	}
}
