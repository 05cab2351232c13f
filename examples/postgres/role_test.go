//go:build unix

package main

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/safemcp/safemcp/internal/postgrestest"
	"github.com/safemcp/safemcp/secrets"
)

// roleCredential is a user and a password as a broker would lend them.
func roleCredential(t *testing.T, name, password string) *secrets.Credential {
	t.Helper()
	c, err := secrets.NewCredential(secrets.CredentialData{
		Binding: secrets.Database("mcp-readonly"),
		Fields:  map[string]secrets.Secret{"username": secrets.NewSecret([]byte(name)), "password": secrets.NewSecret([]byte(password))},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A role that may do more than SELECT is not used, whatever else would hold it back.
func TestNoRoleThatMayDoMoreThanReadIsUsed(t *testing.T) {
	t.Parallel()
	p := postgrestest.Start(t)
	p.Run(sampleSQL)
	p.Run("CREATE SEQUENCE numbers; CREATE EXTENSION pgcrypto; CREATE EXTENSION dblink; REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC")
	p.Run("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO PUBLIC")
	p.Run(`DO $$ DECLARE f regprocedure; BEGIN FOR f IN SELECT oid FROM pg_proc WHERE proname LIKE 'dblink%' LOOP EXECUTE 'REVOKE EXECUTE ON FUNCTION ' || f || ' FROM PUBLIC'; END LOOP; END $$`)
	address := "postgres://" + net.JoinHostPort(p.Host, p.Port) + "/postgres?sslmode=disable"
	d, err := openDatabase(address, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	for i, c := range []struct{ with, says string }{
		{"", ""},
		{"GRANT SELECT ON ALL TABLES IN SCHEMA public TO %s; GRANT SELECT ON numbers TO %[1]s; GRANT USAGE ON SCHEMA public TO %[1]s", ""},
		{"GRANT SELECT (title) ON books TO %s", ""},
		{"ALTER ROLE %s SUPERUSER", "it is a superuser"},
		{"ALTER ROLE %s CREATEROLE", "it may create roles"},
		{"ALTER ROLE %s CREATEDB", "it may create databases"},
		{"ALTER ROLE %s REPLICATION", "it may replicate"},
		{"ALTER ROLE %s BYPASSRLS", "it goes around row level security"},
		{"GRANT pg_read_server_files TO %s", "it is a member of pg_read_server_files"},
		{"GRANT pg_execute_server_program TO %s", "it is a member of pg_execute_server_program"},
		{"GRANT pg_read_all_data TO %s", "it is a member of pg_read_all_data"},
		{"GRANT postgres TO %s", "it is a member of postgres"},
		{"GRANT INSERT ON books TO %s", "it may write to books"},
		{"GRANT UPDATE (title) ON books TO %s", "it may write to books"},
		{"GRANT TRUNCATE ON loans TO %s", "it may write to loans"},
		{"GRANT DELETE ON overdue TO %s", "it may write to overdue"},
		{"GRANT USAGE ON SEQUENCE numbers TO %s", "it may write to numbers"},
		{"ALTER TABLE loans OWNER TO %s", "it may write to loans"},
		{"GRANT CREATE ON SCHEMA public TO %s", "it may create in the schema public"},
		{"GRANT CREATE ON DATABASE postgres TO %s", "it may create schemas"},
		{"GRANT EXECUTE ON FUNCTION pg_read_file(text) TO %s", "it may call pg_read_file(text)"},
		{"GRANT EXECUTE ON FUNCTION lo_export(oid, text) TO %s", "it may call lo_export(oid,text)"},
		{"GRANT EXECUTE ON FUNCTION dblink(text, text) TO %s", "it may call dblink(text,text)"},
		// What everybody may is what the role may.
		{"GRANT EXECUTE ON FUNCTION pg_ls_dir(text) TO PUBLIC", "it may call pg_ls_dir(text)"},
	} {
		name := fmt.Sprintf("role_%d", i)
		p.Run("CREATE ROLE " + name + " LOGIN PASSWORD 'a-password-of-a-role'")
		if strings.Contains(c.with, "%") {
			c.with = fmt.Sprintf(c.with, name)
		}
		if c.with != "" {
			p.Run(c.with)
		}
		out, err := d.read(t.Context(), roleCredential(t, name, "a-password-of-a-role"), statement{sql: "SELECT 1"})
		switch {
		case c.says == "" && err != nil:
			t.Errorf("%s: %v", c.with, err)
		case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)):
			t.Errorf("%s: %v, %v", c.with, out, err)
		case c.says != "":
			if problem := explain(err); problem == nil || strings.Contains(problem.Message+problem.Hint, c.says) || problem.Retry {
				t.Errorf("%s: the caller reads %+v", c.with, problem)
			}
		}
	}
}

// Nothing that could send a password to somebody else, or in the clear, is an address.
func TestNoAddressIsTakenThatOthersCouldReadOrBe(t *testing.T) {
	for address, ok := range map[string]bool{
		"postgres://db.example.org:5432/shop?sslmode=verify-full":                           true,
		"postgres://127.0.0.1:5432/shop?sslmode=disable":                                    true,
		"postgres://localhost/shop":                                                         true,
		"host=/var/run/postgresql dbname=shop":                                              true,
		"postgres://db.example.org/shop":                                                    false,
		"postgres://db.example.org/shop?sslmode=disable":                                    false,
		"postgres://db.example.org/shop?sslmode=allow":                                      false,
		"postgres://db.example.org/shop?sslmode=prefer":                                     false,
		"postgres://db.example.org/shop?sslmode=require":                                    false,
		"postgres://db.example.org/shop?sslmode=verify-ca":                                  false,
		"postgres://localhost,db.example.org/shop?sslmode=prefer":                           false,
		"postgres://db.example.org,localhost/shop?sslmode=disable":                          false,
		"postgres://reader:a-password@127.0.0.1/shop":                                       false,
		"postgres://127.0.0.1/?sslmode=disable":                                             false,
		"":                                                                                  false,
		"mysql://127.0.0.1/shop":                                                            false,
		"postgres://127.0.0.1/shop?default_transaction_read_only=off&options=-c%20role%3Dx": true, // and has no effect
	} {
		d, err := openDatabase(address, time.Second)
		if (err == nil) != ok {
			t.Errorf("%s: %v", address, err)
		}
		if err != nil {
			if strings.Contains(err.Error(), "a-password") {
				t.Errorf("%s: the error shows the password: %v", address, err)
			}
			continue
		}
		parameters := d.base.ConnConfig.RuntimeParams
		if parameters["default_transaction_read_only"] != "on" || parameters["statement_timeout"] != "1000ms" || parameters["options"] != "" {
			t.Errorf("%s: a session begins with %v", address, parameters)
		}
	}
	if _, err := openDatabase("postgres://127.0.0.1/shop", 0); err == nil {
		t.Error("a statement may take for ever")
	}
}

// What PostgreSQL's own variables say does not change as whom, or how, it is connected.
func TestNoVariableOfTheEnvironmentChangesTheSession(t *testing.T) {
	t.Setenv("PGOPTIONS", "-c default_transaction_read_only=off")
	t.Setenv("PGAPPNAME", "another")
	t.Setenv("PGUSER", "another")
	d, err := openDatabase("postgres://127.0.0.1/shop?sslmode=disable", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if p := d.base.ConnConfig.RuntimeParams; p["options"] != "" || p["application_name"] != "safemcp-postgres" {
		t.Errorf("a session begins with %v", p)
	}
	t.Setenv("PGPASSWORD", "a-password")
	if _, err := openDatabase("postgres://127.0.0.1/shop?sslmode=disable", time.Second); err == nil {
		t.Error("a password from the environment is taken")
	}
	t.Setenv("PGPASSWORD", "")
	t.Setenv("PGSSLMODE", "prefer")
	if _, err := openDatabase("postgres://db.example.org/shop", time.Second); err == nil {
		t.Error("a connection that may fall back to plain text is taken")
	}
}

// A database that is not there is said to be so, and nothing of where it would be.
func TestADatabaseThatIsNotThereIsSaidPlainly(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	d, err := openDatabase("postgres://"+address+"/shop?sslmode=disable", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	_, err = d.read(context.WithoutCancel(t.Context()), roleCredential(t, "somebody", "a-password-of-a-role"), statement{sql: "SELECT 1"})
	problem := explain(err)
	if err == nil || problem == nil || !problem.Retry || strings.Contains(problem.Message+problem.Hint, "127.0.0.1") || strings.Contains(err.Error(), "a-password") {
		t.Errorf("%v: %+v", err, problem)
	}
}
