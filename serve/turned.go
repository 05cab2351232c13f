package serve

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/safetool"
)

// A turned is a request that was turned away at the HTTP door: its status, and what
// is said and recorded of it.
type turned struct {
	fault
	status    int
	category  safetool.Category // caller where it is empty
	problem   string            // its code; that of the fault where it is empty
	hint      string
	retry     time.Duration // until it may be tried again, where that helps
	challenge string        // the error of RFC 6750 section 3.1, where credentials would help
	scopes    []string      // that a challenge asks for
	allow     string        // the methods there are
	cause     string        // for the audit log alone
	kind      string        // what the request was for, where the caller may know of it
	name      string
	requested *string // a version that is not supported
}

func turn(status int, rule, message string) *turned {
	return &turned{status: status, fault: fault{rule: rule, message: message, code: jsonrpc.CodeInvalidRequest}}
}

// because adds what the audit log is told and the caller is not.
func (t *turned) because(err error) *turned {
	t.cause = err.Error()
	return t
}

func (t *turned) hinted(hint string) *turned {
	t.hint = hint
	return t
}

// ofPolicy marks a refusal that is nobody's mistake.
func (t *turned) ofPolicy(code string) *turned {
	t.category, t.problem, t.code = safetool.CategoryPolicy, code, jsonrpc.CodeInvalidParams
	return t
}

// later marks a refusal that time mends.
func (t *turned) later(code string, category safetool.Category, wait time.Duration) *turned {
	t.category, t.problem, t.retry = category, code, max(wait, time.Second)
	t.code = jsonrpc.CodeInternalError
	t.hint = fmt.Sprintf("Try again in %d seconds.", seconds(t.retry))
	return t
}

func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

// said is what the caller is told.
func (t *turned) said() *safetool.Problem {
	p := t.fault.problem()
	p.Hint, p.Retry = t.hint, t.retry > 0
	if t.category != "" {
		p.Category = t.category
	}
	if t.problem != "" {
		p.Code = t.problem
	}
	return p
}

// ofFault is a fault of a body as an HTTP refusal.
func ofFault(f *fault) *turned {
	t := &turned{status: http.StatusBadRequest, fault: *f, hint: "Correct the message and send it again."}
	switch f.rule {
	case "size":
		t.status = http.StatusRequestEntityTooLarge
	case "json":
		t.message = "The body is not one JSON text: one message goes into each request, and nothing else."
	case "batch":
		t.message = "Batches are not taken: send each message in a request of its own."
	}
	return t
}

// mismatch is a header that says something else than the body (SEP-2243): a gateway
// that reads the one and a server that reads the other would disagree.
func mismatch(message string) *turned {
	t := turn(http.StatusBadRequest, "headers", message)
	t.code = mcp.CodeHeaderMismatch
	return t.hinted("Send the header with the value that the body has.")
}

// write answers with the refusal.
func (t *turned) write(w http.ResponseWriter, metadata string) {
	h := w.Header()
	for _, name := range []string{"Content-Length", "Content-Encoding", "Etag", "Last-Modified", "Mcp-Session-Id"} {
		h.Del(name)
	}
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if t.retry > 0 {
		h.Set("Retry-After", fmt.Sprint(seconds(t.retry)))
	}
	if t.allow != "" {
		h.Set("Allow", t.allow)
	}
	if t.status == http.StatusUnauthorized || t.challenge != "" {
		h.Set("WWW-Authenticate", challenge(t.challenge, t.scopes, metadata))
	}
	body := errorLine(t.id.json, t.code, t.said())
	if t.requested != nil {
		body = versionLine(t)
	}
	h.Set("Content-Length", fmt.Sprint(len(body)))
	w.WriteHeader(t.status)
	_, _ = w.Write(body) // a client that is gone needs no answer
}

// challenge is a WWW-Authenticate header (RFC 6750 section 3, RFC 9728 section 5.1).
// A scope is quoted as it is: safetool takes none that could not be.
func challenge(code string, scopes []string, metadata string) string {
	var params []string
	if code != "" {
		params = append(params, `error="`+code+`"`)
	}
	if len(scopes) > 0 {
		params = append(params, `scope="`+strings.Join(scopes, " ")+`"`)
	}
	if metadata != "" {
		params = append(params, `resource_metadata="`+metadata+`"`)
	}
	if params == nil {
		return "Bearer"
	}
	return "Bearer " + strings.Join(params, ", ")
}

// versionLine is the answer to a version that is not supported, whose data the
// specification lays down. It repeats the version where it looks like one.
func versionLine(t *turned) []byte {
	data, err := json.Marshal(mcp.UnsupportedProtocolVersionData{Supported: mcp.SupportedProtocolVersions(), Requested: *t.requested})
	if err != nil { // strings always marshal
		data = nil
	}
	raw, err := json.Marshal(unsupported(&jsonrpc.Error{Code: t.code, Message: t.message, Data: data}))
	if err != nil {
		raw = []byte("null")
	}
	id := t.id.json
	if id == "" {
		id = "null"
	}
	return append(append([]byte(`{"jsonrpc":"2.0","id":`+id+`,"error":`), raw...), "}\n"...)
}
