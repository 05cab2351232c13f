package validate

// The checks that are common, and faster than asking validator. Each gives its answer; a
// text is UTF-8 here, so that what is beyond ASCII is no byte of these.

// A class is a set of bytes.
type class [256]bool

func classOf(bytes string) (c class) {
	for i := range len(bytes) {
		c[bytes[i]] = true
	}
	return c
}

const (
	letters  = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	numerals = "0123456789"
)

var (
	letterClass   = classOf(letters)
	letterDigits  = classOf(letters + numerals)
	digitClass    = classOf(numerals)
	hexClass      = classOf(numerals + "abcdefABCDEF")
	lowerHexClass = classOf(numerals + "abcdef")
	variantClass  = classOf("89abAB")
	lowerVariants = classOf("89ab")
)

func (c *class) all(s string) bool {
	for i := range len(s) {
		if !c[s[i]] {
			return false
		}
	}
	return s != ""
}

func isLetters(s string) bool          { return letterClass.all(s) }
func isLettersAndDigits(s string) bool { return letterDigits.all(s) }
func isDigits(s string) bool           { return digitClass.all(s) }

// isNumeric takes a sign, digits, and a fraction.
func isNumeric(s string) bool {
	if s != "" && (s[0] == '-' || s[0] == '+') {
		s = s[1:]
	}
	i := 0
	for i < len(s) && digitClass[s[i]] {
		i++
	}
	return i > 0 && (i == len(s) || (s[i] == '.' && digitClass.all(s[i+1:])))
}

// uuidCheck is the check of a UUID of a version, or of any where it is 0.
func uuidCheck(version byte, lower, variant bool) func(string) bool {
	digits, variants := &hexClass, &variantClass
	if lower {
		digits, variants = &lowerHexClass, &lowerVariants
	}
	return func(s string) bool {
		if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
			return false
		}
		for _, part := range [...]string{s[:8], s[9:13], s[14:18], s[19:23], s[24:]} {
			if !digits.all(part) {
				return false
			}
		}
		return (version == 0 || s[14] == version) && (!variant || variants[s[19]])
	}
}
