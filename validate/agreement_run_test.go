package validate

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp/syntax"
	"slices"
	"strings"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"
	santhosh "github.com/santhosh-tekuri/jsonschema/v6"
)

// patience is after how many documents a keyword that never decided is given up.
const patience = 4000

// agree generates documents until each keyword of the schema has decided so often, holds
// each against all, and takes out one keyword and one check after another.
func (s *agreement) agree(t *testing.T) {
	t.Helper()
	m := &docMaker{Rand: s.rand, hints: s.hints, views: map[*santhosh.Schema]*schemaView{}, trees: map[string]*syntax.Regexp{}}
	for _, l := range s.slots {
		s.refuse(t, m, l)
	}
	for _, l := range s.slots {
		s.take(t, m, l)
	}
	if s.failures > 0 {
		t.Errorf("%s: %d documents are judged differently, of which 5 at most are shown; the schema is %s", s.name, s.failures, s.program.schema)
		return
	}
	for _, l := range s.slots {
		switch {
		case l.why != "":
			if l.no > 0 {
				t.Errorf("%s: %s decides alone, though %s", s.name, l, l.why)
			}
		case l.no < decided || l.yes < decided:
			t.Errorf("%s: %s alone decided %d times against a document (of %d) and %d times for one, not %d times each: %s", s.name, l, l.no, l.tries, l.yes, decided, s.schemaAt(l.place))
		}
	}
	s.mutate(t)
	for _, l := range s.slots {
		if testing.Verbose() && l.tries > 6*decided {
			t.Logf("%s: %s took %d tries", s.name, l, l.tries)
		}
	}
}

// refuse makes documents that one keyword alone refuses.
func (s *agreement) refuse(t *testing.T, m *docMaker, l *keywordSlot) {
	s.room, s.keeping, m.lonely = 60, l.place, 8
	tries := 40*decided + patience
	most := tries
	if l.why != "" {
		tries = 500
	}
	for ; tries > 0 && l.no < decided && s.failures < 50; tries-- {
		if l.no == 0 && l.why == "" && tries < most-patience {
			return // not once in so many
		}
		l.tries++
		var value any
		doc := m.along(s.other, l.path, "", 0, func(in *santhosh.Schema, place string) any {
			value = m.broken(l, in, place, 0)
			return value
		})
		if !visibleDoc(doc) {
			continue
		}
		listed := s.takes(doc)
		if l.word == wordsAlone {
			if !s.judge(t, doc, listed) && listed {
				l.no++
				l.keep(value)
			}
			continue
		}
		alone := listed == l.reversed && l.without(func() bool { return s.takes(doc) }) != l.reversed
		if !alone && tries%4 > 0 {
			continue
		}
		s.judge(t, doc, listed)
		if alone {
			l.no++
			l.keep(value)
			if l.reversed {
				l.yes++
			}
		}
	}
}

// keep remembers a text that a keyword alone refused: others are made from it.
func (l *keywordSlot) keep(value any) {
	if text, is := value.(string); is && l.word != "type" && len(l.found) < 100 {
		l.found = append(l.found, text)
	}
}

// take makes documents that are taken, and would not be if one keyword said the contrary.
func (s *agreement) take(t *testing.T, m *docMaker, l *keywordSlot) {
	m.lonely = 2
	most := 20*decided + patience
	for tries := most; tries > 0 && l.yes < decided && s.failures < 50; tries-- {
		if l.yes == 0 && tries < most-patience {
			return
		}
		doc := m.along(s.other, l.path, "", 0, func(in *santhosh.Schema, place string) any { return m.valid(in, place, 0) })
		for _, other := range s.slots {
			other.seen = false
		}
		if !visibleDoc(doc) {
			continue
		}
		if listed := s.takes(doc); !s.judge(t, doc, listed) || !listed {
			continue
		}
		for _, other := range s.slots {
			if other.seen && other.yes < decided && !other.reversed && (!other.alternative || !other.against(func() bool { return s.takes(doc) })) {
				other.yes++
			}
		}
	}
}

// schemaAt is the listed schema of the member of the whole that a place is in.
func (s *agreement) schemaAt(place string) string {
	var listed struct {
		Properties map[string]json.RawMessage `json:"properties"`
	}
	_ = json.Unmarshal(s.program.schema, &listed)
	for name, p := range listed.Properties {
		if strings.HasPrefix(place+"[", "."+name+"[") || strings.HasPrefix(place, "."+name+"{") || strings.HasPrefix(place, "."+name+".") {
			return string(p)
		}
	}
	return string(s.program.schema)
}

// A mutant is a program with one check taken out.
type checkMutant struct {
	what  string
	place string
	make  func() (undo func())
}

// mutate takes out one check after another, which has to change what is said of some
// document that was refused.
func (s *agreement) mutate(t *testing.T) {
	t.Helper()
	for _, m := range s.mutants() {
		undo := m.make()
		seen := func(here bool) bool { // what was made for the place is the likeliest to tell
			return slices.ContainsFunc(s.kept, func(v refusedDoc) bool {
				if (v.place == m.place) != here {
					return false
				}
				_, err := s.decode(t, v.raw)
				return err == nil
			})
		}
		found := seen(true) || seen(false)
		undo()
		if !found {
			t.Errorf("%s: nothing is seen of it if %s is taken out: %s", s.name, m.what, s.schemaAt(m.place))
		}
	}
}

func (s *agreement) mutants() (all []checkMutant) {
	seen := map[*shape]bool{}
	var look func(n *node, place string)
	look = func(n *node, place string) {
		for i := range n.checks {
			c := &n.checks[i]
			if idle(c.rule, n) {
				continue
			}
			all = append(all, checkMutant{fmt.Sprintf("the check %s of %s", c.rule, atPlace(place, "")), place, func() func() {
				was := c.ok
				c.ok = func(reflect.Value) bool { return true }
				return func() { c.ok = was }
			}})
		}
		if !n.nullable && !n.own && place != "" && !strings.HasSuffix(place, "{key}") {
			all = append(all, checkMutant{"the check of null of " + atPlace(place, ""), place, func() func() {
				n.nullable = true
				return func() { n.nullable = false }
			}})
		}
		if n.key != nil {
			look(n.key, place+"{key}")
		}
		if n.elem != nil {
			look(n.elem, place+innerPlace(n.form))
		}
		if n.shape == nil || seen[n.shape] {
			return
		}
		seen[n.shape] = true
		for i := range n.shape.fields {
			f := &n.shape.fields[i]
			if f.required {
				all = append(all, checkMutant{"the check whether " + atPlace(place, f.name) + " is there", place, func() func() {
					f.required = false
					return func() { f.required = true }
				}})
			}
			look(f.node, place+"."+f.name)
		}
	}
	look(s.program.root, "")
	if s.program.root.form == formObject {
		all = append(all, checkMutant{"the refusal of members that the type does not have", "", func() func() {
			was := s.program.reading
			s.program.reading = jsonv2.JoinOptions(was, jsonv2.RejectUnknownMembers(false))
			return func() { s.program.reading = was }
		}})
	}
	return all
}
