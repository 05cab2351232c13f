-- In the database that is to be read, as its owner or a superuser.

-- The group whose members may read. Nobody logs in as it. Grant less where less is enough:
-- single tables, columns, or views.
CREATE ROLE mcp_reader NOLOGIN;
GRANT USAGE ON SCHEMA public TO mcp_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO mcp_reader;

-- The default before PostgreSQL 15 let everybody create tables and functions here.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;

-- Who Vault is. It is no superuser: it makes and drops members of the group, and ends their
-- sessions when a lease is revoked.
CREATE ROLE mcp_vault LOGIN CREATEROLE;
GRANT mcp_reader TO mcp_vault WITH ADMIN OPTION;
GRANT pg_signal_backend TO mcp_vault;
