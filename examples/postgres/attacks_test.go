//go:build unix

package main

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/safemcp/safemcp/audit"
)

// fingerprint is everything of a database that an attack could have changed.
const fingerprint = `SELECT md5(string_agg(x, '|' ORDER BY x)) FROM (
	SELECT 'b' || books::text FROM books UNION ALL SELECT 'l' || loans::text FROM loans
	UNION ALL SELECT 'c' || oid::text || relname || coalesce(relacl::text, '') FROM pg_class WHERE relnamespace = 'public'::regnamespace
	UNION ALL SELECT 'p' || oid::text || proname || coalesce(proacl::text, '') FROM pg_proc
	UNION ALL SELECT 'o' || oid::text FROM pg_largeobject_metadata
	UNION ALL SELECT 's' || setdatabase::text || setconfig::text FROM pg_db_role_setting WHERE setrole = 0
	UNION ALL SELECT 'r' || rolname || rolsuper::text FROM pg_roles WHERE rolname NOT LIKE 'v-%'
	UNION ALL SELECT 'q' || last_value::text || is_called::text FROM numbers
) AS all_of_it (x)`

// What real PostgreSQL servers for MCP were escaped with, and what else a statement could
// try. Each is refused, and nothing is changed by any, nor for the call that comes after.
func TestNoStatementWritesOrLeavesItsTransaction(t *testing.T) {
	t.Parallel()
	g := serving(t, "5m", 2*time.Second)
	g.postgres.In(sampleDatabase, `CREATE EXTENSION dblink; CREATE EXTENSION pgcrypto;
		REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC;
		CREATE SEQUENCE numbers; GRANT SELECT ON numbers TO mcp_reader;
		CREATE FUNCTION remove_books() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'DELETE FROM loans; DELETE FROM books; SELECT 1';
		GRANT EXECUTE ON FUNCTION remove_books() TO PUBLIC`)
	before := g.postgres.In(sampleDatabase, fingerprint)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	reached := make(chan struct{}, 1)
	go func() {
		if c, err := listener.Accept(); err == nil {
			_ = c.Close()
			reached <- struct{}{}
		}
	}()
	_, port, _ := net.SplitHostPort(listener.Addr().String())

	for sql, says := range map[string]string{
		// A second statement, as in the read-only escape of the reference server.
		"SELECT 1; DROP TABLE books":                             "cannot insert multiple commands",
		"COMMIT; DROP TABLE books":                               "42601",
		"COMMIT; DROP SCHEMA public CASCADE; --":                 "42601",
		"SELECT 1; COMMIT; BEGIN READ WRITE; DELETE FROM books":  "cannot insert multiple commands",
		"SELECT 1;;SELECT 2":                                     "cannot insert multiple commands",
		"SELECT 1 \n;\n SELECT pg_sleep(0)":                      "cannot insert multiple commands",
		"SELECT 1 /* ; */ ; /* */ DELETE FROM books":             "cannot insert multiple commands",
		"SELECT $$;$$ ; DELETE FROM books":                       "cannot insert multiple commands",
		`SELECT E'\'; DELETE FROM books; --'; DELETE FROM loans`: "cannot insert multiple commands",
		"SELECT U&'\\0027' ; DELETE FROM books":                  "cannot insert multiple commands",
		"SELECT 1; FETCH ALL FROM answer":                        "cannot insert multiple commands",
		"SELECT 1\u037e DELETE FROM books":                       "normal form C", // a Greek question mark, which is a semicolon there
		"SELECT 1) ; DELETE FROM books; --":                      "42601",
		// Anything but a SELECT.
		"COMMIT": "42601", "ROLLBACK": "42601", "END": "42601", "BEGIN": "42601", "ABORT": "42601", "SAVEPOINT a": "42601",
		"DROP TABLE books": "42601", "DELETE FROM books": "42601", "TRUNCATE books": "42601", "INSERT INTO books VALUES (9, 'a', 'b')": "42601",
		"UPDATE books SET title = ''": "42601", "CREATE TABLE x (a int)": "42601", "CREATE TEMP TABLE x (a int)": "42601", "MERGE INTO books USING loans ON true WHEN MATCHED THEN DELETE": "42601",
		"SET TRANSACTION READ WRITE": "42601", "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE": "42601", "SET statement_timeout = 0": "42601",
		"SET ROLE postgres": "42601", "SET SESSION AUTHORIZATION postgres": "42601", "RESET ROLE": "42601", "RESET ALL": "42601", "SHOW password_encryption": "42601",
		"COPY books TO PROGRAM 'id'": "42601", "COPY (SELECT 1) TO '/tmp/out'": "42601", "COPY books TO STDOUT": "42601", "COPY books FROM STDIN": "42601",
		"DO $$ BEGIN COMMIT; END $$": "42601", "CALL remove_books()": "42601", "EXECUTE x": "42601", "PREPARE x AS DELETE FROM books": "42601",
		"EXPLAIN ANALYZE DELETE FROM books": "42601", "LOCK books": "42601", "LISTEN x": "42601", "NOTIFY x": "42601", "VACUUM": "42601", "LOAD 'dblink'": "42601",
		"ALTER ROLE CURRENT_USER SUPERUSER": "42601", "GRANT ALL ON books TO PUBLIC": "42601", "CHECKPOINT": "42601", "DISCARD ALL": "42601", "CREATE EXTENSION file_fdw": "42601",
		"DECLARE c CURSOR WITH HOLD FOR SELECT 1": "42601", "CLOSE ALL": "42601", "REFRESH MATERIALIZED VIEW x": "42601", "SECURITY LABEL ON TABLE books IS 'x'": "42601",
		// A write within a SELECT.
		"WITH gone AS (DELETE FROM books RETURNING 1) SELECT * FROM gone": "data-modifying",
		"SELECT * INTO stolen FROM books":                                 "SQLSTATE 42",
		"SELECT * FROM books FOR UPDATE":                                  "SQLSTATE",
		"SELECT remove_books()":                                           "cannot execute DELETE in a read-only transaction",
		"SELECT nextval('numbers')":                                       "SQLSTATE",
		"SELECT setval('numbers', 9)":                                     "SQLSTATE",
		"SELECT set_config('transaction_read_only', 'off', false)":        "must be set before any query",
		"SELECT set_config('role', 'postgres', false)":                    "SQLSTATE",
		"SELECT set_config('role', 'mcp_vault', false)":                   "SQLSTATE",
		"SELECT set_config('session_authorization', 'postgres', false)":   "SQLSTATE",
		"SELECT set_config('log_statement', 'none', false)":               "SQLSTATE",
		"SELECT query_to_xml('DELETE FROM books', true, true, '')":        "SQLSTATE",
		"SELECT query_to_xml('COMMIT', true, true, '')":                   "SQLSTATE",
		"SELECT ts_stat('DELETE FROM books RETURNING 1')":                 "SQLSTATE",
		// Files, programs and the network.
		"SELECT pg_read_file('/etc/passwd')":                                          "permission denied",
		"SELECT pg_read_binary_file('/etc/passwd')":                                   "permission denied",
		"SELECT * FROM pg_ls_dir('/')":                                                "permission denied",
		"SELECT pg_stat_file('/etc/passwd')":                                          "permission denied",
		"SELECT lo_import('/etc/passwd')":                                             "permission denied",
		"SELECT lo_export(1, '/tmp/out')":                                             "permission denied",
		"SELECT pg_file_write('x', 'y', false)":                                       "SQLSTATE 42883",
		"SELECT dblink_connect('host=127.0.0.1 port=" + port + " user=x password=x')": "permission denied",
		"SELECT a FROM dblink('host=127.0.0.1 port=" + port + " user=x password=x', 'SELECT 1') AS t (a int)": "permission denied",
		"SELECT pg_reload_conf()": "permission denied", "SELECT pg_rotate_logfile()": "permission denied", "SELECT pg_switch_wal()": "permission denied",
		"SELECT pg_create_restore_point('x')": "permission denied", "SELECT * FROM pg_hba_file_rules": "permission denied",
		"SELECT rolpassword FROM pg_authid": "permission denied", "SELECT * FROM pg_shadow": "permission denied", "SELECT * FROM pg_file_settings": "permission denied",
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'mcp_vault'": "SQLSTATE",
		// Time and size.
		"SELECT pg_sleep(60)": "took too long", "SELECT count(*) FROM generate_series(1, 1000000000000) a": "took too long",
		"WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n FROM r) SELECT count(*) FROM r": "took too long",
		"SELECT set_config('statement_timeout', '0', false), pg_sleep(60)":                     "took too long",
		"SELECT repeat('x', 20000000)":   "more than the",
		"SELECT repeat('x', 2000000000)": "SQLSTATE 54000",
	} {
		said, isError := g.query(t, sql)
		if strings.HasPrefix(sql, "SELECT pg_terminate_backend(pid)") && !isError { // nobody is there to be ended
			continue
		}
		if !isError || !strings.Contains(said, says) {
			t.Errorf("%s: refused is %v, and it says %.300s", sql, isError, said)
		}
		if strings.Contains(said, "v-token") || strings.Contains(said, g.postgres.Port) && !strings.Contains(sql, port) {
			t.Errorf("%s: it says where or as whom it is connected: %s", sql, said)
		}
	}
	select {
	case <-reached:
		t.Error("a statement made the database connect to somewhere")
	default:
	}
	if after := g.postgres.In(sampleDatabase, fingerprint); after != before {
		t.Error("the database is not what it was")
	}
	for _, e := range g.trail.Calls() {
		if e.Outcome.Status == audit.StatusPanic || e.Outcome.Status == audit.StatusWithheld {
			t.Errorf("%+v", e)
		}
	}
}

// What a statement does to its session ends with the call: the next one, on the same
// connection, finds nothing of it.
func TestNothingOfACallIsLeftForTheNext(t *testing.T) {
	t.Parallel()
	g := serving(t, "5m", 2*time.Second)
	// One connection, so that the next call has the same.
	backend := func() string {
		said, isError := g.query(t, "SELECT pg_backend_pid()")
		if isError {
			t.Fatal(said)
		}
		return said
	}
	same := backend()
	for _, c := range []struct{ does, asks, says string }{
		{"SELECT set_config('statement_timeout', '0', false)", "SELECT current_setting('statement_timeout')", `[["2s"]]`},
		{"SELECT set_config('default_transaction_read_only', 'off', false)", "SELECT current_setting('default_transaction_read_only') || current_setting('transaction_read_only')", `[["onon"]]`},
		{"SELECT set_config('role', 'mcp_reader', false)", "SELECT current_user = session_user", `[[true]]`},
		{"SELECT set_config('search_path', 'pg_temp', false)", "SELECT count(*) FROM books", `[["5"]]`},
		{"SELECT set_config('my.note', 'hello', false)", "SELECT coalesce(current_setting('my.note', true), '')", `[[""]]`},
		{"SELECT pg_advisory_lock(7), pg_advisory_lock_shared(8)", "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'", `[["0"]]`},
		{"SELECT pg_notify('x', 'y')", "SELECT count(*) FROM pg_listening_channels()", `[["0"]]`},
		{"SELECT set_config('session_replication_role', 'replica', false)", "SELECT current_setting('session_replication_role')", `[["origin"]]`},
		{"SELECT lo_from_bytea(4711, 'hello')", "SELECT count(*) FROM pg_largeobject_metadata", `[["0"]]`}, // refused from PostgreSQL 16 on
		{"SELECT pg_export_snapshot()", "SELECT count(*) FROM pg_cursors WHERE name NOT IN ('', 'answer')", `[["0"]]`},
		{"SELECT 1/0", "SELECT 1 AS n", `[[1]]`},
	} {
		_, _ = g.query(t, c.does)
		if said, isError := g.query(t, c.asks); isError || !strings.Contains(said, c.says) {
			t.Errorf("after %s: %s", c.does, said)
		}
	}
	if now := backend(); now != same {
		t.Errorf("the calls were not on one connection: %s and %s", same, now)
	}
	if locks := g.postgres.Run("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"); locks != "0" {
		t.Errorf("%s advisory locks are held", locks)
	}
	// Who ends its own session is told so, and the next call has another.
	if said, isError := g.query(t, "SELECT pg_terminate_backend(pg_backend_pid())"); !isError || strings.Contains(said, "127.0.0.1") {
		t.Errorf("%v %s", isError, said)
	}
	if now := backend(); now == same {
		t.Error("the session was not ended")
	}
}

// The protocol is what keeps a second statement out, not our reading of the text: the same
// statement by the simple protocol runs both.
func TestTheExtendedProtocolTakesOneStatement(t *testing.T) {
	t.Parallel()
	g := serving(t, "5m", 2*time.Second)
	dsn := fmt.Sprintf("postgres://postgres:%s@%s/%s?sslmode=disable", g.postgres.Password, net.JoinHostPort(g.postgres.Host, g.postgres.Port), sampleDatabase)
	c, err := pgconn.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.WithoutCancel(t.Context()))
	const escape = "SELECT 1; COMMIT; CREATE TABLE escaped (a int)"
	if err := begin(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if err := simple(t.Context(), c, declare+escape); err != nil {
		t.Errorf("the simple protocol: %v", err)
	}
	if n := g.postgres.In(sampleDatabase, "SELECT count(*) FROM pg_class WHERE relname = 'escaped'"); n != "1" {
		t.Errorf("a superuser by the simple protocol did not escape (%s tables), so that this test shows nothing", n)
	}
	g.postgres.In(sampleDatabase, "DROP TABLE escaped")
	// As a superuser, so that the role is no help.
	for _, sql := range []string{escape, "COMMIT; CREATE TABLE escaped (a int)"} {
		if out, err := (statement{sql: sql}).read(t.Context(), c); err == nil || !strings.Contains(err.Error(), "42601") {
			t.Errorf("%s: %v %v", sql, out, err)
		}
	}
	// And READ ONLY holds by itself, also where the role could write and the grammar is
	// gone around by a function.
	g.postgres.In(sampleDatabase, "CREATE FUNCTION write_it() RETURNS int LANGUAGE plpgsql AS 'BEGIN SET TRANSACTION READ WRITE; CREATE TABLE escaped (a int); RETURN 1; END'")
	if _, err := (statement{sql: "SELECT write_it()"}).read(t.Context(), c); err == nil || !strings.Contains(err.Error(), "must be set before any query") {
		t.Errorf("a function: %v", err)
	}
	if n := g.postgres.In(sampleDatabase, "SELECT count(*) FROM pg_class WHERE relname = 'escaped'"); n != "0" {
		t.Error("a statement escaped")
	}
}

// A zero byte would end the text in the protocol.
func TestNoZeroByteReachesTheProtocol(t *testing.T) {
	t.Parallel()
	g := &tools{}
	for _, in := range []queryArgs{{SQL: "SELECT 1\x00"}, {SQL: "SELECT $1", Params: []param{"a\x00"}}} {
		if _, _, err := g.query(t.Context(), nil, in); err != errZero { //nolint:errorlint // the very one
			t.Errorf("%q: %v", in, err)
		}
	}
}
