package validate

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
)

// anything is a value of any type.
func (m *docMaker) anything() any {
	switch m.IntN(8) {
	case 0:
		return nil
	case 1:
		return m.IntN(2) == 0
	case 2:
		return json.Number(fmt.Sprint(m.IntN(100) - 50))
	case 3:
		return json.Number(fmt.Sprintf("%d.%d", m.IntN(100), 1+m.IntN(9)))
	case 4:
		return m.word(m.IntN(6))
	case 5:
		list := []any{}
		for range m.IntN(3) {
			list = append(list, m.anything())
		}
		return list
	case 6:
		object := map[string]any{}
		for range m.IntN(3) {
			object[m.word(1)] = m.anything()
		}
		return object
	}
	return fmt.Sprint(m.IntN(300))
}

func kindOf(v any) string {
	switch v.(type) {
	case string:
		return "string"
	case json.Number:
		return "number"
	case bool:
		return "boolean"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	}
	return "null"
}

// encode writes a document, its members in any order, now and then with spaces and escapes.
func writeDoc(r *rand.Rand, v any) []byte {
	var b []byte
	space := func() {
		if r.IntN(12) == 0 {
			b = append(b, " \n"[r.IntN(2)])
		}
	}
	quote := func(s string) {
		quoted, _ := json.Marshal(s)
		if len(s) > 0 && s[0] < 0x80 && s[0] >= ' ' && s[0] != '"' && s[0] != '\\' && quoted[1] == s[0] && r.IntN(12) == 0 {
			b = fmt.Appendf(b, `"\u%04x%s`, s[0], quoted[2:])
			return
		}
		b = append(b, quoted...)
	}
	var write func(v any)
	write = func(v any) {
		space()
		switch v := v.(type) {
		case string:
			quote(v)
		case []any:
			b = append(b, '[')
			for i, e := range v {
				if i > 0 {
					b = append(b, ',')
				}
				write(e)
			}
			space()
			b = append(b, ']')
		case map[string]any:
			names := slices.Sorted(maps.Keys(v))
			r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
			b = append(b, '{')
			for i, name := range names {
				if i > 0 {
					b = append(b, ',')
				}
				quote(name)
				b = append(b, ':')
				write(v[name])
			}
			b = append(b, '}')
		default:
			plain, _ := json.Marshal(v)
			b = append(b, plain...)
		}
		space()
	}
	write(v)
	return b
}

// read is a document as jsonschema-go takes it: as document.go hands it over.
func readDoc(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = readDoc(e)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, e := range v {
			out[name] = readDoc(e)
		}
		return out
	}
	read, err := numbers(v)
	if err != nil { // out of range, which document.go refuses by itself
		return math.Inf(1)
	}
	return read
}
