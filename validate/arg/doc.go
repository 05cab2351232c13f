// Package arg has types of arguments whose values cannot be misused: what the model
// sends is read into a file of one directory, a URL of hosts that were named, a name
// that is quoted, an argument that is no option, a pattern that is bounded, or it is
// refused before a handler runs.
//
//	var docs, _ = os.OpenRoot("/srv/docs") // check the error
//
//	type Docs struct{}
//
//	func (Docs) Path() arg.PathOptions { return arg.PathOptions{Root: docs} }
//
//	type ReadArgs struct {
//		File arg.Path[Docs] `json:"file" jsonschema:"the document to read"`
//	}
//
//	func read(ctx context.Context, _ *mcp.CallToolRequest, in ReadArgs) (*mcp.CallToolResult, Text, error) {
//		text, err := in.File.ReadFile() // below /srv/docs, whatever was sent
//		…
//	}
//
// A type is bound by its parameter: [Path] to a directory, [URL] to schemes and hosts,
// [Identifier] to a dialect of SQL. So a value of one directory is no value of another
// for the compiler, and there is nothing to forget at a call. What is bound to nothing
// (a nil Root, no hosts) fails when the tool is registered, with a sentence, and refuses
// every value.
//
// # What holds for each of them
//
//   - A value is made by decoding (UnmarshalText) and by nothing else. The zero value,
//     which a field has that was left out, refuses everything with [ErrUnset].
//   - It is read once. What the handler uses is what was checked, in one normal form.
//   - It brings its own JSON Schema: type, pattern, bounds, and in words what a pattern
//     cannot say. A refusal says what is taken and never quotes what was sent.
//   - Lengths are bounded, in characters; a text holds nothing that a reader cannot see
//     (package text) and no control characters.
//   - Printing one (String, %v) gives a form that does no harm where it ends up by
//     accident: a path that no call opens, a name in its quotes, an argument in a
//     shell's. MarshalText gives back what was read, in its normal form.
//   - The audit log records it as a keyed digest, like every argument without an audit
//     tag. Paths are named for people and for what is in them, queries of URLs carry
//     tokens, and the others are free text; all of them are found again with
//     "safetool audit show --arg". Where a reviewer has to read them, say audit:"clear".
//
// The types are safe for concurrent use once decoded.
//
// # What they do not do
//
// [URL] resolves nothing: a name that is allowed can have an address within, and a host
// can redirect. [Command] starts what the program's author named, with arguments that
// are no options: what the program makes of them is its own.
package arg
