// Package text takes out of text what a reader cannot see: what tells a language
// model, or a terminal, something that the person beside it does not read.
//
//	clean := text.Clean("Paris\u200b\x1b[31m") // "Paris"
//
// # What is taken out
//
//   - Escape sequences for terminals, whole: CSI, OSC, DCS, SOS, PM, APC and the short
//     ones, begun by ESC or by a control of eight bits (ECMA-48 section 5; OSC 8 hides
//     a link, OSC 52 writes the clipboard). One that carries a string ends where a
//     terminal ends it, but goes no further than its line and 8 KiB; where no end comes
//     by then, its introducer alone is taken out and the rest can be read, so that
//     what is unfinished does not swallow what follows.
//   - Controls (C0, DEL, C1) other than tab, line feed and carriage return.
//   - Bidirectional embeddings, overrides and isolates, balanced or not: they show text
//     in another order than it has (CVE-2021-42574).
//   - Tags (U+E0000 to U+E007F), zero-width spaces and joiners, the soft hyphen,
//     invisible operators, fillers, interlinear annotation, variation selectors that
//     select nothing, and all else that Unicode lets a font ignore
//     (Default_Ignorable_Code_Point), assigned or not: each has carried whole hidden
//     texts.
//   - Format characters of hieroglyphs, musical and shorthand notation, which show
//     nothing outside of a specialist's program; Khitan's filler and music's null
//     notehead, which are empty; and noncharacters.
//   - What is not UTF-8: each such byte becomes U+FFFD, as JSON decoders have it.
//
// # What stays
//
//   - A joiner or non-joiner between letters of a script in which it shapes them, such
//     as Persian, Hindi or Sinhala, or at the end of a word of one; the non-joiner between
//     a Latin word or a number and its Persian ending; and the joiner between two emoji
//     (Unicode, chapter 23.2; UAX #29, rule GB11).
//   - A zero-width space between letters of Khmer, Lao, Thai or Burmese, which have no
//     other between words.
//   - Mongolian's vowel separator before the vowel that it parts from a word.
//   - One variation selector after a character that has such variants: an emoji, a
//     keycap, an ideograph, a Mongolian letter, a mathematical sign. Of ideographs, which
//     have enough of them for each to be a hidden letter, 16 a text.
//   - The flags of England, Scotland and Wales, which are made of tags (UTS #51, annex
//     C). No other word in tags is a flag.
//   - The marks LRM, RLM and ALM, which put punctuation and numbers into their place,
//     on a line that has letters written from right to left; one in a place, and not
//     between two letters, whose order it could change.
//   - Spaces of every width, that of Braille too, line and paragraph separators, and private use, which
//     shows as a box or as an icon.
//
// What stays can still carry a bit at each character that it belongs to. It cannot
// carry a text beside the one that is read.
//
// Cleaning what is clean changes nothing, and nothing that is taken out leaves behind
// something that would have to be. The functions are safe for concurrent use.
package text

// Clean returns s without what a reader cannot see: s itself, without allocating,
// where that is all of it. The result is valid UTF-8 and has at most as many
// characters as s; it has more bytes only where s is not UTF-8, since U+FFFD takes
// three. Clean of it is the same again.
func Clean(s string) string {
	at := plain(s, 0)
	if at == len(s) {
		return s
	}
	c := cleaner{in: s}
	c.run(at)
	clean := c.result()
	if c.marked {
		clean = withoutIdleMarks(clean)
	}
	return clean
}
