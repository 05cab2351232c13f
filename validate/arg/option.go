package arg

import (
	"encoding/json"
	"runtime"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/safemcp/safemcp/validate"
)

// An Option is one argument of a command that is none of its options: it does not begin
// with a dash, nor with what a program may read as one. It has 1 to 4096 characters, on
// one line, all of which can be seen. [Command] takes it.
//
// What a program makes of its arguments is its own: one that takes names of files opens
// any file that is named, so a file belongs into a [Path] and is given to the program
// opened, as its Stdin.
type Option struct{ text string }

// maxOption bounds an argument, in characters.
const maxOption = 4096

// dashes are what begins an option, or is turned into that by a program that reads its
// arguments in an older character set (Windows' best fit), beside what Unicode calls a
// dash.
const dashes = "\u2212\u207b\u208b\u02d7\u2053"

const optionTaken = "one argument on one line that does not begin with a dash"

var errOption = validate.Refuse("must be " + optionTaken)

// ArgumentSchema implements [validate.Described].
func (Option) ArgumentSchema() (json.RawMessage, error) {
	return aSchema{
		Pattern:     `^[^\-\xAD` + "\u2010-\u2015" + dashes + controls + `][^` + controls + `]*$`,
		MaxLength:   maxOption,
		Description: optionTaken,
	}.raw()
}

// UnmarshalText reads an argument. An error leaves o unset.
func (o *Option) UnmarshalText(sent []byte) error {
	*o = Option{}
	s := string(sent)
	switch {
	case s == "" || longer(s, maxOption):
		return atMost(maxOption)
	case unseen(s):
		return errInvisible
	case !operand(s, runtime.GOOS == "windows"):
		return errOption
	}
	o.text = s
	return nil
}

// operand says that an argument is no option. On Windows a slash begins one too, a program
// splits its own command line, and what is read in an older character set becomes quotes
// and backslashes there.
func operand(s string, windows bool) bool {
	first, _ := utf8.DecodeRuneInString(s)
	if unicode.Is(unicode.Dash, first) || strings.ContainsRune(dashes, first) || windows && first == '/' {
		return false
	}
	return !windows || !strings.ContainsAny(s, "\uff02\uff3c\u00a5\u20a9\u201c\u201d\u201e\u02ba\u2033\u0332")
}

// IsZero says that the argument was not given.
func (o Option) IsZero() bool { return o.text == "" }

// String is the argument in the quotes of a POSIX shell, so that one that is printed into
// a command line by accident is one word of it. Of an unset one it returns "(unset)".
func (o Option) String() string {
	if o.text == "" {
		return "(unset)"
	}
	return "'" + strings.ReplaceAll(o.text, "'", `'\''`) + "'"
}

// MarshalText returns the argument as it was sent, for an answer that holds it.
func (o Option) MarshalText() ([]byte, error) { return []byte(o.text), nil }
