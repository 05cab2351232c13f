package safetool

import (
	"encoding/json"

	"github.com/safemcp/safemcp/audit"
)

// facts are what is recorded of a pass. Only the goroutine that its guards run on
// changes them, under the lock of the pass: another one may have to speak for it.
type facts struct {
	callID      string
	args        audit.Args
	raw         json.RawMessage // the arguments as sent
	decision    audit.Decision
	credentials []audit.Credential
	intended    bool // the intent is on record
}

func (p *pass) submit(args audit.Args, raw json.RawMessage) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.args, p.raw = args, raw
}

func (p *pass) decided(d audit.Decision) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.decision = d
}

func (p *pass) issued(c audit.Credential) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.credentials = append(p.credentials, c)
}

// continued makes the pass another round of a call.
func (p *pass) continued(call string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.callID, p.call.id = call, call
}
