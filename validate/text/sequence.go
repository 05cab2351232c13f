package text

const (
	escape = '\x1b'
	bell   = '\a'
	cancel = '\x18'
	sub    = '\x1a'
)

// longest bounds what a sequence that carries a string may carry, in bytes: more
// than the longest piece of a picture that programs send at once.
const longest = 8 << 10

// sequence returns the end of an escape sequence of which at is what follows its
// first character, ESC or a control of eight bits (ECMA-48, sections 5.3 to 5.6).
func sequence(s string, first rune, at int) int {
	if first == escape {
		if at == len(s) {
			return at
		}
		c := s[at]
		if c < 0x40 || c > 0x5f {
			return short(s, at)
		}
		at++
		first = rune(c) + 0x40 // ESC and a character from @ to _ are a control of eight bits
	}
	switch first {
	case 0x9b: // CSI
		return control(s, at)
	case 0x90, 0x98, 0x9d, 0x9e, 0x9f: // DCS, SOS, OSC, PM, APC
		return carried(s, at)
	}
	return at
}

// short ends a sequence of ESC, intermediates and a final character. Where it is
// none, ESC alone is taken out.
func short(s string, at int) int {
	end := span(s, at, 0x20, 0x2f)
	if end < len(s) && s[end] >= 0x30 && s[end] <= 0x7e {
		return end + 1
	}
	return at
}

// control ends a control sequence: parameters, intermediates, a final character.
// Where it is none, what introduces it alone is taken out.
func control(s string, at int) int {
	end := span(s, span(s, at, 0x30, 0x3f), 0x20, 0x2f)
	if end < len(s) && s[end] >= 0x40 && s[end] <= 0x7e {
		return end + 1
	}
	return at
}

// span returns the end of the bytes in a range that begin at.
func span(s string, at int, from, to byte) int {
	for at < len(s) && s[at] >= from && s[at] <= to {
		at++
	}
	return at
}

// carried ends a string that a sequence carries: with BEL, as xterm has it; with CAN
// or SUB; and before the next sequence, which a terminal obeys wherever it stands and
// which ST, the proper end, is too. Since no string reaches into the next sequence, a
// text full of introducers is still looked at only once.
func carried(s string, at int) int {
	for i := at; i < min(len(s), at+longest); i++ {
		switch c := s[i]; {
		case c == '\n' || c == '\r':
			return at
		case c == bell || c == cancel || c == sub:
			return i + 1
		case c == escape || (c == 0xc2 && i+1 < len(s) && s[i+1] >= 0x80 && s[i+1] <= 0x9f):
			return i
		}
	}
	return at
}
