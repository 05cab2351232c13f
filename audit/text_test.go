package audit

import (
	"fmt"
	"strings"
	"testing"
)

// No character that has to be escaped passes, wherever in a text it stands: texts are looked
// at eight bytes at a time.
func TestNoCharacterPassesUnescapedAtAnyPlace(t *testing.T) {
	t.Parallel()
	for c := range rune(0x100) {
		want := string(c)
		switch {
		case c == '"' || c == '\\':
			want = `\` + want
		case c == '\n':
			want = `\n`
		case c == '\t':
			want = `\t`
		case c < ' ' || (c >= 0x7f && c <= 0x9f) || c == 0xad: // the last is the soft hyphen
			want = fmt.Sprintf(`\u%04x`, c)
		}
		for before := range 20 {
			for after := range 20 {
				b, a := strings.Repeat("~", before), strings.Repeat(" ", after)
				if got := string(appendString(nil, b+string(c)+a, maxText)); got != `"`+b+want+a+`"` {
					t.Fatalf("%U behind %d and before %d: %s", c, before, after, got)
				}
				if c >= 0x80 { // no UTF-8 as a single byte
					if got := string(appendString(nil, b+string([]byte{byte(c)})+a, maxText)); got != `"`+b+"\ufffd"+a+`"` {
						t.Fatalf("the byte %x behind %d and before %d: %s", c, before, after, got)
					}
				}
			}
		}
	}
}
