// Package trouble holds one test: a guarded server with credentials from a real Vault
// and users of a real PostgreSQL, while everything happens to that Vault that can. It
// prints a table of what was sent, served and refused meanwhile:
//
//	go test -v -run Trouble ./internal/trouble
package trouble
