package validate

import "encoding/json"

// Options change how a type or a schema is compiled. Nil is the zero value.
type Options struct {
	// Allow holds the allowlists that the rule allow=NAME may name.
	Allow map[string]Allowlist
	// Rules are rules of the program's own, which rule=NAME may name.
	Rules map[string]Rule
	// Schema is an author's own JSON Schema (draft 2020-12 or draft-07). It is
	// listed in place of the derived one and enforced beside the type.
	Schema json.RawMessage
}
