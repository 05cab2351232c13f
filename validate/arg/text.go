package arg

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/safemcp/safemcp/validate"
	"github.com/safemcp/safemcp/validate/text"
)

// ErrUnset says that a value was not made by decoding: its argument was left out, or it
// is a Go value that nobody filled.
var ErrUnset = errors.New("the argument was not given")

// errInvisible is what each type says of characters that nobody sees.
var errInvisible = validate.Refuse("must hold no control characters, and none that cannot be seen")

// controls is a class of a pattern: what no argument holds, written so that RE2 and
// ECMA-262 read it alike, which have no other escapes for characters in common. The rest
// of what cannot be seen depends on its neighbours, and is said in words.
const controls = `\x00-\x1F\x7F-\x9F` + "\u2028\u2029"

// unseen says that a reader does not see everything that is in s.
func unseen(s string) bool {
	return !utf8.ValidString(s) || strings.IndexFunc(s, control) >= 0 || text.Clean(s) != s
}

func control(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == utf8.RuneError
}

// longer says that s has more than n characters.
func longer(s string, n int) bool { return len(s) > n && utf8.RuneCountInString(s) > n }

// atMost is the refusal of a text that has no character, or more than n.
func atMost(n int) error {
	return validate.Refuse("must have 1 to " + strconv.Itoa(n) + " characters")
}

// aSchema is the JSON Schema of a text.
type aSchema struct {
	Type        string `json:"type"`
	Description string `json:"description"`
	Pattern     string `json:"pattern,omitempty"`
	Format      string `json:"format,omitempty"`
	MinLength   int    `json:"minLength"`
	MaxLength   int    `json:"maxLength"`
}

func (s aSchema) raw() (json.RawMessage, error) {
	s.Type, s.MinLength = "string", 1
	raw, err := json.Marshal(s)
	if err != nil { // texts always marshal
		return nil, errors.New("its schema does not marshal")
	}
	return raw, nil
}

// ask asks a binding, which is the program's own code, for what it says.
func ask[O any](binding func() O) (o O, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("its binding panics on a zero value: bind it to a struct type whose method needs none of its fields")
		}
	}()
	return binding(), nil
}
