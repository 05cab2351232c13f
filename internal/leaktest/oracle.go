package leaktest

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Piece returns 12 bytes of a form of a value that text still holds, or "".
func Piece(text, form string) string {
	const piece = 12
	for i := 0; i+piece <= len(form); i++ {
		if strings.Contains(text, form[i:i+piece]) {
			return form[i : i+piece]
		}
	}
	return ""
}

// unread undoes what JSON and line breaks do to text, as often as asked, and returns
// all the readings: what somebody Finds who looks for the value.
func unread(text string, times int) []string {
	all := []string{text, unfold(text)}
	for range times {
		var next strings.Builder
		for len(text) > 0 {
			if text[0] != '\\' || len(text) < 2 {
				next.WriteByte(text[0])
				text = text[1:]
				continue
			}
			for n := range 13 { // the longest escape is a pair of surrogates
				n = 12 - n
				var s string
				if n >= 2 && n <= len(text) && json.Unmarshal([]byte(`"`+text[:n]+`"`), &s) == nil && utf8.RuneCountInString(s) == 1 {
					next.WriteString(s)
					text = text[n:]
					break
				}
				if n == 0 {
					next.WriteByte(text[0])
					text = text[1:]
				}
			}
		}
		text = next.String()
		all = append(all, text, unfold(text))
	}
	return all
}

func unfold(text string) string {
	return strings.NewReplacer("\n", "", "\r", "", "\t", "", " ", "").Replace(text)
}

var (
	percents  = regexp.MustCompile(`%[0-9a-fA-F]{2}`)
	goEscapes = regexp.MustCompile(`\\(x[0-9a-fA-F]{2}|U[0-9a-fA-F]{8}|u[0-9a-fA-F]{4}|[abfnrtv\\'"])`)
	hexRuns   = regexp.MustCompile(`[0-9a-fA-F]{2,}`)
	hexLists  = regexp.MustCompile(`(?:(?:0[xX])?[0-9a-fA-F]{1,2}[ ,:\-\r\n\t]+)+(?:0[xX])?[0-9a-fA-F]{1,2}`)
	lists     = regexp.MustCompile(`(?:[0-9]{1,8}[ ,\r\n\t]+)+[0-9]{1,8}`)
	words     = regexp.MustCompile(`[0-9a-zA-Z]+`)
)

// decoders undo one kind of encoding each, wherever it stands in a text. They are made
// of other people's decoders, so that they are not wrong where the search is.
var decoders = map[string]func(text string) []string{
	"percent": func(text string) []string {
		if !strings.ContainsAny(text, "%+") {
			return nil
		}
		plain := percents.ReplaceAllStringFunc(text, func(s string) string {
			c, err := url.PathUnescape(s)
			if err != nil {
				return s
			}
			return c
		})
		if !strings.Contains(plain, "+") {
			return []string{plain}
		}
		return []string{plain, strings.ReplaceAll(plain, "+", " ")}
	},
	"references": func(text string) []string {
		if !strings.Contains(text, "&") {
			return nil
		}
		return []string{html.UnescapeString(text)}
	},
	"Go": func(text string) []string {
		if !strings.Contains(text, `\`) {
			return nil
		}
		return []string{goEscapes.ReplaceAllStringFunc(text, func(s string) string {
			if s == `\'` {
				return "'"
			}
			c, err := strconv.Unquote(`"` + s + `"`)
			if err != nil {
				return s
			}
			return c
		})}
	},
	"unseen": func(text string) []string {
		if !strings.ContainsFunc(text, func(c rune) bool { return slices.Contains(unseen, c) }) {
			return nil
		}
		return []string{strings.Map(func(c rune) rune {
			if slices.Contains(unseen, c) {
				return -1
			}
			return c
		}, text)}
	},
	"hex": func(text string) (all []string) {
		for _, folded := range []string{text, unfold(text)} {
			for _, run := range hexRuns.FindAllString(folded, -1) {
				for from := range 2 {
					part := run[from:]
					if b, err := hex.DecodeString(part[:len(part)&^1]); err == nil {
						all = append(all, string(b))
					}
				}
			}
		}
		for _, list := range hexLists.FindAllString(text, -1) {
			all = append(all, numbered(list, 16))
		}
		return all
	},
	"numbers": func(text string) (all []string) {
		for _, list := range lists.FindAllString(text, -1) {
			all = append(all, numbered(list, 10), numbered(list, 8), numbered(list, 2))
		}
		return all
	},
}

func numbered(list string, base int) string {
	var b strings.Builder
	for _, word := range words.FindAllString(list, -1) {
		n, err := strconv.ParseUint(strings.TrimPrefix(strings.TrimPrefix(word, "0x"), "0X"), base, 8)
		if err != nil {
			return ""
		}
		b.WriteByte(byte(n))
	}
	return b.String()
}

// Finds returns how text still shows value, or "": as it is or in base64, behind up to
// three encodings of any kinds.
func Finds(text, value string) string {
	seen := map[string]bool{}
	level := []string{text}
	for depth := range 4 {
		var next []string
		for _, reading := range level {
			if how := shows(reading, value); how != "" {
				return fmt.Sprintf("%s, behind %d encodings", how, depth)
			}
			next = append(next, unread(reading, 1)[1:]...)
			for _, decode := range decoders {
				next = append(next, decode(reading)...)
			}
		}
		level = level[:0]
		for _, reading := range next {
			if !seen[reading] && len(reading) >= len(value) {
				seen[reading] = true
				level = append(level, reading)
			}
		}
	}
	return ""
}

// shows decodes everything that could be base64, from each of the four places where it
// could begin.
func shows(reading, value string) string {
	if strings.Contains(reading, value) {
		return "as it is"
	}
	for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for _, run := range runs(reading, e) {
			for from := 0; from < 4 && from < len(run); from++ {
				part := run[from:]
				if len(part)%4 == 1 {
					part = part[:len(part)-1]
				}
				if plain, err := e.DecodeString(part); err == nil && strings.Contains(string(plain), value) {
					return "as base64"
				}
			}
		}
	}
	return ""
}

// runs returns the pieces of text that are of an alphabet.
func runs(text string, e *base64.Encoding) []string {
	further := "+/"
	if e == base64.RawURLEncoding {
		further = "-_"
	}
	return strings.FieldsFunc(text, func(c rune) bool {
		return !strings.ContainsRune(further, c) && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
	})
}
