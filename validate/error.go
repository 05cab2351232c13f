package validate

import "strings"

// An Error says which arguments are wrong: every one of them. It holds nothing of
// what was sent, so that it may be told to anybody.
type Error struct {
	Fields []FieldError
	// Decoded says that the arguments have the shape of their type, and that the
	// value which Decode returned with this error holds them: only rules are
	// broken, or members given that the type does not have, and every rule could be held.
	Decoded bool
}

// A FieldError is one wrong argument.
type FieldError struct {
	// Path names it: "address.lines[2]". It is empty for the arguments as a whole.
	// An element of a map is "[*]", since its key is the caller's.
	Path string
	// Rule is the rule that is broken: "required", "type", "unknown", "duplicate",
	// "schema" or the name of a rule.
	Rule string
	// Message is a sentence that says what is allowed.
	Message string
	// Allowed are the allowed values, at most 50, where they are a list; where a member is
	// not known, the names of all that are.
	Allowed []string
	// Nearest are the allowed values that are nearest to what was sent, at most 3. They
	// are meant for the caller alone: they tell others what it may have been.
	Nearest []string
}

// Error joins the messages.
func (e *Error) Error() string {
	messages := make([]string, len(e.Fields))
	for i, f := range e.Fields {
		messages[i] = f.Message
	}
	return strings.Join(messages, " ")
}

// A SourceError says that an allowlist could not be read, so that nothing is
// allowed.
type SourceError struct {
	Allowlist string // its name
	Err       error
}

// Error names the allowlist and the cause.
func (e *SourceError) Error() string {
	return "the allowlist " + e.Allowlist + " cannot be read: " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *SourceError) Unwrap() error { return e.Err }

// A RuleError says that a rule of the program's own could not tell whether a value is
// right, so that it is not. What its cause says is not meant for the caller.
type RuleError struct {
	Rule string // its name, or "Validate" for the method of a type
	Err  error
}

// Error names the rule and the cause.
func (e *RuleError) Error() string {
	return "the rule " + e.Rule + " could not be held: " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *RuleError) Unwrap() error { return e.Err }

// A PanicError says that a value's own method panicked while it was encoded or
// decoded, or a rule of the program's own.
type PanicError struct {
	Value any // what the panic was given
	Stack []byte
}

// Error does not show the value: it may be anything.
func (e *PanicError) Error() string { return "a method of the value, or a rule, panicked" }

// listed bounds how many allowed values an error lists.
const listed = 50

// sentence is what a FieldError says: the path, then a phrase.
func sentence(path, phrase string) string {
	if path == "" {
		path = "The value as a whole"
	}
	return path + " " + phrase + "."
}
