package validate

import "github.com/go-json-experiment/json/jsontext"

// The functions of this file walk over JSON that a decoder has accepted already, so
// that they need not check it again.

func space(raw []byte, at int) int {
	for at < len(raw) && (raw[at] == ' ' || raw[at] == '\n' || raw[at] == '\t' || raw[at] == '\r') {
		at++
	}
	return at
}

// skip returns the end of the value that begins at.
func skip(raw []byte, at int) int {
	switch raw[at] {
	case '"':
		return skipString(raw, at)
	case '{', '[':
		depth := 0
		for {
			switch raw[at] {
			case '"':
				at = skipString(raw, at)
				continue
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return at + 1
				}
			}
			at++
		}
	}
	for at < len(raw) {
		switch raw[at] {
		case ',', '}', ']', ' ', '\n', '\t', '\r':
			return at
		}
		at++
	}
	return at
}

func skipString(raw []byte, at int) int {
	for at++; raw[at] != '"'; at++ {
		if raw[at] == '\\' {
			at++
		}
	}
	return at + 1
}

// name returns the member name that begins at and the end of it. The name is part
// of raw unless it has escapes.
func name(raw []byte, at int) (unquoted []byte, end int) {
	escaped := false
	for end = at + 1; raw[end] != '"'; end++ {
		if raw[end] == '\\' {
			escaped = true
			end++
		}
	}
	end++
	if !escaped {
		return raw[at+1 : end-1], end
	}
	unquoted, _ = jsontext.AppendUnquote(nil, raw[at:end])
	return unquoted, end
}

// eachMember calls f with each member of the object that begins at, and the offset
// of its value, until f says false. f returns the end of the value. The result is
// the end of the object.
func eachMember(raw []byte, at int, f func(name []byte, value int) int) int {
	for at = space(raw, at+1); raw[at] != '}'; {
		if raw[at] == ',' {
			at = space(raw, at+1)
		}
		key, end := name(raw, at)
		value := space(raw, space(raw, end)+1) // over the colon
		at = space(raw, f(key, value))
	}
	return at + 1
}

// eachElement does the same for an array.
func eachElement(raw []byte, at int, f func(i, value int) int) int {
	i := 0
	for at = space(raw, at+1); raw[at] != ']'; i++ {
		if raw[at] == ',' {
			at = space(raw, at+1)
		}
		at = space(raw, f(i, at))
	}
	return at + 1
}
