package serve

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/safetool"
)

// problem is what a refusal at the door says.
func (f *fault) problem() *safetool.Problem {
	p := &safetool.Problem{Code: safetool.CodeMalformed, Category: safetool.CategoryCaller, Message: f.message, Hint: "Correct the message and send it again. The session goes on."}
	if f.rule == "params" {
		p.Code = safetool.CodeInvalidArguments
	}
	return p
}

// answer is a refusal as a line.
func (f *fault) answer() []byte {
	return errorLine(f.id.json, f.code, f.problem())
}

func errorLine(id string, code int64, p *safetool.Problem) []byte {
	data, err := json.Marshal(p)
	if err != nil { // strings, a bool and slices of them always marshal
		data = []byte("null")
	}
	raw, err := json.Marshal(&jsonrpc.Error{Code: code, Message: p.Message, Data: data})
	if err != nil {
		raw = []byte(`{"code":-32603,"message":""}`)
	}
	if id == "" {
		id = "null"
	}
	out := append([]byte(`{"jsonrpc":"2.0","id":`), id...)
	return append(append(append(out, `,"error":`...), raw...), "}\n"...)
}

// reworded gives an error that the SDK words our words: only a bare *jsonrpc.Error
// comes from safetool, or is one that the SDK makes of constants.
func reworded(err error) (wire *jsonrpc.Error, ours bool) {
	if wire, bare := err.(*jsonrpc.Error); bare { //nolint:errorlint // see above
		if wire.Code == mcp.CodeUnsupportedProtocolVersion {
			return unsupported(wire), true
		}
		return wire, true
	}
	f := fault{rule: "sdk", code: jsonrpc.CodeInternalError, message: "The request could not be answered."}
	if wrapped, ok := errors.AsType[*jsonrpc.Error](err); ok {
		switch f.code = wrapped.Code; wrapped.Code {
		case jsonrpc.CodeMethodNotFound:
			f.message = "This server does not offer this method."
		case jsonrpc.CodeInvalidParams:
			f.message = faultParams.message
		case jsonrpc.CodeInvalidRequest:
			f.message = "The request cannot be answered in this state of the session: initialize it first."
		}
	}
	data, merr := json.Marshal(f.problem())
	if merr != nil {
		data = nil
	}
	return &jsonrpc.Error{Code: f.code, Message: f.message, Data: data}, false
}

// unsupported is the one error of the SDK whose data says what was sent, as the
// specification wants it: the version. It stays where it looks like one.
func unsupported(wire *jsonrpc.Error) *jsonrpc.Error {
	var data mcp.UnsupportedProtocolVersionData
	if json.Unmarshal(wire.Data, &data) != nil {
		return &jsonrpc.Error{Code: wire.Code, Message: wire.Message}
	}
	if len(data.Requested) > 16 || strings.Trim(data.Requested, "v0123456789.-") != "" {
		data.Requested = ""
	}
	raw, err := json.Marshal(&data)
	if err != nil { // strings always marshal
		raw = nil
	}
	return &jsonrpc.Error{Code: wire.Code, Message: wire.Message, Data: raw}
}

// appendMessage appends a message as a line. Results were encoded by the SDK; a line
// end can only stand between their tokens.
func appendMessage(b []byte, msg jsonrpc.Message) ([]byte, error) {
	response, ok := msg.(*jsonrpc.Response)
	if !ok || response.Error != nil {
		raw, err := jsonrpc.EncodeMessage(msg)
		if err != nil {
			return nil, err //nolint:wrapcheck // the SDK's own
		}
		return append(append(b, raw...), '\n'), nil
	}
	id, err := json.Marshal(response.ID.Raw())
	if err != nil {
		return nil, err //nolint:wrapcheck // an id is a string or a number
	}
	b = append(append(append(b, `{"jsonrpc":"2.0","id":`...), id...), `,"result":`...)
	result := []byte(response.Result)
	if len(result) == 0 {
		result = []byte("null")
	}
	if bytes.IndexByte(result, '\n') >= 0 || bytes.IndexByte(result, '\r') >= 0 {
		var compact bytes.Buffer
		if err := json.Compact(&compact, result); err != nil {
			return nil, err //nolint:wrapcheck // the SDK has just encoded it
		}
		result = compact.Bytes()
	}
	return append(append(b, result...), "}\n"...), nil
}
