package tally

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode/utf8"
)

// Name is a name as it is kept: itself, or, where it has more than most bytes, its beginning
// and a mark by which two that begin alike stay apart. most is at least 16. Names are longer
// only where somebody means harm.
func Name(s string, most int) string {
	if len(s) <= most {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	end := "… #" + hex.EncodeToString(sum[:4])
	cut := most - len(end)
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return strings.Clone(s[:cut]) + end // a clone, so that the rest is let go
}
