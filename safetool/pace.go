package safetool

import (
	"context"
	"fmt"
	"time"

	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/limit"
)

// paced counts the call against what its caller may do in a while. A limiter that
// cannot tell refuses.
func (p *pass) paced(caller string) error {
	s, f := p.server, p.feature
	var all, this limit.Limiter = &s.callerRates, f.rates
	allKey, thisKey := caller, caller
	if shared := s.options.Limiter; shared != nil {
		all, this = shared, shared
		allKey, thisKey = "caller|"+caller, f.kind+"|"+f.name+"|"+caller
	}
	ctx := context.Background() // the store's own patience bounds it; the caller cannot cancel what it owes
	wait, err := all.Take(ctx, allKey, s.limits.CallerRate)
	if err == nil && wait == 0 && f.limits.Rate.Count > 0 {
		wait, err = this.Take(ctx, thisKey, f.limits.Rate)
	}
	switch {
	case err != nil:
		return &refusal{by: "limit", rule: "limiter", effect: audit.EffectDeny, cause: err, problem: Problem{
			Code: CodeBusy, Category: CategoryServer, Retry: true,
			Message: "The call was refused because its caller's share cannot be counted at the moment.", Hint: "Try again later.",
		}}
	case wait > 0:
		r := busy("rate", fmt.Sprintf("You have called %s, or this server, too often in a short time.", f.name))
		r.problem.Code = CodeRateLimited
		r.problem.Hint = fmt.Sprintf("Try again in %d seconds.", int((wait+time.Second-1)/time.Second))
		return r
	}
	return nil
}
