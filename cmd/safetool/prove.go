package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/safemcp/safemcp/audit"
)

// auditProve prints a proof about a log, as JSON.
func auditProve(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("audit prove", flag.ContinueOnError)
	event := flags.Uint64("event", 0, "the number of the event that is to be proved to be in the log")
	from := flags.String("from", "", "a signed checkpoint from which the log is to be proved to have only grown, or a file that holds it")
	dir, err := parse(flags, args)
	if err != nil {
		return err
	}
	var proof any
	switch {
	case (*event > 0) == (*from != ""):
		return fmt.Errorf("audit prove takes either --event NUMBER or --from CHECKPOINT: %w", errUsage)
	case *event > 0:
		proof, err = audit.Prove(dir, *event)
	default:
		var older string
		if older, err = orContents(*from); err == nil {
			proof, err = audit.ProveGrowth(dir, older)
		}
	}
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(proof, "", "  ")
	if err != nil {
		return fmt.Errorf("the proof: %w", err)
	}
	_, err = fmt.Fprintf(out, "%s\n", text)
	return err
}

// auditCheck says whether a proof holds, without the log.
func auditCheck(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("audit check", flag.ContinueOnError)
	var keys list
	flags.Var(&keys, "key", "a public key of the log, or a file that holds it; may be given more than once, for a log that has had several")
	path, err := argument(flags, args, "proof")
	if err != nil {
		return err
	}
	if path == "" || len(keys) == 0 {
		return fmt.Errorf("audit check takes the file of a proof, and --key PUBLIC, which was kept elsewhere: %w", errUsage)
	}
	for i, public := range keys {
		if isFile(public) {
			if keys[i], err = audit.ReadPublicKey(public); err != nil {
				return err
			}
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var event audit.Proof
	if err := json.Unmarshal(text, &event); err != nil {
		return fmt.Errorf("%s is no proof: %w", path, err)
	}
	holds, says := event.Check, "event %d is in the log, as it stands here:\n%s\n"
	values := []any{event.Seq, event.Event}
	if event.Event == "" {
		var growth audit.TreeProof
		if err := json.Unmarshal(text, &growth); err != nil {
			return fmt.Errorf("%s is no proof: %w", path, err)
		}
		holds, says, values = growth.Check, "the log has only grown between the two checkpoints\n", nil
	}
	if err := holds(keys...); errors.Is(err, audit.ErrPublicKey) {
		return fmt.Errorf("--key: %w: %w", err, errUsage)
	} else if err != nil {
		fmt.Fprintf(out, "WRONG  %v\n", err)
		return errWrong
	}
	_, err = fmt.Fprintf(out, "OK     "+says, values...)
	return err
}
