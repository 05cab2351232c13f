package validate

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A form is what a value looks like in JSON.
type form uint8

const (
	formAny form = iota // nothing is known: an interface, or a type that reads itself
	formString
	formInteger
	formNumber
	formBoolean
	formArray
	formMap
	formObject
)

// A node is a type in one place, with the rules of that place.
type node struct {
	form     form
	typ      reflect.Type // without pointers
	nullable bool         // null is taken
	own      bool         // the type reads or writes itself
	shape    *shape       // of an object
	elem     *node        // of an array or a map

	key    *node // of a map
	checks []check
	allow  *allowed
	rules  []ownRule
	whole  bool // the type has a Validate method

	keywords []keyword
	says     []string // rules that have no keyword, in words
	hygiene  hygiene  // of a string, if it is looked at
	watched  bool
	bounded  bool
	closed   bool
	deep     bool // something below it is to be walked
}

// A shape is the fields of a struct type, those of embedded structs among them.
type shape struct {
	typ     reflect.Type
	fields  []field
	byName  map[string]int
	busy    bool   // it is being planned
	twice   bool   // it contains itself
	related bool   // fields of it have relations
	ruled   string // an embedded struct that has a Validate method
}

type field struct {
	name        string
	index       []int
	node        *node
	required    bool
	optional    bool   // the json tag says that it may be left out
	others      []term // rules about other fields
	relations   []relation
	audit       string
	description string
	fallback    fallback
}

var (
	timeType     = reflect.TypeFor[time.Time]()
	durationType = reflect.TypeFor[time.Duration]()
	numberType   = reflect.TypeFor[json.Number]()
	byteType     = reflect.TypeFor[byte]()
	bigIntType   = reflect.TypeFor[big.Int]()
	rawTypes     = []reflect.Type{reflect.TypeFor[json.RawMessage](), reflect.TypeFor[jsontext.Value]()}
)

// A planner makes nodes of types.
type planner struct {
	allow  map[string]Allowlist
	own    map[string]Rule
	output bool // for a value that is written, not read

	live  []*allowed // lists that may change
	notes []string   // what the author should know

	whole   reflect.Type // that is planned
	numbers bool         // a json.Number or big.Int is in it
	open    bool         // what is in it is not known
	shapes  map[reflect.Type]*shape
	order   []*shape
	chain   []reflect.Type // the types that are being planned, since the last struct
}

// program plans a whole type, and what its fields say of each other.
func (p *planner) program(typ reflect.Type) (*node, error) {
	p.whole = typ
	root, err := p.plan(typ, &level{})
	if err != nil {
		return nil, err
	}
	if err := p.relate(); err != nil {
		return nil, err
	}
	for _, s := range p.order {
		if err := s.settled(); err != nil {
			return nil, err
		}
	}
	p.settle(root)
	return root, nil
}

func (p *planner) plan(typ reflect.Type, l *level) (*node, error) {
	before := len(p.chain)
	defer func() { p.chain = p.chain[:before] }()
	n := &node{typ: typ}
	for {
		if slices.Contains(p.chain, n.typ) {
			return nil, fmt.Errorf("%s contains itself without a struct between: put it into a struct", n.typ)
		}
		p.chain = append(p.chain, n.typ)
		if n.typ.Kind() != reflect.Pointer {
			break
		}
		n.typ, n.nullable = n.typ.Elem(), true
	}
	if err := p.shapeOf(n, l); err != nil {
		return nil, err
	}
	return n, p.rules(n, l)
}

// shapeOf says what a type looks like, and plans what it is made of.
func (p *planner) shapeOf(n *node, l *level) (err error) {
	if err := l.dives(n.typ.Kind()); err != nil {
		return err
	}
	pointer := n.nullable
	if p.special(n) {
		if err := p.describe(n, pointer); err != nil {
			return err
		}
		return p.unlooked(n, l)
	}
	below := l.dive
	if below == nil {
		below = &level{}
	}
	below.hygiene = l.hygiene
	switch n.typ.Kind() {
	case reflect.Bool:
		n.form, n.closed, n.bounded = formBoolean, true, true
	case reflect.String:
		n.form = formString
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		n.form, n.bounded = formInteger, true
		n.keywords = append(n.keywords, rangeOf(n.typ)...)
	case reflect.Float32, reflect.Float64:
		n.form, n.bounded, n.keywords = formNumber, true, append(n.keywords, rangeOf(n.typ)...)
	case reflect.Interface:
		if n.typ.NumMethod() > 0 {
			return fmt.Errorf("the interface %s cannot be made from JSON: use a struct, or any", n.typ)
		}
		n.form, n.nullable, p.open = formAny, true, true
	case reflect.Slice:
		if n.typ.Elem() == byteType {
			if l.dive != nil {
				return errors.New("dive is for lists, and []byte is a text in base64: bound its length")
			}
			n.form = formString // base64 (RFC 4648, section 4)
			n.keywords = append(n.keywords, keyword{"contentEncoding", `"base64"`}, pattern(base64Pattern))
			return nil
		}
		n.form = formArray
		n.elem, err = p.plan(n.typ.Elem(), below)
	case reflect.Array:
		n.form, n.bounded = formArray, true
		n.keywords = append(n.keywords, keyword{"minItems", fmt.Sprint(n.typ.Len())}, keyword{"maxItems", fmt.Sprint(n.typ.Len())})
		n.elem, err = p.plan(n.typ.Elem(), below)
	case reflect.Map:
		return p.mapOf(n, below)
	case reflect.Struct:
		n.form, n.bounded = formObject, true
		chain := p.chain
		p.chain = nil
		n.shape, err = p.struct_(n.typ)
		p.chain = chain
	default:
		return fmt.Errorf("a %s has no form in JSON: use another type, or leave the field out with json:\"-\"", n.typ)
	}
	return err
}

// mapOf plans a map.
func (p *planner) mapOf(n *node, below *level) (err error) {
	n.form = formMap
	if k := n.typ.Key().Kind(); k != reflect.String && !keyIsInteger(k) {
		return fmt.Errorf("the keys of a %s cannot be read from JSON: use strings or whole numbers", n.typ)
	}
	if k := n.typ.Key(); p.writesItself(k) || p.writesText(k) {
		return fmt.Errorf("the keys of a %s read themselves, so that rules would be held against other values: use strings or whole numbers", n.typ)
	}
	if has[wholeRule](n.typ.Key()) && !p.output {
		return fmt.Errorf("the keys of a %s have a Validate method, which is not called on keys: call it in one of the struct's", n.typ)
	}
	if n.key, err = p.plan(n.typ.Key(), &level{terms: below.keys, hygiene: keysOf(below.hygiene)}); err != nil {
		return fmt.Errorf("its keys: %w", err)
	}
	if n.key.form == formInteger { // in JSON they are texts
		if n.key.keywords, err = nameKeywords(n.key.keywords, n.key.typ); err != nil {
			return fmt.Errorf("its keys: %w", err)
		}
	}
	if n.elem, err = p.plan(n.typ.Elem(), below); err == nil && n.elem.strips(map[*node]bool{}) {
		err = errors.New(`text:"strip" is not for what is in a map: use a list, or text:"reject"`)
	} else if err == nil && n.elem.fallsBackIn() {
		err = errors.New("a default is not for what is in a map: use a list, or set it in the handler")
	}
	return err
}

// special says what types look like that have a form of their own.
func (p *planner) special(n *node) bool {
	switch {
	case n.typ == timeType:
		n.form, n.bounded = formString, true
		n.keywords = append(n.keywords, keyword{"format", `"date-time"`})
	case n.typ == numberType:
		n.form, n.bounded, p.numbers = formNumber, true, true
	case n.typ == bigIntType:
		n.form, n.bounded, p.numbers = formInteger, true, true
		if !p.output {
			n.says = append(n.says, fmt.Sprintf("at most %d digits", digits))
		}
	case slices.Contains(rawTypes, n.typ), p.writesItself(n.typ):
		n.form, n.nullable = formAny, true
	case p.writesText(n.typ):
		n.form = formString
	default:
		return false
	}
	n.own = true
	return true
}

// unlooked refuses rules for what stands in a type that reads itself: nobody looks at
// what it reads.
func (p *planner) unlooked(n *node, l *level) error {
	if l.dive != nil {
		return fmt.Errorf("a %s reads itself, so that what stands behind dive would not be enforced: use a list, or check it in the handler", n.typ)
	}
	if name := ruledField(n.typ, map[reflect.Type]bool{}); name != "" && n.typ != timeType && n.typ != bigIntType {
		return fmt.Errorf("a %s reads itself, so that the validate tag of its field %s would not be enforced", n.typ, name)
	}
	return nil
}

// ruledField finds a field with a validate tag in a struct type.
func ruledField(typ reflect.Type, seen map[reflect.Type]bool) string {
	for !seen[typ] && (typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice || typ.Kind() == reflect.Array || typ.Kind() == reflect.Map) {
		seen[typ] = true
		typ = typ.Elem()
	}
	if typ.Kind() != reflect.Struct || seen[typ] {
		return ""
	}
	seen[typ] = true
	for f := range typ.Fields() {
		if tag := f.Tag.Get("validate"); tag != "" && tag != "-" {
			return f.Name
		}
		if name := ruledField(f.Type, seen); name != "" {
			return f.Name + "." + name
		}
	}
	return ""
}

func keyIsInteger(k reflect.Kind) bool { return k >= reflect.Int && k <= reflect.Uintptr }

// writesItself says that a type has a JSON form of its own, which is not known.
func (p *planner) writesItself(typ reflect.Type) bool {
	if p.output {
		return has[json.Marshaler](typ) || has[jsonv2.MarshalerTo](typ)
	}
	return has[json.Unmarshaler](typ) || has[jsonv2.UnmarshalerFrom](typ)
}

func (p *planner) writesText(typ reflect.Type) bool {
	if p.output {
		return has[encoding.TextMarshaler](typ) || has[encoding.TextAppender](typ)
	}
	return has[encoding.TextUnmarshaler](typ)
}

func has[I any](typ reflect.Type) bool {
	want := reflect.TypeFor[I]()
	return typ.Kind() != reflect.Interface && (typ.Implements(want) || reflect.PointerTo(typ).Implements(want))
}

// rules compiles the rules of one level.
func (p *planner) rules(n *node, l *level) error {
	if n.typ == durationType {
		n.says = append(n.says, "a duration in nanoseconds")
	}
	if n.typ.Kind() == reflect.Interface && len(l.terms) > 0 {
		return errors.New("an interface takes no rules, since anything may be in it: use a type")
	}
	values, err := enumerated(n.typ, n.own)
	if err != nil {
		return err
	}
	if values != nil {
		if err := n.add(values); err != nil {
			return err
		}
	}
	if err := n.terms(l.terms); err != nil {
		return err
	}
	if l.allow != "" {
		if err := p.allowRule(n, l.allow); err != nil {
			return err
		}
	}
	if n.typ.Kind() == reflect.String && !n.own && !p.output {
		n.clean(l.hygiene)
	}
	for _, name := range l.rules {
		if err := p.ownRule(n, name); err != nil {
			return err
		}
	}
	n.whole = !p.output && has[wholeRule](n.typ)
	return nil
}

// term compiles one rule of a tag.
func (n *node) term(t term) (*compiled, error) {
	switch {
	case isExact(n.typ):
		return compileExact(t, n.typ)
	case t.name == "unique" && n.elem != nil && isExact(n.elem.typ):
		return nil, fmt.Errorf("the rule unique cannot compare a %s: use int64 or float64", n.elem.typ)
	case n.own && n.typ.Kind() == reflect.Struct && !n.typ.ConvertibleTo(timeType): // validator passes over it
		return nil, fmt.Errorf("the rule %s cannot be held against a %s, which reads itself: let its method refuse what is wrong, see Refuse, or use a rule of your own, see Rule", t.name, n.typ)
	}
	return compile(t, n)
}

// terms adds the rules of a tag to a node.
func (n *node) terms(terms []term) (err error) {
	for _, t := range terms {
		c, err := n.term(t)
		if err != nil {
			return err
		}
		if err := n.add(c); err != nil {
			return err
		}
	}
	n.keywords, err = n.tidied()
	return err
}

// add adds a compiled rule to a node.
func (n *node) add(c *compiled) (err error) {
	if n.own && !isExact(n.typ) { // the rule is about the value that was read, and the schema about what is sent
		c.keywords, c.says, c.closes = nil, c.phrase, false
	}
	c.check.bounds = c.bounds
	n.checks = append(n.checks, c.check)
	if n.keywords, err = merged(n.keywords, c.keywords); err != nil {
		return err
	}
	if c.says != "" {
		n.says = append(n.says, c.says)
	}
	n.bounded = n.bounded || c.bounds
	n.closed = n.closed || c.closes
	return nil
}
