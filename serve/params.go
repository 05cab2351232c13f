package serve

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/internal/jsonwalk"
)

// A shape says whether params have the types of a method's, since the SDK refuses
// those that have not in words that quote them. Nil is no params at all.
type shape func(params []byte) bool

// shapeOf is the shape of the SDK's own type.
func shapeOf[P any](required bool) shape {
	return func(params []byte) bool {
		if params == nil {
			return !required
		}
		return json.Unmarshal(params, new(P)) == nil
	}
}

// shapes are the methods that a server is called with, in every version of the
// protocol that the SDK speaks.
var shapes = map[string]shape{
	"initialize":                       shapeOf[mcp.InitializeParams](true),
	"ping":                             shapeOf[mcp.PingParams](false),
	"server/discover":                  shapeOf[withMeta](false),
	"tools/list":                       shapeOf[mcp.ListToolsParams](false),
	"tools/call":                       nil, // see callShape
	"prompts/list":                     shapeOf[mcp.ListPromptsParams](false),
	"prompts/get":                      shapeOf[mcp.GetPromptParams](true),
	"resources/list":                   shapeOf[mcp.ListResourcesParams](false),
	"resources/templates/list":         shapeOf[mcp.ListResourceTemplatesParams](false),
	"resources/read":                   shapeOf[mcp.ReadResourceParams](true),
	"resources/subscribe":              shapeOf[mcp.SubscribeParams](true),
	"resources/unsubscribe":            shapeOf[mcp.UnsubscribeParams](true),
	"subscriptions/listen":             shapeOf[mcp.SubscriptionsListenParams](true),
	"completion/complete":              shapeOf[completeParams](true),
	"logging/setLevel":                 shapeOf[mcp.SetLoggingLevelParams](true),
	"notifications/cancelled":          cancelShape,
	"notifications/initialized":        shapeOf[mcp.InitializedParams](false),
	"notifications/progress":           shapeOf[mcp.ProgressNotificationParams](true),
	"notifications/roots/list_changed": shapeOf[mcp.RootsListChangedParams](false),
}

type withMeta struct {
	Meta mcp.Meta `json:"_meta"`
}

// completeParams has the ref as a pointer, so that one that is missing shows.
type completeParams struct {
	mcp.CompleteParams
}

// known returns a method that the protocol knows, and "" for any other: what a
// client makes up does not go into the log.
func known(method string) string {
	if _, ok := shapes[method]; ok {
		return method
	}
	return ""
}

// wellShaped says whether params are a method's. Of methods that are not known it
// says nothing: the SDK refuses them by their name alone.
func wellShaped(e *envelope) bool {
	if e.method == "tools/call" {
		return !e.miscased && callShape(e)
	}
	s, ok := shapes[e.method]
	return !ok || (!e.miscased && s(e.params))
}

// members are those of the parameters of every method, by their lower case.
var members = func() map[string]string {
	all := map[string]string{}
	for _, name := range []string{
		"_meta", "name", "arguments", "uri", "cursor", "ref", "argument", "context", "level", "requestId", "reason",
		"progressToken", "progress", "total", "message", "protocolVersion", "capabilities", "clientInfo", "notifications",
		"inputResponses", "requestState",
	} {
		all[strings.ToLower(name)] = name
	}
	return all
}()

// miscased says whether a member of the parameters is a known one in another case:
// Go's encoding/json, in a gateway say, would take it for that. To it the long s is an
// s, too, and the sign for kelvin a k.
func miscased(name []byte) bool {
	var lower [16]byte
	n := 0
	for rest := name; len(rest) > 0; n++ {
		r, size := utf8.DecodeRune(rest)
		switch {
		case n == len(lower):
			return false
		case r >= 'A' && r <= 'Z':
			r += 'a' - 'A'
		case r == '\u017f':
			r = 's'
		case r == '\u212a':
			r = 'k'
		case r >= utf8.RuneSelf:
			return false
		}
		lower[n] = byte(r)
		rest = rest[size:]
	}
	is, known := members[string(lower[:n])]
	return known && is != string(name)
}

// cancelShape is that of a cancellation, whose id has to be one: the SDK cuts the
// fraction off a number, and that cancels another request.
func cancelShape(params []byte) bool {
	if !shapeOf[mcp.CancelledParams](true)(params) {
		return false
	}
	ok := false
	jsonwalk.EachMember(params, 0, func(name []byte, value int) int {
		end := jsonwalk.Skip(params, value)
		if string(name) == "requestId" {
			_, ok = readID(params[value:end])
		}
		return end
	})
	return ok
}

// callShape is the shape of a tool call, by hand: its arguments are decoded later,
// by the tool, and only there.
func callShape(e *envelope) bool {
	return e.name != nil && e.name[0] == '"' &&
		(e.arguments == nil || e.arguments[0] == '{') &&
		(e.meta == nil || e.meta[0] == '{') &&
		(!e.resumes || json.Unmarshal(e.params, new(mcp.CallToolParamsRaw)) == nil)
}
