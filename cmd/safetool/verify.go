package main

import (
	"flag"
	"io"

	"github.com/safemcp/safemcp/audit"
)

// auditVerify holds a log against its chain.
func auditVerify(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("audit verify", flag.ContinueOnError)
	keyPath := flags.String("key", "", "a file with the key, in hexadecimal, rather than the one beside the log")
	since := flags.String("since", "", "a checkpoint that an earlier verification printed")
	dir, err := parse(flags, args)
	if err != nil {
		return err
	}
	options := audit.VerifyOptions{Since: *since}
	if *keyPath != "" {
		if options.Key, err = audit.ReadKey(*keyPath); err != nil {
			return err
		}
	}
	report, err := audit.Verify(dir, &options)
	if err != nil {
		return err
	}
	if err := report.Fprint(out); err != nil {
		return err
	}
	if report.Bad != nil {
		return errWrong
	}
	return nil
}
