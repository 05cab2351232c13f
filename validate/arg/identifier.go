package arg

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/safemcp/safemcp/validate"
)

// An Identifier is the name of a table, a column or another object of SQL, which no
// parameter of a query can stand for. It is quoted for its dialect, so that it is one name,
// whatever it holds:
//
//	type SortArgs struct {
//		By arg.Identifier[arg.PostgreSQL] `json:"by"`
//	}
//	rows, err := db.Query("SELECT id FROM orders ORDER BY " + in.By.String())
//
// A name is any text that can be seen, of at most the dialect's length, without a space
// at either end. A dot in it is a part of the name: a qualified name is several
// arguments, put together by [Qualified].
//
// A name may hold ?, :, @ or $, which a database reads as a part of it, but a library that
// looks for placeholders in the text of a statement may not: it then counts one too many.
//
// It does not say that there is such an object, nor that the caller may see it: hold it
// against an allowlist or the catalogue where that matters. A name in quotes is told
// apart by case in PostgreSQL.
type Identifier[D Dialect] struct{ name string }

// of is the dialect.
func (Identifier[D]) of() (dialect, error) {
	d, err := ask(func() dialect { var d D; return d.dialect() })
	if err != nil {
		return d, errors.New("it is bound to no dialect: use PostgreSQL, MySQL, SQLite or SQLServer")
	}
	return d, nil
}

func (d *dialect) taken() string {
	s := fmt.Sprintf("a name of at most %d %s for %s, without a space at either end", d.most, d.unit, d.name)
	if d.last == 0xffff {
		s += " and without characters beyond U+FFFF"
	}
	return s
}

// ArgumentSchema implements [validate.Described].
func (i Identifier[D]) ArgumentSchema() (json.RawMessage, error) {
	d, err := i.of()
	if err != nil {
		return nil, err
	}
	return aSchema{
		Pattern:     `^[^ ` + controls + `]([^` + controls + `]*[^ ` + controls + `])?$`,
		MaxLength:   d.most,
		Description: d.taken(),
	}.raw()
}

// UnmarshalText reads a name, without quotes around it. An error leaves i unset.
func (i *Identifier[D]) UnmarshalText(sent []byte) error {
	*i = Identifier[D]{}
	d, err := i.of()
	if err != nil {
		return err
	}
	s := string(sent)
	switch {
	case len(s) > 4*d.most || s == "" || d.length(s) > d.most, s[0] == ' ' || s[len(s)-1] == ' ',
		strings.ContainsFunc(s, func(r rune) bool { return r > d.last }):
		return validate.Refuse("must be " + d.taken())
	case unseen(s):
		return errInvisible
	}
	i.name = s
	return nil
}

// Quoted returns the name in the quotes of its dialect: one identifier, to be put into a
// statement.
func (i Identifier[D]) Quoted() (string, error) {
	d, err := i.of()
	switch {
	case err != nil:
		return "", err
	case i.name == "":
		return "", ErrUnset
	}
	return d.quote(i.name), nil
}

// Qualified returns several names joined by dots, each in its quotes: a schema, a table,
// a column. It takes 1 to 4.
func Qualified[D Dialect](names ...Identifier[D]) (string, error) {
	if len(names) == 0 || len(names) > 4 {
		return "", errors.New("a qualified name has 1 to 4 parts")
	}
	quoted := make([]string, len(names))
	for n, i := range names {
		var err error
		if quoted[n], err = i.Quoted(); err != nil {
			return "", err
		}
	}
	return strings.Join(quoted, "."), nil
}

// IsZero says that the argument was not given.
func (i Identifier[D]) IsZero() bool { return i.name == "" }

// String is [Identifier.Quoted], so that a name that is printed into a statement is one.
// Of an unset one it returns what no SQL can parse.
func (i Identifier[D]) String() string {
	quoted, err := i.Quoted()
	if err != nil {
		return "<unset identifier>"
	}
	return quoted
}

// Name returns the name as it was sent, without quotes: to be compared, or given to a
// query as a parameter. It must not be put into a statement.
func (i Identifier[D]) Name() string { return i.name }

// MarshalText returns the name as it was sent, for an answer that holds it.
func (i Identifier[D]) MarshalText() ([]byte, error) { return []byte(i.name), nil }
