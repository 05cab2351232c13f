package validate

// phrase says in words a rule that validator runs.
func phrase(t term, n *node) string {
	if says := ofTimes[t.name]; says != "" && n.typ == timeType {
		return says
	}
	if r, known := textRules[t.name]; known {
		return r.phrase
	}
	if says := numberPhrases[t.name]; says != "" {
		return says
	}
	return "must meet the rule " + t.text
}

// numberPhrases say the rules that are not for texts.
var numberPhrases = map[string]string{
	"port": "must be a port number", "iso4217_numeric": "must be the number of a currency (ISO 4217)",
}

// article is what a value has to be, in words.
func article(n *node) string {
	switch n.form {
	case formString:
		return "a string"
	case formInteger:
		if n.typ == durationType {
			return "a whole number of nanoseconds"
		}
		return "a whole number"
	case formNumber:
		return "a number"
	case formBoolean:
		return "true or false"
	case formArray:
		return "a list"
	}
	return "an object"
}
