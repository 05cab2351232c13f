// Package conformance runs this library against what others made: the official suite and
// real clients (run.sh, "make conformance"), and a real OpenID provider (in its tests).
package conformance
