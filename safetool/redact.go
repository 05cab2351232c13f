package safetool

import (
	"slices"
	"sync"

	"github.com/safemcp/safemcp/audit"
)

// An eventReader is the memory of looking at all texts of an event at once.
type eventReader struct {
	texts  []*string
	joined []byte
}

// between stands between two texts that are looked through together: no escape holds it,
// so that none begins in one and ends in the other.
const between = '|'

var eventReaders = sync.Pool{New: func() any { return new(eventReader) }}

// redactEvent takes issued secrets out of every text of an event, whoever wrote it,
// and returns the names of those that it held. Two events a call are looked at, and
// nearly none holds one: so its texts are looked through together, and one
// by one only after a find.
func (s *Server) redactEvent(e *audit.Event) (found []string) {
	if s.options.Secrets == nil {
		return nil
	}
	r, _ := eventReaders.Get().(*eventReader)
	defer func() {
		clear(r.texts)
		eventReaders.Put(r)
	}()
	r.texts, r.joined = eventTexts(e, r.texts[:0]), r.joined[:0]
	for _, text := range r.texts {
		r.joined = append(append(r.joined, *text...), between)
	}
	if !s.options.Secrets.Patterns() { // they may ask for the beginning or the end of a text
		if _, some := s.options.Secrets.Redact(r.joined); some == nil {
			return nil
		}
	}
	// The lists are the caller's principal's.
	e.Caller.Roles, e.Caller.Scopes = slices.Clone(e.Caller.Roles), slices.Clone(e.Caller.Scopes)
	e.Args.Fields, e.Answer.Fields = ownFields(e.Args.Fields), ownFields(e.Answer.Fields)
	e.Credentials, e.Egress = slices.Clone(e.Credentials), slices.Clone(e.Egress)
	r.texts = eventTexts(e, r.texts[:0])
	var names []string
	for _, text := range r.texts {
		*text, names = s.options.Secrets.RedactString(*text)
		found = append(found, names...)
	}
	return found
}

// ownFields copies fields, and those within them.
func ownFields(all []audit.Field) []audit.Field {
	all = slices.Clone(all)
	for i := range all {
		if n := all[i].Nested; n != nil {
			all[i].Nested = &audit.Nested{Fields: ownFields(n.Fields), Unknown: n.Unknown, Items: ownFields(n.Items)}
		}
	}
	return all
}

// eventTexts returns every text of an event that is not empty.
func eventTexts(e *audit.Event, texts []*string) []*string {
	texts = append(
		texts,
		&e.Server.Name, &e.Server.Version,
		&e.Caller.ID, &e.Caller.Issuer, &e.Caller.Subject, &e.Caller.Tenant, &e.Caller.Client, &e.Caller.Address,
		&e.MCP.Method, &e.MCP.Tool, &e.MCP.Resource, &e.MCP.Prompt, &e.MCP.Session, &e.MCP.Protocol, &e.MCP.Request, &e.MCP.Transport,
		&e.Decision.By, &e.Decision.Rule, &e.Decision.Reason,
		&e.Approval.ID, &e.Approval.By, &e.Approval.Kind,
		&e.Outcome.Code, &e.Outcome.Cause, &e.Outcome.Stack,
		&e.Trace.TraceID, &e.Trace.SpanID,
	)
	for i := range e.Caller.Roles {
		texts = append(texts, &e.Caller.Roles[i])
	}
	for i := range e.Caller.Scopes {
		texts = append(texts, &e.Caller.Scopes[i])
	}
	for i := range e.Credentials {
		c := &e.Credentials[i]
		texts = append(texts, &c.Name, &c.Binding, &c.Version, &c.Request, &c.Role, &c.Accessor)
	}
	for i := range e.Egress {
		texts = append(texts, &e.Egress[i].Host)
	}
	texts = fieldTexts(fieldTexts(texts, e.Args.Fields), e.Answer.Fields)
	return slices.DeleteFunc(texts, func(text *string) bool { return *text == "" })
}

// fieldTexts appends the texts of fields that are not made by us.
func fieldTexts(texts []*string, all []audit.Field) []*string {
	for i := range all {
		texts = append(texts, &all[i].Name, &all[i].Clear)
		if n := all[i].Nested; n != nil {
			texts = fieldTexts(fieldTexts(texts, n.Fields), n.Items)
		}
	}
	return texts
}
