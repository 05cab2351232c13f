package safetool

import (
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/audit"
)

// traceOf reads the W3C trace context of a request: what SEP-414 puts into _meta, or else
// the header of the HTTP request that it came with.
func traceOf(req mcp.Request) audit.Trace {
	if t := parseTraceParent(metaOf(req)); t != (audit.Trace{}) {
		return t
	}
	if extra := req.GetExtra(); extra != nil {
		if all := extra.Header.Values("Traceparent"); len(all) == 1 { // two are none (section 3.2.3 of it)
			return parseTraceParent(all[0])
		}
	}
	return audit.Trace{}
}

func metaOf(req mcp.Request) (parent string) {
	params := req.GetParams()
	if params == nil {
		return ""
	}
	defer func() { _ = recover() }() // a typed nil among the SDK's params
	parent, _ = params.GetMeta()["traceparent"].(string)
	return parent
}

// parseTraceParent reads a traceparent (W3C Trace Context, section 3.2): of version 00 all
// of it, of later ones as much as all versions share. It is the client's word: what is not
// one is nothing.
func parseTraceParent(s string) (t audit.Trace) {
	const size = len("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	if len(s) < size || (len(s) > size && (s[:2] == "00" || s[size] != '-')) {
		return t
	}
	version, trace, span, flags := s[:2], s[3:35], s[36:52], s[53:55]
	if s[2] != '-' || s[35] != '-' || s[52] != '-' || version == "ff" || !lowerHex(version+trace+span+flags) ||
		strings.Trim(trace, "0") == "" || strings.Trim(span, "0") == "" {
		return t
	}
	return audit.Trace{TraceID: trace, SpanID: span}
}

func lowerHex(s string) bool { return strings.Trim(s, "0123456789abcdef") == "" }
