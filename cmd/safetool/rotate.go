package main

import (
	"flag"
	"fmt"
	"io"

	"github.com/safemcp/safemcp/audit"
)

// auditRotate makes keys that take the places of a log's own at its next start.
func auditRotate(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("audit rotate", flag.ContinueOnError)
	arguments := flags.Bool("arguments", false, "the key of the HMACs of arguments")
	signer := flags.Bool("signer", false, "the key that signs checkpoints")
	dir, err := parse(flags, args)
	if err != nil {
		return err
	}
	if !*arguments && !*signer {
		*arguments, *signer = true, true
	}
	if err := audit.NextKeys(dir, *arguments, *signer); err != nil {
		return err
	}
	if *arguments {
		fmt.Fprintln(out, "The next start of the server takes key.next as the key of arguments, and keeps the one before as key.NAME: remove that and its copies to erase what was recorded with it.")
	}
	if *signer {
		fmt.Fprintln(out, "The next start of the server takes signer.next as the signing key: then take the new signer.pub to where the old one is kept. It verifies all of the log.")
	}
	return nil
}
