package serve

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/modelcontextprotocol/go-sdk/jsonrpc"

	"github.com/safemcp/safemcp/internal/bridge"
	"github.com/safemcp/safemcp/internal/jsonwalk"
	"github.com/safemcp/safemcp/limit"
)

// A fault is why a line is refused: words of ours alone.
type fault struct {
	rule    string // for the audit log: "json", "envelope", "params", …
	message string
	code    int64
	id      id                // of the request, if it can be told
	method  string            // if it is one that the protocol knows
	silent  bool              // it is a notification's
	failed  *jsonrpc.Response // what whoever asked gets where it is a malformed answer; else nil
}

func (f fault) of(line []byte) *fault {
	if f.id.json == "" {
		f.id = recoverID(line)
	}
	return &f
}

var (
	faultLong    = fault{rule: "size", code: jsonrpc.CodeInvalidRequest, message: "The message is too long."}
	faultDeep    = fault{rule: "depth", code: jsonrpc.CodeInvalidRequest, message: "The message is nested too deep."}
	faultUTF8    = fault{rule: "utf8", code: jsonrpc.CodeParseError, message: "The message is not valid UTF-8."}
	faultBOM     = fault{rule: "bom", code: jsonrpc.CodeParseError, message: "The message begins with a byte order mark: send it without."}
	faultJSON    = fault{rule: "json", code: jsonrpc.CodeParseError, message: "The line is not one JSON text: one message goes on each line, and nothing else."}
	faultTwice   = fault{rule: "duplicate", code: jsonrpc.CodeInvalidRequest, message: "A name is given twice in one object of the message."}
	faultBatch   = fault{rule: "batch", code: jsonrpc.CodeInvalidRequest, message: "Batches are not taken: send each message on a line of its own."}
	faultObject  = fault{rule: "envelope", code: jsonrpc.CodeInvalidRequest, message: "The message is not a JSON object."}
	faultMember  = fault{rule: "envelope", code: jsonrpc.CodeInvalidRequest, message: "The message has a member that JSON-RPC 2.0 does not know. Names are spelt exactly: jsonrpc, id, method, params, result, error."}
	faultVersion = fault{rule: "envelope", code: jsonrpc.CodeInvalidRequest, message: `The member jsonrpc has to be "2.0".`}
	faultID      = fault{rule: "envelope", code: jsonrpc.CodeInvalidRequest, message: "The id has to be a string of at most 1024 bytes, or a whole number of at most 53 bits."}
	faultMethod  = fault{rule: "envelope", code: jsonrpc.CodeInvalidRequest, message: "The method has to be a string, and not empty."}
	faultKind    = fault{rule: "envelope", code: jsonrpc.CodeInvalidRequest, message: "The message is neither a request, nor a notification, nor a response with either a result or an error."}
	faultParams  = fault{rule: "params", code: jsonrpc.CodeInvalidParams, message: "The parameters of this method do not have the expected shape."}
	faultNoObj   = fault{rule: "params", code: jsonrpc.CodeInvalidParams, message: "The parameters have to be an object."}
	faultUnasked = fault{rule: "envelope", code: jsonrpc.CodeInvalidRequest, message: "This method is a request, which needs an id to be answered."}
	faultListens = fault{rule: "listens", code: jsonrpc.CodeInvalidRequest, message: "Too many subscriptions are open: end one first."}
	faultInUse   = fault{rule: "id", code: jsonrpc.CodeInvalidRequest, message: "A request with this id is still running: its answers could not be told apart."}
)

// An envelope is a message as its line has it.
type envelope struct {
	id                      id
	version                 []byte
	method                  string
	params, result, failure []byte
	hasID, hasMethod        bool

	// Of the parameters:
	name, uri, arguments, meta []byte // members, nil where there are none
	resumes                    bool   // there is what a later round of a call has
	miscased                   bool   // a member is a known one in another case
}

// parse reads a line as exactly one message. The message shares nothing with the
// line; the envelope does.
func parse(line []byte, depth int) (jsonrpc.Message, *envelope, *fault) {
	e, f := readEnvelope(line, depth)
	if f != nil {
		return nil, nil, f
	}
	return e.message(), e, nil
}

// readEnvelope takes exactly one message apart, and checks it.
func readEnvelope(line []byte, depth int) (*envelope, *fault) {
	if limit.DepthExceeds(line, depth) {
		return nil, faultDeep.of(line)
	}
	once := jsontext.Value(line).IsValid() // no name is given twice, anywhere
	if !once && !jsontext.Value(line).IsValid(jsontext.AllowDuplicateNames(true)) {
		return nil, unreadable(line)
	}
	at := jsonwalk.Space(line, 0)
	switch line[at] {
	case '{':
	case '[':
		return nil, faultBatch.of(line)
	default:
		return nil, faultObject.of(line)
	}
	e := new(envelope)
	if f := e.read(line, at); f != nil {
		out := f.of(line)
		out.failed = e.failed()
		return nil, out
	}
	if !once && e.repeats(line, at) {
		f := faultTwice
		f.id, f.method = e.id, known(e.method)
		return nil, &f
	}
	if f := e.check(); f != nil {
		out := *f
		out.id, out.method, out.silent, out.failed = e.id, known(e.method), e.hasMethod && !e.hasID, e.failed()
		return nil, &out
	}
	return e, nil
}

// failed is what the SDK gets for a response that is malformed, so that whoever asked
// does not wait for a better one; nil where the message is none, or nobody's.
func (e *envelope) failed() *jsonrpc.Response {
	if e.hasMethod || e.id.json == "" || (e.result == nil && e.failure == nil) {
		return nil
	}
	return &jsonrpc.Response{ID: e.id.value, Error: errMalformed}
}

// unreadable says why a line is no JSON.
func unreadable(line []byte) *fault {
	switch {
	case bytes.HasPrefix(line, []byte("\xef\xbb\xbf")), bytes.HasPrefix(line, []byte("\xff\xfe")), bytes.HasPrefix(line, []byte("\xfe\xff")):
		return faultBOM.of(line)
	case !jsontext.Value(line).IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)):
		return faultJSON.of(line)
	}
	return faultUTF8.of(line) // half a surrogate pair among it
}

// read takes the members of the message apart.
func (e *envelope) read(line []byte, at int) (f *fault) {
	set := func(bad bool, as *fault) {
		if bad && f == nil {
			f = as
		}
	}
	jsonwalk.EachMember(line, at, func(name []byte, value int) int {
		if string(name) == "params" && line[value] == '{' {
			end := e.readParams(line, value)
			e.params = line[value:end]
			return end
		}
		end := jsonwalk.Skip(line, value)
		raw := line[value:end]
		switch string(name) {
		case "jsonrpc":
			e.version = raw
		case "id":
			var ok bool
			e.id, ok = readID(raw)
			e.hasID = true
			set(!ok, &faultID)
		case "method":
			e.hasMethod = true
			var ok bool
			e.method, ok = text(raw)
			set(!ok || e.method == "", &faultMethod)
		case "params":
			e.params = raw
		case "result":
			e.result = raw
		case "error":
			e.failure = raw
		default:
			set(true, &faultMember)
		}
		return end
	})
	set(string(e.version) != `"2.0"`, &faultVersion)
	return f
}

// readParams takes the parameters that begin at apart, and returns their end.
func (e *envelope) readParams(line []byte, at int) int {
	return jsonwalk.EachMember(line, at, func(name []byte, value int) int {
		end := jsonwalk.Skip(line, value)
		raw := line[value:end]
		switch string(name) {
		case "name":
			e.name = raw
		case "uri":
			e.uri = raw
		case "arguments":
			e.arguments = raw
		case "_meta":
			e.meta = raw
		case "inputResponses", "requestState":
			e.resumes = true
		default:
			e.miscased = e.miscased || miscased(name)
		}
		return end
	})
}

// text is a JSON string's.
func text(raw []byte) (string, bool) {
	if raw[0] != '"' {
		return "", false
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1]), true
	}
	unquoted, err := jsontext.AppendUnquote(nil, raw)
	return string(unquoted), err == nil
}

// repeats says whether a name is given twice anywhere but in the arguments of a tool
// call, which are the tool's to refuse, in its own words.
func (e *envelope) repeats(line []byte, at int) bool {
	if names(line, at) {
		return true
	}
	if e.method != "tools/call" || e.params == nil || e.params[0] != '{' || names(e.params, 0) {
		return true
	}
	inside := false
	jsonwalk.EachMember(e.params, 0, func(name []byte, value int) int {
		end := jsonwalk.Skip(e.params, value)
		if string(name) != "arguments" && !jsontext.Value(e.params[value:end]).IsValid() {
			inside = true
		}
		return end
	})
	return inside
}

// names says whether an object has a member twice, not looking into its members.
func names(raw []byte, at int) (twice bool) {
	seen := map[string]bool{}
	jsonwalk.EachMember(raw, at, func(name []byte, value int) int {
		twice = twice || seen[string(name)]
		seen[string(name)] = true
		return jsonwalk.Skip(raw, value)
	})
	return twice
}

// check says what is wrong with the members that a message has, taken together.
func (e *envelope) check() *fault {
	switch {
	case e.hasMethod && e.result == nil && e.failure == nil:
		switch {
		case e.params != nil && e.params[0] != '{':
			return &faultNoObj
		case !wellShaped(e):
			return &faultParams
		case !e.hasID && known(e.method) != "" && !strings.HasPrefix(e.method, "notifications/"):
			return &faultUnasked
		}
		return nil
	case !e.hasMethod && e.hasID && e.params == nil && (e.result == nil) != (e.failure == nil):
		if e.failure != nil && e.error() == nil {
			return &faultKind
		}
		return nil
	}
	return &faultKind
}

// error reads the error of a response, nil where it is none.
func (e *envelope) error() *jsonrpc.Error {
	var failure struct {
		Code    *int64          `json:"code"`
		Message *string         `json:"message"`
		Data    json.RawMessage `json:"data"`
	}
	ok := json.Unmarshal(e.failure, &failure) == nil && failure.Code != nil && failure.Message != nil
	if !ok {
		return nil
	}
	return &jsonrpc.Error{Code: *failure.Code, Message: *failure.Message, Data: failure.Data}
}

// message makes what the SDK takes of an envelope that has been checked.
func (e *envelope) message() jsonrpc.Message {
	if e.hasMethod {
		return &jsonrpc.Request{ID: e.id.value, Method: e.method, Params: bytes.Clone(e.params)}
	}
	out := &jsonrpc.Response{ID: e.id.value, Result: bytes.Clone(e.result)}
	if e.failure != nil {
		out.Error = e.error()
	}
	return out
}

// blank says that a line holds nothing: some clients send them, and no harm is done.
func blank(line []byte) bool {
	return strings.Trim(string(line[:min(len(line), 64)]), " \t\r") == "" && len(line) <= 64
}

func init() {
	bridge.Strict = func(message []byte) bool {
		_, f := readEnvelope(message, defaultDepth)
		return f == nil
	}
}
