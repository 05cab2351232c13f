package validate

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
)

// A listing is the schema that was made of what was allowed at one moment.
type listing struct {
	of     []*snapshot // as the program's lists; nil where one cannot be read
	schema json.RawMessage
}

// Live reports whether allowlists that may change are in the schema, so that Current
// may return another one at any time.
func (a *Arguments[T]) Live() bool {
	return a.own == nil && a.program != nil && len(a.program.live) > 0
}

// Current returns the JSON Schema to list at this moment. An allowlist that may change
// is an enum in it as long as its values are at most 50 and 4000 bytes; beyond that the
// description says how many there are, some of them, and how to find the right one. It
// holds what Decode enforces: both ask the same cache. A list that cannot be read within
// ctx is said to be so. The schema must not be changed; as long as nothing changes it is
// the same one.
func (a *Arguments[T]) Current(ctx context.Context) json.RawMessage {
	if !a.Live() {
		return a.schema
	}
	return a.program.current(ctx)
}

func (p *program) current(ctx context.Context) json.RawMessage {
	now := make([]*snapshot, len(p.live))
	var all sync.WaitGroup
	for i, a := range p.live { // all at once, so that several that hang take no longer than one
		all.Go(func() {
			if s, err := a.list.get(ctx); err == nil {
				now[i] = s
			}
		})
	}
	all.Wait()
	if last := p.latest.Load(); last != nil && slices.Equal(last.of, now) {
		return last.schema
	}
	lists := make(map[*allowed]*snapshot, len(now))
	for i, a := range p.live {
		lists[a] = now[i]
	}
	made := &listing{now, schemaOf(p.root, lists)}
	if ctx.Err() == nil { // what the caller did not wait for is no news
		p.latest.Store(made)
	}
	return made.schema
}

// The bounds of an allowlist that is listed as an enum.
const listedBytes = 4000

// live returns the keywords of a node and what it says in words, with what is allowed at
// the moment.
func (w *schemaWriter) live(n *node) ([]keyword, []string) {
	if n.allow == nil {
		return n.keywords, n.says
	}
	says := slices.Clip(n.says)
	s, looked := w.lists[n.allow]
	those := n.allow.name + " that are allowed at the moment"
	switch {
	case !looked:
		return n.keywords, append(says, "must be one of the "+those)
	case s == nil:
		return n.keywords, append(says, "must be one of the "+those+", which cannot be looked up just now, so that none is taken")
	case len(some(s.values, listed, listedBytes)) < len(s.values):
		return n.keywords, append(says, fmt.Sprintf("must be one of the %d %s, among them %s; if you do not know the one that you need, send what you expect it to be: the refusal names those that are nearest",
			len(s.values), those, inWords(some(s.values, 10, 400))))
	case len(s.values) > 0:
		if both, err := merged(slices.Clone(n.keywords), oneOf("allow", s.values).keywords); err == nil {
			return both, says
		}
	}
	// No enum is empty: what allows nothing is said by what it is not.
	keywords := slices.DeleteFunc(slices.Clone(n.keywords), func(k keyword) bool { return k.name == "not" })
	return append(keywords, keyword{"not", `{"type":"string"}`}), append(says, "there are no "+those)
}
