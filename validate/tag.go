package validate

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// A term is one rule of a tag as written, as in "max=20".
type term struct {
	name, param string
	text        string // the whole, with alternatives and escapes
}

// A level is the rules of one value: of a field, or behind a dive of its elements.
type level struct {
	required, omitempty bool
	terms               []term
	allow               string   // the name of an allowlist
	rules               []string // the names of rules of the program's own
	keys                []term
	dive                *level
	hygiene             hygiene
}

// parseTag splits a validate tag the way validator does, and takes out of it what
// means something else here.
func parseTag(tag string) (*level, error) {
	root := &level{}
	if tag == "" || tag == "-" {
		return root, nil
	}
	at, keys := root, false
	for text := range strings.SplitSeq(tag, ",") {
		name, param, _ := strings.Cut(text, "=")
		switch {
		case name == "":
			return nil, errors.New("the validate tag has an empty rule: look for a comma too many")
		case name == "keys" && (at == root || keys):
			return nil, errors.New("keys stands behind dive, and is closed by endkeys: dive,keys,max=20,endkeys")
		case name == "keys":
			keys = true
		case name == "endkeys" && !keys:
			return nil, errors.New("endkeys closes keys, which is not there")
		case name == "endkeys":
			keys = false
		case keys:
			if notOfKeys[name] {
				return nil, fmt.Errorf("%s cannot stand between keys and endkeys", name)
			}
			if err := understood(text); err != nil {
				return nil, err
			}
			at.keys = append(at.keys, term{name, unescape(param), text})
		case name == "dive":
			at.dive = &level{}
			at = at.dive
		case at != root && notOfElements[name]:
			return nil, fmt.Errorf("%s says nothing of an element, which is there: where an empty text or a zero is no value min=1 says so, where null is none a type without pointer, and where an empty text is one a rule such as email|len=0", name)
		case name == "required":
			at.required = true
		case name == "omitempty" || name == "omitnil" || name == "omitzero":
			at.omitempty = true
		case name == "structonly" || name == "nostructlevel": // nested structs are always checked
		case name == "allow" || name == "rule":
			if err := at.named(name, param); err != nil {
				return nil, err
			}
		default:
			if err := understood(text); err != nil {
				return nil, err
			}
			at.terms = append(at.terms, term{name, unescape(param), text})
		}
	}
	if keys {
		return nil, errors.New("keys is not closed by endkeys")
	}
	return root, nil
}

// dives refuses rules for elements and keys where there are none.
func (l *level) dives(kind reflect.Kind) error {
	switch {
	case l.dive == nil:
	case kind != reflect.Slice && kind != reflect.Array && kind != reflect.Map:
		return errors.New("dive is for lists and maps")
	case l.dive.keys != nil && kind != reflect.Map:
		return errors.New("keys is for maps")
	}
	return nil
}

// notOfKeys cannot be said of the keys of a map.
var notOfKeys = map[string]bool{"allow": true, "rule": true, "required": true, "omitempty": true, "omitnil": true, "omitzero": true, "dive": true}

// notOfElements mean in validator that an element is not zero, or held against no rule where
// it is; here they are about members alone.
var notOfElements = map[string]bool{"required": true, "omitempty": true, "omitnil": true, "omitzero": true}

// named takes in a rule that names something in Options.
func (l *level) named(rule, name string) error {
	if rule == "rule" {
		if name == "" || slices.Contains(l.rules, name) {
			return errors.New("rule takes the name of one of Options.Rules, once, as in rule=open_account")
		}
		l.rules = append(l.rules, name)
		return nil
	}
	if name == "" || l.allow != "" {
		return errors.New("allow takes the name of one allowlist, as in allow=cities")
	}
	l.allow = name
	return nil
}

// unescape is how validator writes a comma or a bar inside a parameter.
func unescape(param string) string {
	return strings.ReplaceAll(strings.ReplaceAll(param, "0x2C", ","), "0x7C", "|")
}

// outward are validator's rules that open a file or ask the network for what the
// caller names: the rule itself would be the attack.
var outward = map[string]bool{
	"file": true, "filepath": true, "dir": true, "dirpath": true, "image": true, "mimetype": true, "timezone": true,
	"tcp_addr": true, "tcp4_addr": true, "tcp6_addr": true, "udp_addr": true, "udp4_addr": true, "udp6_addr": true,
	"ip_addr": true, "ip4_addr": true, "ip6_addr": true, "unix_addr": true, "uds_exists": true,
}

// unsupported are validator's rules that mean something else here, or nothing, and why.
var unsupported = map[string]string{
	"validateFn":  "calls a method by its name: give the type a method Validate(context.Context) error, or write a rule of your own",
	"skip_unless": "is required_if by another name: write required_if",
}

// understood refuses the rules that must not run. Those that validator does not
// know are refused when it compiles them.
func understood(text string) error {
	for alternative := range strings.SplitSeq(text, "|") {
		name, _, _ := strings.Cut(alternative, "=")
		switch {
		case outward[name]:
			return fmt.Errorf("the rule %s opens or looks up what the caller names: let the handler do that, on what it has checked itself", name)
		case unsupported[name] != "":
			return errors.New("the rule " + name + " " + unsupported[name])
		case name == "allow" || name == "rule" || name == "omitempty" || name == "required" || name == "dive":
			return fmt.Errorf("%s cannot be one of several alternatives", name)
		}
	}
	return nil
}
