package serve

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
)

// A responder is what a request is answered through. It bounds how long the client may
// take over each part, and keeps the SDK's own refusals back, whose words are not
// ours.
type responder struct {
	http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration

	status int // 0 until the header is written
	held   []byte
	holds  bool // the SDK refuses

	session string          // the one that the answer begins
	began   func(id string) // told of it before the client is
}

// mostHeld bounds what of a refusal of the SDK is looked at.
const mostHeld = 64 << 10

func (r *responder) WriteHeader(status int) {
	if r.status != 0 && status >= 200 {
		return
	}
	if status >= 200 {
		r.status = status
	}
	if status >= 400 {
		r.holds = true
		return
	}
	if id := r.Header().Get(headerSession); id != "" && r.began != nil && status < 300 {
		r.session = id
		r.began(id)
		r.began = nil
	}
	r.ResponseWriter.WriteHeader(status)
}

// begin writes the header of an answer of ours, whatever its status.
func (r *responder) begin(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// release writes a refusal that was held back, as it is.
func (r *responder) release(body []byte) {
	_ = r.control.SetWriteDeadline(time.Now().Add(r.timeout))
	r.Header().Set("Cache-Control", "no-store")
	r.Header().Del("Content-Length")
	r.ResponseWriter.WriteHeader(r.status)
	_, _ = r.ResponseWriter.Write(body)
}

func (r *responder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.WriteHeader(http.StatusOK)
	}
	if r.holds {
		if room := mostHeld - len(r.held); room > 0 {
			r.held = append(r.held, p[:min(len(p), room)]...)
		}
		return len(p), nil
	}
	// An expired deadline ends an HTTP/2 stream even while nothing is written, so it
	// stands no longer than the write.
	_ = r.control.SetWriteDeadline(time.Now().Add(r.timeout)) // where there is none, the server's own holds
	n, err := r.ResponseWriter.Write(p)
	_ = r.control.SetWriteDeadline(time.Time{})
	return n, err //nolint:wrapcheck // a ResponseWriter's own
}

// FlushError flushes what was written; http.ResponseController asks for it.
func (r *responder) FlushError() error {
	if r.holds {
		return nil
	}
	_ = r.control.SetWriteDeadline(time.Now().Add(r.timeout))
	err := r.control.Flush()
	_ = r.control.SetWriteDeadline(time.Time{})
	return err //nolint:wrapcheck // a ResponseController's own
}

// Flush implements http.Flusher.
func (r *responder) Flush() { _ = r.FlushError() }

// refused returns the refusal that the SDK wanted to write in words of ours, nil
// where it wrote an answer; ours says that it was safetool's and is recorded there.
func (r *responder) refused() (t *turned, body []byte) {
	if !r.holds {
		return nil, nil
	}
	var wire struct {
		Error *jsonrpc.Error `json:"error"`
	}
	if json.Unmarshal(r.held, &wire) == nil && wire.Error != nil {
		var problem struct {
			Category string `json:"category"`
		}
		if json.Unmarshal(wire.Error.Data, &problem) == nil && problem.Category != "" {
			return nil, r.held
		}
		t = turn(r.status, "sdk", sdkMessage(wire.Error.Code))
		t.code = wire.Error.Code
		return t, nil
	}
	switch r.status {
	case http.StatusNotFound:
		return noSession(), nil
	case http.StatusMethodNotAllowed:
		t = turn(r.status, "method", "This HTTP method is not taken here.")
		t.allow = r.Header().Get("Allow")
		return t, nil
	}
	return turn(r.status, "sdk", sdkMessage(jsonrpc.CodeInvalidRequest)), nil
}

// sdkMessage is what is said in place of the SDK's words.
func sdkMessage(code int64) string {
	switch code {
	case jsonrpc.CodeMethodNotFound:
		return "This server does not offer this method."
	case jsonrpc.CodeInvalidParams:
		return faultParams.message
	case jsonrpc.CodeInternalError:
		return "The request could not be answered."
	}
	return "The request cannot be answered as it is: its version, method or state of the session do not fit together."
}
