package arg

import "strings"

const upperHex = "0123456789ABCDEF"

// encoded writes a part of a URL in one way: what is unreserved as it is, what is not
// ASCII percent-encoded, the rest as it was (RFC 3986, section 6.2.2; RFC 3987, section
// 3.1). It refuses what URLs do not hold, what is no encoding, encoded controls in a
// path, and an encoded NUL anywhere.
func encoded(s string, path bool) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c >= 0x80:
			b.Write([]byte{'%', upperHex[c>>4], upperHex[c&15]})
		case c <= ' ' || c == 0x7f || strings.IndexByte("\\\"<>^`{|}", c) >= 0:
			return "", false
		case c != '%':
			b.WriteByte(c)
		case i+2 >= len(s) || hexDigit(s[i+1]) < 0 || hexDigit(s[i+2]) < 0:
			return "", false
		default:
			value := byte(hexDigit(s[i+1])<<4 | hexDigit(s[i+2]))
			i += 2
			switch {
			case value == 0 || path && (value < ' ' || value == 0x7f):
				return "", false
			case unreserved(value):
				b.WriteByte(value)
			default:
				b.Write([]byte{'%', upperHex[value>>4], upperHex[value&15]})
			}
		}
	}
	return b.String(), true
}

func hexDigit(c byte) int { return strings.IndexByte(upperHex, upper(c)) }

func upper(c byte) byte {
	if c >= 'a' && c <= 'z' {
		return c - 'a' + 'A'
	}
	return c
}

func unreserved(c byte) bool {
	return upper(c) >= 'A' && upper(c) <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0
}

// withoutDots removes the dot segments of an absolute path, and writes the empty one as
// "/" (RFC 3986, sections 5.2.4 and 6.2.3).
func withoutDots(path string) string {
	if path == "" {
		return "/"
	}
	segments := strings.Split(path[1:], "/")
	kept := make([]string, 0, len(segments))
	for i, s := range segments {
		last := i == len(segments)-1
		switch s {
		case "..":
			kept = kept[:max(len(kept)-1, 0)]
			if last {
				kept = append(kept, "")
			}
		case ".":
			if last {
				kept = append(kept, "")
			}
		default:
			kept = append(kept, s)
		}
	}
	return "/" + strings.Join(kept, "/")
}
