package main

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
)

// tooMuch asks what a role may do beyond reading, of which there should be nothing: a
// statement of Vault's configuration is easily written too wide, and every guard of this
// program would then stand alone.
//
// That a function outside of pg_catalog is written in an untrusted language, such as C,
// means that it can do whatever the server's process can: dblink's connect to anywhere.
// Those of extensions that PostgreSQL calls trusted are taken.
const tooMuch = `
SELECT coalesce(string_agg(DISTINCT what, '; '), '') FROM (
	SELECT unnest(ARRAY[
		CASE WHEN rolsuper THEN 'it is a superuser' END, CASE WHEN rolcreaterole THEN 'it may create roles' END,
		CASE WHEN rolcreatedb THEN 'it may create databases' END, CASE WHEN rolreplication THEN 'it may replicate' END,
		CASE WHEN rolbypassrls THEN 'it goes around row level security' END]) AS what
	FROM pg_roles WHERE rolname = current_user
	UNION ALL
	SELECT 'it is a member of ' || rolname FROM pg_roles
	WHERE rolname <> current_user AND (rolsuper OR rolcreaterole OR rolname LIKE 'pg\_%') AND pg_has_role(oid, 'MEMBER')
	UNION ALL
	SELECT 'it may write to ' || c.oid::regclass FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\_%' AND CASE
		WHEN c.relkind = 'S' THEN has_sequence_privilege(c.oid, 'USAGE,UPDATE')
		WHEN c.relkind IN ('r', 'p', 'v', 'm', 'f') THEN
			has_table_privilege(c.oid, 'INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER') OR has_any_column_privilege(c.oid, 'INSERT,UPDATE,REFERENCES')
		ELSE false END
	UNION ALL
	SELECT 'it may create in the schema ' || nspname FROM pg_namespace
	WHERE nspname NOT LIKE 'pg\_%' AND has_schema_privilege(oid, 'CREATE')
	UNION ALL
	SELECT 'it may create schemas' WHERE has_database_privilege(current_database(), 'CREATE')
	UNION ALL
	SELECT 'it may call ' || p.oid::regprocedure FROM pg_proc p JOIN pg_init_privs i ON i.objoid = p.oid AND i.classoid = 'pg_proc'::regclass AND i.objsubid = 0
	WHERE p.pronamespace = 'pg_catalog'::regnamespace AND has_function_privilege(p.oid, 'EXECUTE')
		AND NOT EXISTS (SELECT FROM aclexplode(i.initprivs) a WHERE a.grantee = 0)
	UNION ALL
	SELECT 'it may call ' || p.oid::regprocedure FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
	WHERE NOT l.lanpltrusted AND p.pronamespace <> 'pg_catalog'::regnamespace AND has_function_privilege(p.oid, 'EXECUTE')
		AND NOT EXISTS (
			SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
			JOIN pg_available_extension_versions v ON v.name = e.extname AND v.version = e.extversion AND v.trusted
			WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e')
) AS all_of_it WHERE what IS NOT NULL`

// A tooPowerful is why a role is not used. It is for those who run the server.
type tooPowerful struct{ what string }

func (t *tooPowerful) Error() string {
	const most = 1000
	return "the role from Vault may do more than SELECT, so it is not used: " + t.what[:min(len(t.what), most)]
}

// checkRole refuses a role that may do more than read.
func checkRole(ctx context.Context, pool *pgxpool.Pool) error {
	var what string
	if err := pool.QueryRow(ctx, tooMuch).Scan(&what); err != nil {
		return fmt.Errorf("looking at the role: %w", err)
	}
	if what != "" {
		return &tooPowerful{what}
	}
	return nil
}
