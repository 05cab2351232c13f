package audit

import (
	"strconv"
	"time"
)

// Bounds of what an event holds, in bytes. A longer text is cut at a character, and
// ends in an ellipsis.
const (
	maxText   = 1 << 10
	maxReason = 2 << 10
	maxCause  = 2 << 10
	maxStack  = 16 << 10
	maxList   = 64 // elements of a list; the last says how many were left out
)

// An encoder appends JSON to a buffer. Written by hand, since it runs twice a call
// and the form never changes.
type encoder struct {
	b     []byte
	comma bool
	depth int // of fields in fields
}

// appendEvent appends e as a JSON object without its integrity and without the
// closing brace.
func appendEvent(b []byte, e *Event) []byte {
	return appendBody(appendHead(b, e.Version, e.ID, e.Seq, appendTime(nil, e.Time)), e)
}

// appendHead appends the beginning of an event, which the log decides.
func appendHead(b []byte, version int, id string, seq uint64, at []byte) []byte {
	enc := encoder{b: append(b, '{')}
	enc.integer("v", int64(version))
	enc.text("id", id, maxText)
	enc.name("seq")
	enc.b = strconv.AppendUint(enc.b, seq, 10)
	enc.name("time")
	return append(append(append(enc.b, '"'), at...), '"')
}

// appendBody appends what follows the head of an event.
func appendBody(b []byte, e *Event) []byte {
	enc := encoder{b: b, comma: true}
	if e.Server != (Server{}) {
		enc.open("server")
		enc.text("name", e.Server.Name, maxText)
		enc.text("version", e.Server.Version, maxText)
		enc.text("instance", e.Server.Instance, maxText)
		enc.close()
	}
	enc.text("phase", string(e.Phase), maxText)
	enc.text("call", e.Call, maxText)
	enc.caller(&e.Caller)
	enc.mcp(&e.MCP)
	enc.text("key", e.Key, maxText)
	enc.args("args", &e.Args)
	enc.args("answer", &e.Answer)
	if e.Decision != (Decision{}) {
		enc.open("decision")
		enc.text("effect", string(e.Decision.Effect), maxText)
		enc.text("by", e.Decision.By, maxText)
		enc.text("rule", e.Decision.Rule, maxText)
		enc.text("reason", e.Decision.Reason, maxReason)
		enc.close()
	}
	if e.Approval != (Approval{}) {
		enc.open("approval")
		enc.text("id", e.Approval.ID, maxText)
		enc.text("by", e.Approval.By, maxText)
		enc.text("kind", e.Approval.Kind, maxText)
		enc.close()
	}
	enc.lists(e)
	if e.Outcome != (Outcome{}) {
		enc.open("outcome")
		enc.text("status", string(e.Outcome.Status), maxText)
		enc.text("code", e.Outcome.Code, maxText)
		enc.count("bytes", e.Outcome.Bytes)
		enc.text("digest", e.Outcome.Digest, maxText)
		enc.text("reference", e.Outcome.Reference, maxText)
		enc.text("cause", e.Outcome.Cause, maxCause)
		enc.text("stack", e.Outcome.Stack, maxStack)
		enc.close()
	}
	if e.Duration != 0 {
		enc.integer("duration_us", e.Duration.Microseconds())
	}
	if e.Buffered {
		enc.name("buffered")
		enc.b = append(enc.b, "true"...)
	}
	if e.Trace != (Trace{}) {
		enc.open("trace")
		enc.text("trace_id", e.Trace.TraceID, maxText)
		enc.text("span_id", e.Trace.SpanID, maxText)
		enc.close()
	}
	return enc.b
}

func (enc *encoder) caller(c *Caller) {
	if c.ID == "" && c.Issuer == "" && c.Subject == "" && c.Tenant == "" && c.Client == "" && c.Address == "" && len(c.Roles) == 0 && len(c.Scopes) == 0 {
		return
	}
	enc.open("caller")
	enc.text("id", c.ID, maxText)
	enc.text("issuer", c.Issuer, maxText)
	enc.text("subject", c.Subject, maxText)
	enc.text("tenant", c.Tenant, maxText)
	enc.text("client", c.Client, maxText)
	enc.texts("roles", c.Roles)
	enc.texts("scopes", c.Scopes)
	enc.text("address", c.Address, maxText)
	enc.close()
}

func (enc *encoder) mcp(m *MCP) {
	if *m == (MCP{}) {
		return
	}
	enc.open("mcp")
	enc.text("method", m.Method, maxText)
	enc.text("tool", m.Tool, maxText)
	enc.text("resource", m.Resource, maxText)
	enc.text("prompt", m.Prompt, maxText)
	enc.text("session", m.Session, maxText)
	enc.text("protocol", m.Protocol, maxText)
	enc.text("request", m.Request, maxText)
	enc.text("transport", m.Transport, maxText)
	enc.close()
}

func (enc *encoder) args(name string, a *Args) {
	if a.Digest == "" && a.Bytes == 0 && len(a.Fields) == 0 && a.Unknown == 0 {
		return
	}
	enc.open(name)
	enc.text("digest", a.Digest, maxText)
	enc.count("bytes", a.Bytes)
	enc.fields(a.Fields)
	enc.count("unknown", a.Unknown)
	enc.close()
}

func (enc *encoder) fields(fields []Field) {
	if len(fields) == 0 {
		return
	}
	enc.open("fields")
	for i := range fields {
		if twice(fields, i) { // or nobody could read the line
			continue
		}
		enc.separate()
		enc.b = append(appendString(enc.b, fields[i].Name, maxText), ":{"...) // the author's own name
		enc.comma = false
		enc.field(&fields[i])
		enc.close()
	}
	enc.close()
}

func (enc *encoder) field(f *Field) {
	switch {
	case f.Clear != "":
		enc.name("clear")
		enc.b = appendClear(enc.b, f.Clear)
		enc.comma = true
	case f.Len >= 0:
		enc.text("hmac", f.HMAC, maxText)
		enc.integer("len", int64(f.Len))
		if f.Nested != nil {
			enc.nested(f.Nested)
		}
	}
}

// twice says that a field before has the same name, as far as names are written.
func twice(fields []Field, i int) bool {
	name := written(fields[i].Name)
	for j := range i {
		if len(fields[j].Name) == len(fields[i].Name) && fields[j].Name == fields[i].Name || (len(name) >= maxText && written(fields[j].Name) == name) {
			return true
		}
	}
	return false
}

func written(name string) string { return name[:min(len(name), maxText)] }

// maxNested bounds how deep fields are written in fields, and twice as deep they are read.
// What is deeper has its length alone.
const maxNested = 16

func (enc *encoder) nested(n *Nested) {
	if enc.depth == maxNested {
		return
	}
	enc.depth++
	defer func() { enc.depth-- }()
	enc.fields(n.Fields)
	enc.count("unknown", n.Unknown)
	if len(n.Items) == 0 {
		return
	}
	enc.name("items")
	enc.b = append(enc.b, '[')
	for i := range n.Items {
		enc.element(i)
		enc.field(&n.Items[i])
		enc.close()
	}
	enc.b = append(enc.b, ']')
}

func (enc *encoder) lists(e *Event) {
	if len(e.Credentials) > 0 {
		enc.name("credentials")
		enc.b = append(enc.b, '[')
		for i, c := range e.Credentials {
			enc.element(i)
			if i == maxList {
				enc.text("name", leftOut(len(e.Credentials)), maxText)
				enc.close()
				break
			}
			enc.text("name", c.Name, maxText)
			enc.text("binding", c.Binding, maxText)
			enc.text("version", c.Version, maxText)
			if !c.Expires.IsZero() {
				enc.time("expires", c.Expires)
			}
			enc.text("request_id", c.Request, maxText)
			enc.text("role", c.Role, maxText)
			enc.text("accessor", c.Accessor, maxText)
			enc.close()
		}
		enc.b = append(enc.b, ']')
	}
	if len(e.Egress) > 0 {
		enc.name("egress")
		enc.b = append(enc.b, '[')
		for i, g := range e.Egress {
			enc.element(i)
			if i == maxList {
				enc.text("host", leftOut(len(e.Egress)), maxText)
				enc.close()
				break
			}
			enc.text("host", g.Host, maxText)
			enc.count("bytes", g.Bytes)
			enc.close()
		}
		enc.b = append(enc.b, ']')
	}
}

// name begins a member of the form, whose names need no escapes. Those of arguments are
// somebody else's and do not pass here.
func (enc *encoder) name(name string) {
	enc.separate()
	enc.b = append(append(append(enc.b, '"'), name...), `":`...)
}

func (enc *encoder) separate() {
	if enc.comma {
		enc.b = append(enc.b, ',')
	}
	enc.comma = true
}

func (enc *encoder) open(name string) {
	enc.name(name)
	enc.b = append(enc.b, '{')
	enc.comma = false
}

func (enc *encoder) element(i int) {
	if i > 0 {
		enc.b = append(enc.b, ',')
	}
	enc.b = append(enc.b, '{')
	enc.comma = false
}

func (enc *encoder) close() {
	enc.b = append(enc.b, '}')
	enc.comma = true
}

func (enc *encoder) text(name, s string, most int) {
	if s == "" {
		return
	}
	enc.name(name)
	enc.b = appendString(enc.b, s, most)
}

func (enc *encoder) texts(name string, all []string) {
	if len(all) == 0 {
		return
	}
	enc.name(name)
	enc.b = append(enc.b, '[')
	for i, s := range all[:min(len(all), maxList)] {
		if i > 0 {
			enc.b = append(enc.b, ',')
		}
		enc.b = appendString(enc.b, s, maxText)
	}
	if len(all) > maxList {
		enc.b = appendString(append(enc.b, ','), leftOut(len(all)), maxText)
	}
	enc.b = append(enc.b, ']')
}

// leftOut says how many elements of a list so long are not there.
func leftOut(n int) string { return "… and " + strconv.Itoa(n-maxList) + " more" }

func (enc *encoder) count(name string, n int) {
	if n != 0 {
		enc.integer(name, int64(n))
	}
}

func (enc *encoder) integer(name string, n int64) {
	enc.name(name)
	enc.b = strconv.AppendInt(enc.b, n, 10)
}

func (enc *encoder) time(name string, t time.Time) {
	enc.name(name)
	enc.b = append(appendTime(append(enc.b, '"'), t), '"')
}

// appendTime appends a time as RFC 3339 has it.
func appendTime(b []byte, t time.Time) []byte {
	if t = t.UTC(); t.Year() < 0 || t.Year() > 9999 { // it has four digits, and nobody could read the log
		t = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	}
	return t.AppendFormat(b, time.RFC3339Nano)
}
