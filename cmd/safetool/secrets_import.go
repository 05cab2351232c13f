package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"unicode"

	"github.com/safemcp/safemcp/secrets"
	"github.com/safemcp/safemcp/secrets/vault"
)

// secretsImport copies the fields of an entry of a Vault, all or none of them.
func secretsImport(ctx context.Context, args []string, stdin *os.File, errs io.Writer) error {
	e := secretsFlags("import-vault")
	mount := e.flags.String("mount", "secret", "where the engine (KV version 2) is mounted in the Vault")
	as := e.flags.String("as", "", "the path in the store, where it is another than in the Vault")
	short := e.flags.String("insecure-short", "", "why values may have fewer than 8 bytes")
	rest, err := e.parse(args)
	if err != nil {
		return err
	}
	if len(rest) == 0 {
		return e.usage("it takes the PATH of an entry in the Vault, below its mount, and FIELDs where not all are meant")
	}
	path, fields := rest[0], rest[1:]
	if *as == "" {
		*as = path
	}
	for _, p := range []string{path, *as} {
		for _, field := range append([]string{"field"}, fields...) {
			if err := secrets.KV(p, field).Check(); err != nil {
				return fmt.Errorf("%s: %w: %w", e.flags.Name(), err, errUsage)
			}
		}
	}
	values, others, err := fetch(ctx, *mount, path)
	if err != nil {
		return err
	}
	if len(fields) > 0 {
		others = nil // nobody asked for them
		if values, err = pick(values, fields); err != nil {
			return err
		}
	}
	if len(values) == 0 {
		return fmt.Errorf("the entry %s has no field with a text in it: nothing was changed", path)
	}
	for _, field := range slices.Sorted(maps.Keys(values)) {
		b := secrets.KV(*as, field)
		if err := values[field].Use(func(v []byte) error { return checkValue(b, v, *short) }); err != nil {
			return err
		}
	}
	store, err := e.open(ctx, true, stdin, errs)
	if err != nil {
		return err
	}
	defer store.Close()
	if err := store.SetFields(ctx, *as, values); err != nil {
		return err
	}
	fmt.Fprintf(errs, "%s of the entry %s stored in %s, under %s: %s.\n", wereCopied(len(values)), path, e.file, *as, strings.Join(slices.Sorted(maps.Keys(values)), ", "))
	if len(others) > 0 {
		fmt.Fprintf(errs, "Left out, since they hold no text: %s.\n", printable(strings.Join(others, ", ")))
	}
	fmt.Fprintln(errs, "It is a copy: what is changed in the Vault from now on has to be imported again.")
	return nil
}

// printable keeps what others have named in a Vault from steering the terminal.
func printable(names string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '_'
		}
		return r
	}, names)
}

func wereCopied(n int) string {
	if n == 1 {
		return "1 field was copied, as it stands in the latest version"
	}
	return fmt.Sprintf("%d fields were copied, as they stand in the latest version", n)
}

// fetch reads an entry of the Vault that the environment names.
func fetch(ctx context.Context, mount, path string) (values map[string]secrets.Secret, others []string, err error) {
	provider, err := vault.FromEnvironment(&vault.Options{KVMount: mount})
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, provider.Close(context.WithoutCancel(ctx))) }()
	values, others, err = provider.Entry(ctx, path)
	if err != nil {
		return nil, nil, fmt.Errorf("nothing was changed: %w (the path is that below the mount, %s, without data/ in it; --mount names another one)", err, mount)
	}
	return values, others, nil
}

// pick takes the fields that were asked for.
func pick(values map[string]secrets.Secret, fields []string) (map[string]secrets.Secret, error) {
	picked := make(map[string]secrets.Secret, len(fields))
	for _, field := range fields {
		v, there := values[field]
		if !there {
			return nil, fmt.Errorf("the entry has no field %s with a text in it: nothing was changed", field)
		}
		picked[field] = v
	}
	return picked, nil
}
