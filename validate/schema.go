package validate

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// elements are those of a JSON array.
func elements(array string) []string {
	var raw []json.RawMessage
	if err := json.Unmarshal([]byte(array), &raw); err != nil {
		return nil
	}
	out := make([]string, len(raw))
	for i := range raw {
		out[i] = string(raw[i])
	}
	return out
}

// common is what is in both lists, in the order of the first.
func common(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(v string) bool { return !slices.Contains(b, v) })
}

func jsonString(s string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil { // a string always marshals
		return `""`
	}
	return strings.TrimSuffix(b.String(), "\n")
}

var formNames = [...]string{formString: "string", formInteger: "integer", formNumber: "number", formBoolean: "boolean", formArray: "array", formMap: "object", formObject: "object"}

// A schemaWriter writes the schema of a node. Types that contain themselves are
// written once, under $defs.
type schemaWriter struct {
	b     strings.Builder
	defs  []*shape
	names map[*shape]string
	lists map[*allowed]*snapshot // what is allowed at the moment, as far as it is known
}

// schemaOf returns the schema of a whole value.
func schemaOf(root *node, lists map[*allowed]*snapshot) json.RawMessage {
	w := schemaWriter{lists: lists}
	w.node(root, "", true)
	if len(w.defs) == 0 {
		return json.RawMessage(w.b.String())
	}
	text := strings.TrimSuffix(w.b.String(), "}")
	w.b.Reset()
	w.b.WriteString(text + `,"$defs":{`)
	for i := 0; i < len(w.defs); i++ { //nolint:intrange // writing one may bring another
		if i > 0 {
			w.b.WriteByte(',')
		}
		w.b.WriteString(jsonString(w.defName(w.defs[i])) + ":{")
		w.object(w.defs[i])
		w.b.WriteByte('}')
	}
	w.b.WriteString("}}")
	return json.RawMessage(w.b.String())
}

// defName names a definition, each its own: two types of different packages may have
// one name, and letters beyond ASCII are left out.
func (w *schemaWriter) defName(s *shape) string {
	if name, known := w.names[s]; known {
		return name
	}
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, s.typ.Name())
	for _, other := range w.names {
		if other == name {
			name = fmt.Sprintf("%s__%d", name, len(w.names))
			break
		}
	}
	if w.names == nil {
		w.names = map[*shape]string{}
	}
	w.names[s] = name
	return name
}

// propertyNames says what the names of a map's members must be.
func (w *schemaWriter) propertyNames(first *bool, key *node) {
	keywords := key.keywords
	if len(keywords) == 0 && len(key.says) == 0 {
		return
	}
	w.member(first, "propertyNames", "{")
	inner := true
	for _, k := range keywords {
		w.member(&inner, k.name, k.value)
	}
	if len(key.says) > 0 {
		w.member(&inner, "description", jsonString(strings.Join(key.says, "; ")))
	}
	w.b.WriteByte('}')
}

func (w *schemaWriter) member(first *bool, name, value string) {
	if !*first {
		w.b.WriteByte(',')
	}
	*first = false
	w.b.WriteString(jsonString(name) + ":" + value)
}

// node writes the schema of n.
func (w *schemaWriter) node(n *node, description string, root bool) {
	first := true
	w.b.WriteByte('{')
	keywords, says := w.live(n)
	for _, s := range says {
		if description != "" {
			description += "; "
		}
		description += s
	}
	if n.shape != nil && n.shape.twice && !root {
		if !slices.Contains(w.defs, n.shape) {
			w.defs = append(w.defs, n.shape)
		}
		ref := jsonString("#/$defs/" + w.defName(n.shape))
		if n.nullable {
			w.member(&first, "anyOf", `[{"$ref":`+ref+`},{"type":"null"}]`)
		} else {
			w.member(&first, "$ref", ref)
		}
		if description != "" {
			w.member(&first, "description", jsonString(description))
		}
		w.b.WriteByte('}')
		return
	}
	switch {
	case n.form == formAny:
	case n.nullable && !root:
		w.member(&first, "type", `["null",`+jsonString(formNames[n.form])+`]`)
	default:
		w.member(&first, "type", jsonString(formNames[n.form]))
	}
	if description != "" {
		w.member(&first, "description", jsonString(description))
	}
	for _, k := range keywords {
		value := k.value
		if n.nullable && k.name == "enum" {
			value = strings.TrimSuffix(value, "]") + ",null]"
		}
		w.member(&first, k.name, value)
	}
	switch n.form {
	case formArray:
		w.member(&first, "items", "")
		w.node(n.elem, "", false)
	case formMap:
		w.propertyNames(&first, n.key)
		w.member(&first, "additionalProperties", "")
		w.node(n.elem, "", false)
	case formObject:
		if !first {
			w.b.WriteByte(',')
		}
		w.properties(n.shape)
	}
	w.b.WriteByte('}')
}

func (w *schemaWriter) object(s *shape) {
	w.b.WriteString(`"type":"object",`)
	w.properties(s)
}

func (w *schemaWriter) properties(s *shape) {
	w.b.WriteString(`"properties":{`)
	for i, f := range s.fields {
		if i > 0 {
			w.b.WriteByte(',')
		}
		w.b.WriteString(jsonString(f.name) + ":")
		w.node(f.node, f.description, false)
	}
	w.b.WriteByte('}')
	var required []string
	for _, f := range s.fields {
		if f.required {
			required = append(required, jsonString(f.name))
		}
	}
	if required != nil {
		w.b.WriteString(`,"required":[` + strings.Join(required, ",") + "]")
	}
	w.b.WriteString(`,"additionalProperties":false`)
}
