package serve

import (
	"bytes"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/modelcontextprotocol/go-sdk/jsonrpc"

	"github.com/safemcp/safemcp/internal/jsonwalk"
)

const (
	longestID = 1024    // bytes of a string id: every answer and record repeats it
	largestID = 1 << 53 // beyond it not every JSON reader keeps an integer exact (RFC 7493 section 2.2)
)

// An id is a request's: a string or an integer, as MCP has it.
type id struct {
	value jsonrpc.ID
	json  string // as JSON; empty when there is none
}

// readID reads a JSON value as an id. Null, which JSON-RPC discourages and MCP
// forbids, is none, and neither are fractions and exponents.
func readID(value []byte) (id, bool) {
	if len(value) == 0 {
		return id{}, false
	}
	if value[0] == '"' {
		text, err := jsontext.AppendUnquote(nil, value)
		if err != nil || len(text) > longestID {
			return id{}, false
		}
		quoted, err := jsontext.AppendQuote(nil, text)
		if err != nil {
			return id{}, false
		}
		made, err := jsonrpc.MakeID(string(text))
		return id{made, string(quoted)}, err == nil
	}
	digits := bytes.TrimPrefix(value, []byte{'-'})
	if len(digits) == 0 || len(digits) > 16 || (digits[0] == '0' && len(digits) > 1) {
		return id{}, false
	}
	for _, d := range digits {
		if d < '0' || d > '9' {
			return id{}, false
		}
	}
	n, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil || n > largestID || n < -largestID {
		return id{}, false
	}
	made, err := jsonrpc.MakeID(float64(n)) // exact: see largestID
	return id{made, strconv.FormatInt(n, 10)}, err == nil
}

// recoverID looks for the id in a line that is not a message, so that its sender
// learns which of its requests was refused. It takes a top-level "id" that stands
// between delimiters, and none when two differ. The line may be anything.
func recoverID(line []byte) (found id) {
	line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
	i := jsonwalk.Space(line, 0)
	if i >= len(line) || line[i] != '{' {
		return id{}
	}
	for depth := 0; i < len(line); {
		switch line[i] {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return found
			}
		case '"':
			start := i
			i = stringEnd(line, i)
			if depth != 1 || string(line[start:i]) != `"id"` {
				continue
			}
			if i = jsonwalk.Space(line, i); i >= len(line) || line[i] != ':' {
				continue
			}
			candidate, ok := delimited(line, jsonwalk.Space(line, i+1))
			if ok && found.json != "" && found.json != candidate.json {
				return id{}
			}
			if ok {
				found = candidate
			}
			continue
		}
		i++
	}
	return found
}

// stringEnd returns the end of the string that opens at i, or of the line.
func stringEnd(line []byte, i int) int {
	for i++; i < len(line); i++ {
		switch line[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(line)
}

// delimited reads an id at i, if a comma or the end of the object follows it.
func delimited(line []byte, i int) (id, bool) {
	end := i
	switch {
	case i >= len(line):
		return id{}, false
	case line[i] == '"':
		end = stringEnd(line, i)
	default:
		for end < len(line) && (line[end] == '-' || (line[end] >= '0' && line[end] <= '9')) {
			end++
		}
	}
	after := jsonwalk.Space(line, end)
	if after >= len(line) || (line[after] != ',' && line[after] != '}') {
		return id{}, false
	}
	return readID(line[i:end])
}
