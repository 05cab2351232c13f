package report

import (
	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/audit/tally"
)

// failures are the ways in which a call fails, in the order in which the page names
// them.
var failures = []struct {
	status    audit.Status
	one, many string
}{
	{audit.StatusToolError, "tool error", "tool errors"},
	{audit.StatusTimeout, "timeout", "timeouts"},
	{audit.StatusPanic, "panic", "panics"},
	{audit.StatusCancelled, "cancelled", "cancelled"},
	{audit.StatusWithheld, "withheld", "withheld"},
	{tally.StatusOrphaned, "cut off", "cut off"},
	{tally.StatusOther, "of no known status", "of no known status"},
}
