// Package auditline is how bench measures what the audit log makes of an event before
// anything is written, which package audit keeps to itself.
package auditline

// New returns what makes lines of events. What it returns takes an *audit.Event, makes its
// line as the log does, with the number, the time, the ID and the checksum, adds it to a
// Merkle tree as the log does once it is on disk, and returns the line, which is its caller's
// until the next call. It is for one goroutine at a time. The package audit sets it.
var New func() func(event any) []byte
