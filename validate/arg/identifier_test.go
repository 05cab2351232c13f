package arg_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/safemcp/safemcp/validate/arg"
)

// unquoted reads one quoted identifier off the beginning of a text as a dialect's
// scanner does, and returns its name and the rest.
func unquoted(s string, open, end rune) (name, rest string, ok bool) {
	runes := []rune(s)
	if len(runes) == 0 || runes[0] != open {
		return "", s, false
	}
	var b strings.Builder
	for i := 1; i < len(runes); i++ {
		switch {
		case runes[i] != end:
			b.WriteRune(runes[i])
		case i+1 < len(runes) && runes[i+1] == end:
			b.WriteRune(end)
			i++
		default:
			return b.String(), string(runes[i+1:]), true
		}
	}
	return "", s, false
}

func spliced[D arg.Dialect](t *testing.T, open, end rune) []string {
	t.Helper()
	decode, schema := decoder[arg.Identifier[D]](t)
	var taken []string
	for _, part := range []string{"SQL Injection", "Command Injection"} {
		for _, payload := range payloads(t, part) {
			i, err := decode(payload)
			if err != nil {
				mustNotEcho(t, err, payload)
				continue
			}
			taken = append(taken, payload)
			name, rest, ok := unquoted(i.String(), open, end)
			if !ok || rest != "" || name != payload || i.Name() != payload {
				t.Errorf("%q is quoted as %s, which is %q and then %q", payload, i, name, rest)
			}
			if err := schema.takes(t, payload); err != nil {
				t.Errorf("%q is taken, but not by its schema: %v", payload, err)
			}
		}
	}
	if len(taken) < 500 {
		t.Errorf("%d payloads are taken: the test looks at too little", len(taken))
	}
	return taken
}

func TestNoPayloadIsMoreThanOneIdentifier(t *testing.T) {
	t.Parallel()
	spliced[arg.PostgreSQL](t, '"', '"')
	spliced[arg.MySQL](t, '`', '`')
	spliced[arg.SQLite](t, '`', '`')
	spliced[arg.SQLServer](t, '[', ']')
}

// SQLite itself names a column by each payload, and nothing else happens; a name that
// there is no column for is an error, and not a text.
func TestNoPayloadIsSplicedBySQLite(t *testing.T) {
	t.Parallel()
	sqlite, err := exec.LookPath("sqlite3")
	if err != nil {
		t.Skip("sqlite3 is not there: quoting for SQLite is held against a scanner of this test's alone.")
	}
	decode, _ := decoder[arg.Identifier[arg.SQLite]](t)
	var script strings.Builder
	script.WriteString("CREATE TABLE users (name TEXT); INSERT INTO users VALUES ('canary');\n")
	taken := spliced[arg.SQLite](t, '`', '`')
	for _, payload := range taken {
		i, err := decode(payload)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&script, "SELECT 1 AS %s;\n", i)
	}
	script.WriteString("SELECT count(*) AS n FROM users;\n")
	cmd := exec.CommandContext(t.Context(), sqlite, "-json", "-batch", ":memory:")
	cmd.Stdin = strings.NewReader(script.String())
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for _, want := range append(taken, "n") {
		var rows []map[string]int
		if err := dec.Decode(&rows); err != nil || len(rows) != 1 || len(rows[0]) != 1 || rows[0][want] != 1 {
			t.Fatalf("%q is answered by %v, %v", want, rows, err)
		}
	}
	for _, statement := range []string{"SELECT name FROM users WHERE %s = 'abc'", "SELECT name FROM users ORDER BY %s"} {
		i, err := decode("abc")
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), sqlite, "-batch", ":memory:", "CREATE TABLE users (name TEXT); INSERT INTO users VALUES ('canary'); "+fmt.Sprintf(statement, i))
		if out, err := cmd.CombinedOutput(); err == nil || strings.Contains(string(out), "canary") {
			t.Errorf("a name of no column is taken for a text: %s", out)
		}
	}
}

func TestNoNameIsTakenThatADialectReadsAsAnother(t *testing.T) {
	t.Parallel()
	postgres, _ := decoder[arg.Identifier[arg.PostgreSQL]](t)
	mysql, _ := decoder[arg.Identifier[arg.MySQL]](t)
	sqlite, _ := decoder[arg.Identifier[arg.SQLite]](t)
	server, _ := decoder[arg.Identifier[arg.SQLServer]](t)
	e1 := func(s string) error { _, err := postgres(s); return err }
	e2 := func(s string) error { _, err := mysql(s); return err }
	e3 := func(s string) error { _, err := sqlite(s); return err }
	e4 := func(s string) error { _, err := server(s); return err }
	all := []func(string) error{e1, e2, e3, e4}
	for _, s := range []string{"", " ", " a", "a ", "a\x00", "a\nb", "a\tb", "a\x1b[0m", "a\u200b", "a\u202e", "\ufeffa", "a\U000e0041b", "a\u2028b", "\u115f", "\ufffd"} {
		for i, decode := range all {
			if decode(s) == nil {
				t.Errorf("%d takes %q", i, s)
			}
		}
	}
	for _, c := range []struct {
		decode func(string) error
		most   string
		more   string
	}{
		{e1, strings.Repeat("a", 63), "a"},
		{e1, strings.Repeat("é", 31), "é"},
		{e2, strings.Repeat("é", 64), "a"},
		{e2, "a", "😀"},
		{e3, strings.Repeat("a", 255), "a"},
		{e4, strings.Repeat("é", 128), "a"},
		{e4, strings.Repeat("😀", 64), "a"},
	} {
		if err := c.decode(c.most); err != nil {
			t.Errorf("%q: %v", c.most, err)
		}
		if c.decode(c.most+c.more) == nil {
			t.Errorf("%q is taken", c.most+c.more)
		}
	}
	a, _ := postgres(`a"b`)
	b, _ := postgres("c.d")
	if q, err := arg.Qualified(a, b); q != `"a""b"."c.d"` || err != nil {
		t.Errorf("%s, %v", q, err)
	}
	d, _ := server("a]b[c")
	e, _ := mysql("a`b")
	if d.String() != "[a]]b[c]" || e.String() != "`a``b`" {
		t.Errorf("%s, %s", d, e)
	}
	var unset arg.Identifier[arg.PostgreSQL]
	if _, err := arg.Qualified(a, unset); !errors.Is(err, arg.ErrUnset) {
		t.Errorf("a name that was not decoded is quoted: %v", err)
	}
	if _, err := arg.Qualified[arg.PostgreSQL](); err == nil {
		t.Error("nothing is a name")
	}
	if _, err := unset.Quoted(); !errors.Is(err, arg.ErrUnset) {
		t.Error(err)
	}
}
