// Package validate turns the arguments of a tool into a Go value, once and
// strictly, and says what they must be in a JSON Schema made of the same tags: what
// the model reads is what is enforced.
//
//	type Search struct {
//		Query string   `json:"query"           validate:"required,min=1,max=200" jsonschema:"words to look for"`
//		Limit int      `json:"limit,omitempty" validate:"omitempty,min=1,max=20"`
//		Kinds []string `json:"kinds,omitempty" validate:"omitempty,max=5,dive,allow=kinds"`
//	}
//
//	args, err := validate.For[Search](&validate.Options{
//		Allow: map[string]validate.Allowlist{"kinds": validate.Static("memo", "letter")},
//	})
//	// args.Schema() is listed, and at each call:
//	in, err := args.Decode(ctx, raw)
//
// # What decoding refuses
//
// One pass of encoding/json/v2 semantics: members that the type does not have,
// names that are given twice or in the wrong case, values of another type, null
// where the type is no pointer, invalid UTF-8 and trailing bytes. Integers are
// exact over all of int64 and uint64; as in JSON Schema they may be written 5.0 or 5e0. An
// error names every wrong field at once and never quotes what was sent.
//
// # Rules
//
// Rules are those of github.com/go-playground/validator/v10, in the validate tag. The
// schema says of each, in keywords, exactly what it takes where any keywords can, and
// has it in words where they cannot: the table at the end shows both. These are the
// differences from validator:
//
//   - required means that the member is there, and not, as in validator, that it is
//     not zero: 0, false and "" are values. Where they are none, say so: min=1 for
//     texts, lists and numbers, eq=true for a boolean that has to be accepted. A field
//     is required too when neither its json tag nor its validate tag says omitempty,
//     which is how the SDK reads a type.
//   - omitempty means that the member may be absent. A member that is there is
//     held against every rule, also when it is zero.
//   - A pointer takes null, which is then held against no rule, also where the field is
//     required: the member is there. That tells absent (omitempty), null and zero apart;
//     where null is no value, use the type itself and no pointer.
//   - Elements and nested structs are checked with or without dive. Behind it, required and
//     omitempty are refused: an element is there, and min=1 says that it is not empty.
//   - Rules about other fields (required_if, excluded_with, eqfield, …) go by what
//     the text holds: 0 and "" are there, null is not. Where a field is compared
//     with another, that one counts as the handler sees it. Their names in errors
//     and in the schema are those of JSON.
//   - unique compares values, never pointers.
//   - ipv4 and cidrv4 take no address that is written as one of IPv6 (::ffff:192.0.2.1).
//   - Rules on a time.Duration are in the schema as nanoseconds. Those on a float32 or
//     float64 hold for what is left when it has been rounded to one. In a map with whole
//     numbers for names 0 and -0 are one name.
//   - A type that reads itself, with UnmarshalText or UnmarshalJSON, says in its own
//     words what it takes, see [Described]; package arg has such types.
//   - A rule on a type that reads itself is held against the value that was read,
//     and is said in the schema in words alone. Where that is a struct, as [net/netip.Addr]
//     is, validator would not look into it: such a type takes rule=NAME and no other.
//   - A json.Number and a *big.Int take min, max, gt, gte, lt, lte, eq, ne and oneof, and
//     are held against them without rounding.
//   - allow=NAME takes what the [Allowlist] of that name in [Options] holds.
//   - rule=NAME holds the [Rule] of that name in [Options].
//   - Rules that open or resolve what the caller names (file, dir, image, mimetype,
//     timezone, tcp_addr, …) are refused when the type is compiled, and so are
//     tags that are not understood, rules that are not made for the type of their
//     field or leave it no value, and any that would not be enforced.
//
// # Allowlists
//
// An allowlist is [Static], a file ([AllowFile]), a function ([AllowFunc]) or any other
// [Allowlist]. One that may change is asked through a cache, see [Cached]: what is listed
// and what is enforced come from the same answer, for 5 seconds unless [CacheOptions] say
// another lifetime. A value that was listed is refused once the list has changed. A
// source that fails, hangs, panics or holds what nobody can see allows nothing, unless
// its older values may be used for a while (CacheOptions.Stale); the error is a
// [*SourceError].
//
// [Arguments.Current] is the schema with the values of the moment. An error names the
// allowed values that are nearest to the one that was sent, which it does not repeat. So
// an allowlist is no place for what those may not know who may call the tool: package
// safetool asks for its scopes first, and for the program's authorizer after.
//
// # Rules of one's own
//
// A [Rule] is a function with a message, and with keywords of JSON Schema if there are
// any that say it. It runs on values that break no rule of their tag.
//
// A type with a method
//
//	Validate(ctx context.Context) error
//
// has a rule for its values as a whole: the arguments, nested structs, lists, elements and
// named types alike, but not the keys of maps. The method is called when the value has
// the shape of its type, after what is in it, and also where rules of its fields are
// broken, so that one error says all that is wrong. It may rely on no text, list or map in
// it being longer than its rules allow: then it is not called. It may not rely on others,
// and asks [Broken] where that would make it work without bound, as a loop up to a number
// does; where it panics, or fails, on a value of which rules are broken, the caller is told
// those alone.
//
// It says what is wrong with [Reject], in words for the caller. Any other error stays inside
// and refuses the call with a [*RuleError], as one that could not be held; a panic is a
// [*PanicError]. The method must not change the value: what it changes is held against no
// rule any more. What it demands is best said in the jsonschema tag, too: the schema does
// not know of it. A method Validate of another form is not called, which
// [Arguments.Warnings] says; one of an embedded struct is called as Go promotes it.
//
// All rules of one's own have 5 seconds a call together, after which the context ends; one
// that does not return then holds its call up.
//
// A number in an any is a float64, as encoding/json has it, and exact as far as that
// goes: take an int64, a json.Number or a *big.Int where that matters. One that no
// float64 holds, as 1e400, is refused, as it is for a float64, which the schema does not
// say. An error names at most 100 wrong values.
//
// # Defaults and enums
//
// A field that is not given has the value of its default tag, which the schema says, too:
//
//	Limit int `json:"limit" default:"20" validate:"min=1,max=100"`
//
// A struct that is not given is zero, and so is all that is in it, whatever its fields'
// defaults.
//
// A default is for texts, numbers, booleans, times (in RFC 3339), durations (1h30m), bytes (in
// base64) and types that read a text. Rules about other fields take it for given. A default
// that the field's own rules would refuse fails when the type is compiled, and so does one
// that only a call could judge: where an allowlist may change, a rule is the program's own or
// the type has a Validate method, the handler is the place.
//
// A named type of strings or whole numbers whose method Values returns its values takes
// those alone, wherever it stands:
//
//	func (Unit) Values() []Unit { return []Unit{Metric, Imperial} }
//
// # Types
//
// Structs, embedded ones as Go has them, pointers, lists, arrays, maps with keys of strings
// or whole numbers, generic types, and types that contain themselves by way of a struct. A
// null list or map is refused: there is no nil to tell from an empty one. A time.Duration is
// a number of nanoseconds, a []byte a text in base64, an array of bytes a list of numbers. A
// *big.Int has at most 5000 digits. What cannot be expressed (channels, functions, other
// interfaces than any, the options string, inline and format of json tags, two fields of one
// name) fails when the type is compiled, with a sentence that says what to do instead.
//
// # Texts
//
// A text is refused that holds what a reader cannot see (escape sequences, controls,
// bidirectional controls, tags, characters without width), or is not in Unicode's normal
// form C, so that what looks the same is the same; see package text for what stays: emoji,
// and the joiners of Persian and of Indic scripts. A field says otherwise with a tag of its
// own, for all texts in it:
//
//	Note string `json:"note" text:"strip"` // reject, strip, flag or raw
//
// strip takes it out before the rules are held; flag lets it through and says so, to the
// handler (Call.Flagged of package safetool) and in the audit log; raw looks at nothing.
// What is in an any or in a type that reads itself is not looked at, nor is what an own
// schema alone describes: a text tag there is refused, as on a struct, whose fields have
// their own. No schema says what of a text is refused so.
//
// Lengths of strings are counted in code points, as JSON Schema does.
package validate

//go:generate go test -run ^TestTheTableOfRulesIsThatOfTheRules$ . -write-rules
