package export

import (
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/safemcp/safemcp/audit"
)

// typePrefix is what the types of our events begin with; the phase follows.
const typePrefix = "com.github.safemcp.audit."

// A cloudEvent is one in the JSON format (https://github.com/cloudevents/spec, version
// 1.0).
type cloudEvent struct {
	SpecVersion     string          `json:"specversion"`
	ID              string          `json:"id"`
	Source          string          `json:"source"`
	Type            string          `json:"type"`
	Time            string          `json:"time"`
	Subject         string          `json:"subject,omitempty"`
	DataContentType string          `json:"datacontenttype"`
	Data            json.RawMessage `json:"data"`
}

func cloudEventOf(l audit.Line) (*cloudEvent, error) {
	e := l.Event
	raw, err := rawOf(l)
	if err != nil {
		return nil, err
	}
	name, _ := subject(&e.MCP)
	if name == "" {
		name = e.MCP.Method
	}
	id := attribute(e.ID)
	if id == "" { // it is required; the log always sets one
		id = "seq-" + strconv.FormatUint(e.Seq, 10)
	}
	return &cloudEvent{
		SpecVersion: "1.0", ID: id, Source: sourceOf(&e.Server), Type: typePrefix + known(e.Phase),
		Time: e.Time.Format(time.RFC3339Nano), Subject: attribute(name), DataContentType: "application/json", Data: raw,
	}, nil
}

// sourceOf is a URI reference for a server: its name, and which run of it. What the log
// itself records has neither.
func sourceOf(s *audit.Server) string {
	parts := []string{"/safemcp"}
	for _, part := range []string{s.Name, s.Instance} {
		if part != "" {
			parts = append(parts, url.PathEscape(part))
		}
	}
	return strings.Join(parts, "/")
}

// attribute is a text as an attribute may be one: without controls and noncharacters.
func attribute(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r <= 0x9f || r >= 0xfdd0 && r <= 0xfdef || r&0xfffe == 0xfffe {
			return '\ufffd'
		}
		return r
	}, s)
}
