//go:build unix

package arg_test

import (
	"errors"
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/safemcp/safemcp/internal/postgrestest"
	"github.com/safemcp/safemcp/validate/arg"
)

// PostgreSQL itself names a column by each payload, and a table that there is not; by
// the protocol that takes several statements at once.
func TestNoPayloadIsSplicedByPostgreSQL(t *testing.T) {
	t.Parallel()
	taken := spliced[arg.PostgreSQL](t, '"', '"')
	server := postgrestest.Start(t)
	server.Run("CREATE TABLE users (name text); INSERT INTO users VALUES ('canary')")
	address := url.URL{Scheme: "postgres", User: url.UserPassword("postgres", server.Password), Host: net.JoinHostPort(server.Host, server.Port), Path: "postgres", RawQuery: "default_query_exec_mode=simple_protocol"}
	db, err := pgx.Connect(t.Context(), address.String())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(t.Context())
	decode, _ := decoder[arg.Identifier[arg.PostgreSQL]](t)
	for _, payload := range taken {
		i, err := decode(payload)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := db.Query(t.Context(), "SELECT name AS "+i.String()+" FROM users")
		if err != nil {
			t.Errorf("%q: %v", payload, err)
			continue
		}
		fields := rows.FieldDescriptions()
		n := 0
		for rows.Next() {
			n++
		}
		if rows.Err() != nil || n != 1 || len(fields) != 1 || fields[0].Name != payload {
			t.Errorf("%q: %d rows of %v, %v", payload, n, fields, rows.Err())
		}
		_, err = db.Exec(t.Context(), "DELETE FROM "+i.String())
		var refused *pgconn.PgError
		if !errors.As(err, &refused) || refused.Code != "42P01" || !strings.Contains(refused.Message, payload) { // undefined_table
			t.Errorf("%q as a table: %v", payload, err)
		}
	}
	if n := server.Run("SELECT count(*) FROM users"); n != "1" {
		t.Errorf("there are %s rows", n)
	}
	t.Logf("%d payloads are names", len(taken))
}
