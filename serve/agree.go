package serve

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/internal/bridge"
	"github.com/safemcp/safemcp/internal/jsonwalk"
)

// What the headers of a request say, and whether its body says the same.

const (
	headerVersion = "Mcp-Protocol-Version"
	headerSession = "Mcp-Session-Id"
	headerMethod  = "Mcp-Method"
	headerName    = "Mcp-Name"
	headerParam   = "Mcp-Param-"

	// stateless is the first version without sessions. Versions are dates, so that
	// they compare as text.
	stateless = "2026-07-28"
)

// once says whether no header that somebody decides by is given twice: two readers
// would take different ones.
func once(h http.Header) bool {
	for _, name := range []string{
		"Authorization", "Content-Type", "Content-Encoding", "Last-Event-Id",
		headerVersion, headerSession, headerMethod, headerName,
	} {
		if len(h[name]) > 1 {
			return false
		}
	}
	for name, values := range h {
		if len(values) > 1 && strings.HasPrefix(name, headerParam) {
			return false
		}
	}
	return true
}

// version is the protocol's that the headers name, and whether it is one of those
// without sessions.
func version(h http.Header) (v string, without bool) {
	v = h.Get(headerVersion)
	return v, v >= stateless
}

// agree says what in the headers is not as in the body, and how the body's version is
// to be answered. It is asked of requests and notifications.
func agree(h http.Header, e *envelope) *turned {
	v, without := version(h)
	asked := e.protocol()
	if without && !known28(v) || !without && asked >= stateless && !known28(asked) {
		return unsupportedVersion(max(v, asked))
	}
	call := e.hasMethod && e.hasID
	switch {
	case !e.hasMethod: // a response
		if !without && (h[headerMethod] != nil || h[headerName] != nil) {
			return mismatch("The headers name a method, and the body is a response.")
		}
		return nil
	case v == "" && asked != "":
		return mismatch("The header MCP-Protocol-Version is missing, though the body names a version.")
	case asked != "" && asked != v:
		return mismatch("The header MCP-Protocol-Version names another version than the body.")
	case call && without && asked == "":
		t := turn(http.StatusBadRequest, "params", "The parameters' _meta does not name the protocol version.")
		t.code = jsonrpc.CodeInvalidParams
		return t.hinted("Put " + mcp.MetaKeyProtocolVersion + " into _meta.")
	}
	method, hasMethod := h[headerMethod]
	switch {
	case without && !hasMethod:
		return mismatch("The header Mcp-Method is missing.")
	case hasMethod && method[0] != e.method:
		return mismatch("The header Mcp-Method names another method than the body.")
	}
	body, named := e.feature()
	name, hasName := h[headerName]
	switch {
	case without && named && !hasName:
		return mismatch("The header Mcp-Name is missing.")
	case hasName && !named && without:
		return mismatch("The header Mcp-Name names something, and the method of the body does not.")
	case hasName && named && name[0] != body:
		return mismatch("The header Mcp-Name names something else than the body.")
	}
	return nil
}

func known28(v string) bool { return slices.Contains(mcp.SupportedProtocolVersions(), v) }

// unsupportedVersion says which versions there are. It repeats the one that was asked
// for, as the specification wants it, where it looks like one.
func unsupportedVersion(v string) *turned {
	t := turn(http.StatusBadRequest, "version", "This protocol version is not supported.")
	t.code = mcp.CodeUnsupportedProtocolVersion
	t.hint = "Use one of " + strings.Join(mcp.SupportedProtocolVersions(), ", ") + "."
	t.requested = &v
	return t
}

// feature is what a request names: a tool, a prompt or a resource's URI.
func (e *envelope) feature() (string, bool) {
	raw := e.name
	switch e.method {
	case "tools/call", "prompts/get":
	case "resources/read":
		raw = e.uri
	default:
		return "", false
	}
	if raw == nil {
		return "", false
	}
	return text(raw)
}

// protocol is the version that the _meta of the parameters names, "" if none.
func (e *envelope) protocol() string {
	raw := find(e.meta, mcp.MetaKeyProtocolVersion)
	if raw == nil {
		return ""
	}
	version, _ := text(raw)
	return version
}

// find returns the value that a path of members leads to, nil where it does not.
func find(raw []byte, path ...string) []byte {
	for _, member := range path {
		if len(raw) == 0 || raw[0] != '{' {
			return nil
		}
		var value []byte
		jsonwalk.EachMember(raw, 0, func(name []byte, at int) int {
			end := jsonwalk.Skip(raw, at)
			if string(name) == member {
				value = raw[at:end]
			}
			return end
		})
		raw = value
	}
	return raw
}

// paramsAgree says what in the headers of a tool's arguments is not as in the body.
// Clients of older versions need not send them.
func paramsAgree(h http.Header, e *envelope, headers []bridge.ParamHeader, needed bool) *turned {
	for _, p := range headers {
		name := headerParam + p.Name
		values, sent := h[http.CanonicalHeaderKey(name)]
		given := strings.Join(values, "") // one, or the request would not be here
		raw := find(e.arguments, p.Path...)
		absent := raw == nil || string(raw) == "null"
		switch {
		case absent && given == "":
		case absent:
			return mismatch("The header " + name + " has a value for an argument that the body does not have.")
		case !sent && !needed:
		case !sent:
			return mismatch("The header " + name + " is missing, though the body has its argument.")
		case !sameValue(given, raw):
			return mismatch("The header " + name + " has another value than its argument in the body.")
		}
	}
	return nil
}

// sameValue compares a header's value, which may be in base64, with an argument's.
func sameValue(given string, raw []byte) bool {
	if encoded, ok := strings.CutPrefix(given, "=?base64?"); ok {
		if encoded, ok = strings.CutSuffix(encoded, "?="); ok {
			plain, err := base64.StdEncoding.Strict().DecodeString(encoded)
			if err != nil {
				return false
			}
			given = string(plain)
		}
	}
	switch raw[0] {
	case '"':
		var text string
		return json.Unmarshal(raw, &text) == nil && text == given
	case 't', 'f':
		return given == string(raw)
	case '{', '[':
		return false
	}
	if !json.Valid([]byte(given)) { // ParseFloat takes more: hexadecimal digits, a plus sign
		return false
	}
	is, err := strconv.ParseFloat(string(raw), 64)
	said, serr := strconv.ParseFloat(given, 64)
	return err == nil && serr == nil && is == said && is == math.Trunc(is) && math.Abs(is) < 1<<53
}
