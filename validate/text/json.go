package text

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"

	"github.com/go-json-experiment/json/jsontext"
)

// CleanJSON returns a JSON text in which every string, names of members too, is as
// Clean would have it, whether what hides is written as it is or escaped. Where that
// is so already it returns raw itself, and allocates nothing unless a string needs
// escapes to be undone to tell.
//
// What is no JSON (RFC 8259) is returned as it is, for whoever parses it to refuse;
// what is JSON stays JSON. A string that changes may have other escapes than before,
// the rest of the text is kept byte by byte, numbers and white space too. Halves of a
// surrogate pair become U+FFFD. Names that differ in what is taken out become equal,
// and a parser that refuses duplicate names then refuses the object. CleanJSON does
// not change raw; the result may share its memory.
func CleanJSON(raw []byte) []byte {
	if doubt(raw, 0) == len(raw) {
		return raw
	}
	var out, scratch []byte
	from := 0 // of what stays and has not been written
	for i := 0; i < len(raw); {
		start := bytes.IndexByte(raw[i:], '"')
		if start < 0 {
			break
		}
		start += i
		i = stringEnd(raw, start)
		if doubt(raw[:i], start) == i {
			continue
		}
		var clean string
		var changed bool
		if clean, scratch, changed = cleanString(raw[start:i], scratch); changed {
			out = append(out, raw[from:start]...)
			out, _ = jsontext.AppendQuote(out, clean) // it fails for what is not UTF-8
			from = i
		}
	}
	if from == 0 || !json.Valid(raw) {
		return raw
	}
	return append(out, raw[from:]...)
}

// doubt returns the offset, from at on, of the first character that Clean might take
// out, written as it is or escaped, or that is not what it should be; len(raw) where
// there is none. Controls are not looked for: in JSON they are escaped.
func doubt(raw []byte, at int) int {
	for at < len(raw) {
		if at+8 <= len(raw) {
			w := binary.LittleEndian.Uint64(raw[at:])
			slashes := w ^ '\\'*ones // a zero for each, which borrows
			if (w|(w+ones)|(slashes-ones))&high == 0 {
				at += 8
				continue
			}
		}
		switch c := raw[at]; {
		case c == '\\':
			r, size := escaped(raw[at:])
			if hidden(r) || r == utf8.RuneError {
				return at
			}
			at += size
		case c >= 0x7f:
			r, size := utf8.DecodeRune(raw[at:])
			if hidden(r) || (r == utf8.RuneError && size == 1) {
				return at
			}
			at += size
		default:
			at++
		}
	}
	return at
}

// escaped returns the character that an escape stands for and the length of it, with
// the other half of a pair; U+FFFD where it stands for none.
func escaped(raw []byte) (r rune, size int) {
	if len(raw) < 2 {
		return utf8.RuneError, len(raw)
	}
	switch raw[1] {
	case '"', '\\', '/', 'n', 'r', 't':
		return rune(raw[1]), 2 // any character that is not hidden will do
	case 'u':
		r = unit(raw)
		if !utf16.IsSurrogate(r) {
			return r, 6
		}
		return utf16.DecodeRune(r, unit(raw[6:])), 12
	}
	return utf8.RuneError, 2 // \b and \f, which are controls, and what is no escape
}

// unit returns what the escape \uXXXX at the beginning of raw stands for, or U+FFFD.
func unit(raw []byte) rune {
	if len(raw) < 6 || raw[0] != '\\' || raw[1] != 'u' {
		return utf8.RuneError
	}
	var r rune
	for _, c := range raw[2:6] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return utf8.RuneError
		}
	}
	return r
}

// stringEnd returns the end of the string that begins at; where it has none, of raw.
func stringEnd(raw []byte, at int) int {
	for i := at + 1; i < len(raw); i++ {
		switch raw[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(raw)
}

// cleanString cleans one string with its quotes. It undoes escapes in scratch, which
// it returns for the next string; clean may lie in it or in quoted.
func cleanString(quoted, scratch []byte) (clean string, _ []byte, changed bool) {
	inner := bytes.TrimSuffix(quoted[1:], []byte{'"'})
	if bytes.IndexByte(inner, '\\') >= 0 {
		// Its error says that something was not UTF-8 and is U+FFFD now, or that
		// this is no string, and then raw is no JSON.
		decoded, err := jsontext.AppendUnquote(scratch[:0], quoted)
		inner, scratch, changed = decoded, decoded, err != nil
	}
	// Clean reads it during this call, and what it returns is copied before scratch
	// is written to again: nothing keeps what could change beneath it.
	in := unsafe.String(unsafe.SliceData(inner), len(inner)) //nolint:gosec // see above; a copy of each Persian or emoji string otherwise
	clean = Clean(in)
	return clean, scratch, changed || clean != in
}
