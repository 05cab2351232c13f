//go:build unix

package main

import (
	_ "embed"
	"net"
	"net/url"

	"github.com/safemcp/safemcp/internal/harness"
	"github.com/safemcp/safemcp/internal/postgrestest"
	"github.com/safemcp/safemcp/internal/vaulttest"
)

// What README.md hands to psql and to vault.
var (
	//go:embed setup/grants.sql
	grantsSQL string
	//go:embed setup/creation.sql
	creationSQL string
	//go:embed setup/revocation.sql
	revocationSQL string
	//go:embed setup/server.hcl
	serverPolicy string
	//go:embed setup/tool.hcl
	toolPolicy string
	//go:embed setup/sample.sql
	sampleSQL string
)

// A stage is a PostgreSQL and a Vault of one's own, set up as README.md says.
type stage struct {
	postgres *postgrestest.Server
	vault    *vaulttest.Server
	address  string // of the database, for -database
	roleID   string // of the AppRole
	secretID string
}

const (
	sampleDatabase = "library"
	vaultRole      = "mcp-readonly"
	toolPolicyName = "mcp-postgres-tool"
)

// setStage starts both. lease is how long a database user lives, as "5m".
func setStage(t harness.T, vaultProgram, lease string) *stage {
	t.Helper()
	s := &stage{postgres: postgrestest.Start(t)}
	host := net.JoinHostPort(s.postgres.Host, s.postgres.Port)
	s.address = (&url.URL{Scheme: "postgres", Host: host, Path: "/" + sampleDatabase, RawQuery: "sslmode=disable"}).String()
	s.postgres.Run("CREATE DATABASE " + sampleDatabase)
	s.postgres.In(sampleDatabase, sampleSQL)
	s.postgres.In(sampleDatabase, grantsSQL)
	const first = "until-vault-has-changed-it"
	s.postgres.Run("ALTER ROLE mcp_vault PASSWORD '" + first + "'")

	s.vault = vaulttest.StartProgram(t, vaultProgram)
	write := s.vault.Write
	write("sys/mounts/database", map[string]any{"type": "database"})
	write("database/config/"+sampleDatabase, map[string]any{
		"plugin_name": "postgresql-database-plugin", "allowed_roles": vaultRole, "username": "mcp_vault", "password": first,
		"connection_url": "postgresql://{{username}}:{{password}}@" + host + "/" + sampleDatabase + "?sslmode=disable",
		// Else the log of PostgreSQL would have the passwords of users that are made.
		"password_authentication": "scram-sha-256",
	})
	write("database/rotate-root/"+sampleDatabase, nil)
	write("database/roles/"+vaultRole, map[string]any{
		"db_name": sampleDatabase, "default_ttl": lease, "max_ttl": lease,
		"creation_statements": creationSQL, "revocation_statements": revocationSQL,
	})
	write("sys/policies/acl/mcp-postgres", map[string]any{"policy": serverPolicy})
	write("sys/policies/acl/"+toolPolicyName, map[string]any{"policy": toolPolicy})
	write("sys/auth/approle", map[string]any{"type": "approle"})
	write("auth/approle/role/mcp-postgres", map[string]any{"token_policies": "mcp-postgres," + toolPolicyName, "token_ttl": "20m"})
	s.roleID = field(s.vault.Read("auth/approle/role/mcp-postgres/role-id"), "role_id")
	s.secretID = field(write("auth/approle/role/mcp-postgres/secret-id", nil), "secret_id")
	return s
}

// field is one of the data of an answer of Vault's.
func field(answer map[string]any, name string) string {
	data, _ := answer["data"].(map[string]any)
	text, _ := data[name].(string)
	return text
}
