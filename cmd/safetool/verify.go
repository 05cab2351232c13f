package main

import (
	"flag"
	"io"
	"os"

	"github.com/safemcp/safemcp/audit"
)

// auditVerify holds a log against its checkpoints.
func auditVerify(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("audit verify", flag.ContinueOnError)
	against := againstFlags(flags)
	dir, err := parse(flags, args)
	if err != nil {
		return err
	}
	options, err := against()
	if err != nil {
		return err
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

// againstFlags are what a log is held against, once they are parsed.
func againstFlags(flags *flag.FlagSet) func() (audit.VerifyOptions, error) {
	key := flags.String("key", "", "the public key that was kept elsewhere, or a file that holds it; for lines of version 1, a file with the key of the log, in hexadecimal")
	since := flags.String("since", "", "a checkpoint that was kept elsewhere, or a file that holds it")
	return func() (o audit.VerifyOptions, err error) {
		if err = keyOf(*key, &o); err == nil {
			o.Since, err = orContents(*since)
		}
		return o, err
	}
}

// keyOf sets the key that an argument is, or names the file of.
func keyOf(s string, o *audit.VerifyOptions) (err error) {
	if !isFile(s) {
		o.PublicKey = s
		return nil
	}
	if o.PublicKey, err = audit.ReadPublicKey(s); err == nil {
		return nil
	}
	if key, oldErr := audit.ReadKey(s); oldErr == nil {
		o.PublicKey, o.Key = "", key
		return nil
	}
	return err
}

// orContents is a text, or what is in the file of that name.
func orContents(s string) (string, error) {
	if s == "" || !isFile(s) {
		return s, nil
	}
	text, err := os.ReadFile(s)
	return string(text), err
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
