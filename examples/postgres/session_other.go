//go:build !unix

package main

import (
	"context"
	"errors"
	"io"
)

// session needs the signals and users of a Unix to run a PostgreSQL of its own.
func session(context.Context, io.Writer, string) error {
	return errors.New("the session with a PostgreSQL and a Vault of its own runs on Linux and macOS. With VAULT_ADDR set, this is the server for yours: README.md says how")
}
