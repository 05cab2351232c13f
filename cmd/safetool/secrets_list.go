package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"
)

// secretsList shows what a store holds, and never a value.
func secretsList(ctx context.Context, args []string, stdin *os.File, out, errs io.Writer) error {
	e := secretsFlags("list")
	asJSON := e.flags.Bool("json", false, "one value a line, as JSON")
	store, err := e.flagsAlone(ctx, args, stdin, errs)
	if err != nil {
		return err
	}
	defer store.Close()
	all, err := store.List()
	if err != nil {
		return err
	}
	if err := store.Writable(); err != nil {
		fmt.Fprintf(errs, "safetool: note: %v\n", err)
	}
	if *asJSON {
		enc := json.NewEncoder(out)
		enc.SetEscapeHTML(false)
		for _, v := range all {
			line := struct {
				Binding string    `json:"binding"`
				Path    string    `json:"path"`
				Field   string    `json:"field"`
				Version string    `json:"version"`
				Bytes   int       `json:"bytes"`
				Changed time.Time `json:"changed,omitzero"`
			}{v.Binding.String(), v.Binding.Path(), v.Binding.Field(), v.Version, v.Bytes, v.Changed}
			if err := enc.Encode(line); err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "BINDING\tVERSION\tBYTES\tCHANGED")
	for _, v := range all {
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\n", v.Binding, v.Version, v.Bytes, clock(v.Changed))
	}
	return w.Flush()
}
