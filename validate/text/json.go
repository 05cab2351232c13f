package text

import (
	"encoding/json"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// CleanJSON returns a JSON text in which every string, names of members too, is as
// Clean would have it, or raw itself. It stays JSON; names that differ in what is
// taken out become equal. What is no JSON it returns as it is, from the first fault
// on.
func CleanJSON(raw []byte) []byte {
	at := doubtIn(raw, 0)
	if at < 0 {
		return raw
	}
	var out []byte
	from := 0 // of what stays and has not been written
	for i := 0; i < len(raw); {
		if raw[i] != '"' {
			i++
			continue
		}
		end := stringEnd(raw, i)
		if end < 0 {
			break
		}
		if end > at && doubtIn(raw[i:end], 0) >= 0 {
			if clean, changed := cleanString(raw[i:end]); changed {
				out = append(append(out, raw[from:i]...), clean...)
				from = end
			}
		}
		i = end
	}
	if from == 0 {
		return raw
	}
	return append(out, raw[from:]...)
}

// doubtIn returns the offset of the first byte that a string with something to take
// out could have, or -1: one beyond ASCII, DEL, or an escape other than for a quote,
// a backslash, a slash, a tab or the end of a line.
func doubtIn(raw []byte, at int) int {
	for ; at < len(raw); at++ {
		switch c := raw[at]; {
		case c >= 0x7f:
			return at
		case c == '\\':
			if at+1 == len(raw) {
				return at
			}
			switch raw[at+1] {
			case '"', '\\', '/', 'n', 'r', 't':
				at++
			default:
				return at
			}
		}
	}
	return -1
}

// stringEnd returns the end of the string that begins at, or -1.
func stringEnd(raw []byte, at int) int {
	for i := at + 1; i < len(raw); i++ {
		switch raw[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

func cleanString(quoted []byte) (clean []byte, changed bool) {
	var s string
	if err := json.Unmarshal(quoted, &s); err != nil { // it replaces what is not UTF-8
		return nil, false
	}
	cleaned := Clean(s)
	if cleaned == s && utf8.Valid(quoted) {
		return nil, false
	}
	clean, err := jsontext.AppendQuote(nil, cleaned)
	return clean, err == nil
}
