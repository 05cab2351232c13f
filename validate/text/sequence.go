package text

import (
	"strings"
	"unicode/utf8"
)

const (
	escape = '\x1b'
	bell   = '\a'
)

// longest bounds what a sequence that carries a string may carry, in bytes. One
// without an end within that loses its introducer alone, and what follows can be
// read: a text is not to be swallowed by an unfinished sequence.
const longest = 4 << 10

// sequence returns the end of the escape sequence that begins at, with ESC or with a
// control of eight bits (ECMA-48, section 5.4 and 5.6).
func sequence(s string, at int) int {
	r, size := utf8.DecodeRuneInString(s[at:])
	at += size
	if r == escape {
		if at == len(s) {
			return at
		}
		c := s[at]
		if c < 0x40 || c > 0x5f {
			return short(s, at)
		}
		at++
		r = rune(c) + 0x40 // ESC and a character from @ to _ are a control of eight bits
	}
	switch r {
	case 0x9b: // CSI
		return csi(s, at)
	case 0x90, 0x98, 0x9d, 0x9e, 0x9f: // DCS, SOS, OSC, PM, APC
		return stringed(s, at)
	}
	return at
}

// short ends a sequence of ESC, intermediates and a final character. Where it is
// none, ESC alone is taken out.
func short(s string, at int) int {
	end := at
	for end < len(s) && s[end] >= 0x20 && s[end] <= 0x2f {
		end++
	}
	if end < len(s) && s[end] >= 0x30 && s[end] <= 0x7e {
		return end + 1
	}
	return at
}

// csi ends a control sequence: parameters, intermediates, a final character.
func csi(s string, at int) int {
	end := at
	for end < len(s) && s[end] >= 0x30 && s[end] <= 0x3f {
		end++
	}
	for end < len(s) && s[end] >= 0x20 && s[end] <= 0x2f {
		end++
	}
	if end < len(s) && s[end] >= 0x40 && s[end] <= 0x7e {
		return end + 1
	}
	return at
}

// stringed ends a sequence that carries a string: with ST, or BEL as xterm has it.
func stringed(s string, at int) int {
	window := s[at:min(len(s), at+longest)]
	for i, r := range window {
		switch {
		case r == bell:
			return at + i + 1
		case r == 0x9c:
			return at + i + 2
		case r == escape && strings.HasPrefix(window[i:], "\x1b\\"):
			return at + i + 2
		}
	}
	return at
}
