// Package scan finds secrets in what leaves a server and takes them out.
//
//	set := scan.New(nil)
//	err := set.Add([]byte(password), "database:readonly", expires)
//	clean, found := set.RedactString(text) // "[redacted:database:readonly]" where it stood
//
// A [Set] holds the values that are looked for. Each is found
//
//   - as it is, in the middle of anything;
//   - in base64 of either alphabet, at any alignment, padded or not, broken into lines or
//     not;
//   - in hexadecimal digits of any case, also byte by byte ("de:ad", `\xde\xad`,
//     "0xde, 0xad"), and as a list of numbers, which is how fmt prints bytes;
//   - behind the escapes of JSON and Go, percent signs, and the character references of
//     HTML and XML, any mix of them with plain characters and with each other, up to four
//     levels deep;
//   - with other line breaks than it has, or spaces for them; and where lines of it may
//     be base64, as those of a private key in PEM are, indented or joined;
//   - split by characters that nobody sees: zero width, variation selectors, tags, soft
//     hyphens, controls;
//   - with U+FFFD for what an encoder could not write.
//
// A value that itself reads as if something in it were escaped, as one with "%41" in it
// does, or whose end does with what stands behind it, is found behind one kind of
// escapes, and behind JSON in addresses and addresses in JSON; not behind every mix of
// several. One whose beginning is read as the rest of an escape, right behind a percent
// sign or a backslash, is found as it is.
//
// What is found is replaced where it stands, whole escapes at a time, so that JSON stays
// JSON. What is encrypted, compressed, cut in pieces with something visible in between,
// split between two texts, or encoded before it is in base64, is not found: a handler
// that means to give a secret away can.
//
// All values are looked for in one pass, whatever their number. [Rules] find secrets
// that nobody added by what they look like.
package scan
