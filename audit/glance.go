package audit

import (
	"bytes"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/safemcp/safemcp/internal/jsonwalk"
)

// glance reads of a line what verification counts: the version, the number, the time, the
// phase and the call. Decoding all of it takes several times as long. It says false of a line
// whose beginning is not as this version writes it, which says nothing about the line. Where
// it says true the line is JSON, and these are what full decoding finds, unless that fails
// over what is behind them, or over a name that stands twice. It is for lines that a
// checkpoint covers, which are what was written.
func glance(line []byte, e *Event) bool {
	if !jsontext.Value(line).IsValid(anyNames) {
		return false
	}
	g := glancer{rest: line, ok: true}
	g.literal(`{"v":2,"id":`)
	g.text()
	g.literal(`,"seq":`)
	e.Seq = g.number()
	g.literal(`,"time":`)
	at := g.text()
	var err error
	if e.Time, err = time.Parse(time.RFC3339Nano, string(at)); err != nil || at[13] != ':' || bytes.IndexByte(at, ',') >= 0 {
		return false // RFC 3339, and no more than that
	}
	if g.optional(`,"server":`) {
		g.skip()
	}
	g.literal(`,"phase":`)
	e.Phase = phaseOf(g.text())
	if g.optional(`,"call":`) {
		e.Call = string(g.text())
	}
	return g.ok
}

// anyNames leaves out whether names stand twice, which costs a third of a glance: the
// encoder writes none twice.
var anyNames = jsontext.AllowDuplicateNames(true)

// A glancer takes a line from its beginning on, while it is as expected.
type glancer struct {
	rest []byte
	ok   bool
}

func (g *glancer) literal(s string) { g.ok = g.optional(s) && g.ok }

func (g *glancer) optional(s string) (there bool) {
	g.rest, there = bytes.CutPrefix(g.rest, []byte(s))
	return there
}

// text takes a string without escapes.
func (g *glancer) text() []byte {
	if len(g.rest) == 0 || g.rest[0] != '"' {
		g.ok = false
		return nil
	}
	end := bytes.IndexAny(g.rest[1:], `"\`)
	if end < 0 || g.rest[1+end] == '\\' {
		g.ok = false
		return nil
	}
	s := g.rest[1 : 1+end]
	g.rest = g.rest[end+2:]
	return s
}

func (g *glancer) number() uint64 {
	n := 0
	for n < len(g.rest) && g.rest[n] >= '0' && g.rest[n] <= '9' {
		n++
	}
	v, err := strconv.ParseUint(string(g.rest[:n]), 10, 64)
	g.ok = g.ok && err == nil
	g.rest = g.rest[n:]
	return v
}

func (g *glancer) skip() {
	if g.ok { // and so at the beginning of a value
		g.rest = g.rest[jsonwalk.Skip(g.rest, 0):]
	}
}

// phaseOf is a phase without a copy of its name.
func phaseOf(name []byte) Phase {
	for _, p := range phases {
		if string(name) == string(p) {
			return p
		}
	}
	return ""
}
