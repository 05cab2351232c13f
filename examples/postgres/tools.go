package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/limit"
	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/secrets"
)

// tools are the handlers, which share a database.
type tools struct {
	database *database
	types    *pgtype.Map // only read: the names of types
}

// addTools declares what the server offers. Each call of each tool works under a role that
// Vault has made for that tool and that caller, for some minutes: PostgreSQL's own log then
// says who it was, and no caller sees or ends what another runs.
func addTools(server *safetool.Server, d *database, role string) {
	t := &tools{d, pgtype.NewMap()}
	policy := safetool.Policy{
		Risk: safetool.ReadOnly, AnyCaller: true,
		Secrets: map[string]secrets.Binding{"database": secrets.Database(role).PerCaller()},
		Limits:  limit.Limits{Timeout: 30 * time.Second, ResultBytes: 2 << 20},
	}
	safetool.AddTool(server, &mcp.Tool{Name: "list_tables", Description: "The tables and views that query can read."}, policy, t.list)
	safetool.AddTool(server, &mcp.Tool{Name: "describe_table", Description: "The columns of one table or view."}, policy, t.describe)
	safetool.AddTool(server, &mcp.Tool{Name: "query", Description: "Run one SELECT of PostgreSQL's, and read at most 200 rows. Nothing can be changed. Put values into params, not into the text."}, policy, t.query)
}

// run reads with the credential of the call.
func (t *tools) run(ctx context.Context, sql string, params ...string) (*answer, error) {
	c, err := safetool.CallFrom(ctx).Credential("database")
	if err != nil {
		return nil, err
	}
	return t.database.read(ctx, c, statement{sql, params})
}

type none struct{}

type tableList struct {
	Tables    []table `json:"tables"`
	Truncated bool    `json:"truncated,omitempty"`
}

type table struct {
	Name    string `json:"name"`
	Kind    string `json:"kind"`
	Comment string `json:"comment,omitempty"`
}

// readable are the relations that the role may read something of.
const readable = ` FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\_%'
	AND has_schema_privilege(n.oid, 'USAGE') AND (has_table_privilege(c.oid, 'SELECT') OR has_any_column_privilege(c.oid, 'SELECT'))`

func (t *tools) list(ctx context.Context, _ *mcp.CallToolRequest, _ none) (*mcp.CallToolResult, tableList, error) {
	got, err := t.run(ctx, `SELECT format('%I.%I', n.nspname, c.relname), CASE WHEN c.relkind IN ('v', 'm') THEN 'view' ELSE 'table' END,
		coalesce(obj_description(c.oid, 'pg_class'), '')`+readable+` ORDER BY 1`)
	if err != nil {
		return nil, tableList{}, err
	}
	out := tableList{Tables: []table{}, Truncated: got.truncated}
	for _, row := range got.rows {
		out.Tables = append(out.Tables, table{*row[0], *row[1], *row[2]})
	}
	return nil, out, nil
}

// describeArgs: which names there are is known only to the role of a call, so they are no
// allowlist of the arguments; the name is a value of the statement and never part of it.
type describeArgs struct {
	Name string `json:"name" validate:"required,min=1,max=200" jsonschema:"as list_tables gives it, with its schema"`
}

type description struct {
	Columns   []columnInfo `json:"columns"`
	Truncated bool         `json:"truncated,omitempty"`
}

type columnInfo struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Nullable bool   `json:"nullable"`
	Comment  string `json:"comment,omitempty"`
}

var errNoTable = safetool.Say("There is no table of that name that can be read; list_tables gives the names.")

func (t *tools) describe(ctx context.Context, _ *mcp.CallToolRequest, in describeArgs) (*mcp.CallToolResult, description, error) {
	if strings.ContainsRune(in.Name, 0) {
		return nil, description{}, errNoTable
	}
	got, err := t.run(ctx, `SELECT a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull, coalesce(col_description(a.attrelid, a.attnum), '')
		FROM pg_attribute a WHERE a.attnum > 0 AND NOT a.attisdropped AND has_column_privilege(a.attrelid, a.attnum, 'SELECT')
		AND a.attrelid = (SELECT c.oid`+readable+` AND format('%I.%I', n.nspname, c.relname) = $1) ORDER BY a.attnum`, in.Name)
	if err != nil {
		return nil, description{}, err
	}
	if len(got.rows) == 0 {
		return nil, description{}, errNoTable
	}
	out := description{Truncated: got.truncated}
	for _, row := range got.rows {
		out.Columns = append(out.Columns, columnInfo{*row[0], *row[1], *row[2] == "t", *row[3]})
	}
	return nil, out, nil
}

type queryArgs struct {
	SQL    string  `json:"sql"              validate:"required,min=1,max=4000" jsonschema:"one SELECT, with $1, $2, … for values"`
	Params []param `json:"params,omitempty" validate:"omitempty,max=20"        jsonschema:"the values of $1, $2, …: strings or numbers"`
}

// A param is a string or a number as it was written, so that 9007199254740993 stays what
// it is.
type param string

const longestParam = 2000 // bytes

// UnmarshalJSON implements [json.Unmarshaler].
func (p *param) UnmarshalJSON(raw []byte) error {
	text := string(raw)
	switch {
	case raw[0] == '"':
		if err := json.Unmarshal(raw, &text); err != nil {
			return err
		}
	case raw[0] != '-' && (raw[0] < '0' || raw[0] > '9'):
		return errors.New("a param is a string or a number")
	}
	if len(text) > longestParam {
		return errors.New("a param is too long")
	}
	*p = param(text)
	return nil
}

type rows struct {
	Columns   []column `json:"columns"`
	Rows      [][]any  `json:"rows"`
	Truncated bool     `json:"truncated,omitempty" jsonschema:"there are more rows than these"`
}

type column struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// errZero: the protocol ends a text at a zero byte, and what is behind it would be read as
// something else.
var errZero = safetool.Say("The statement or one of its params holds a zero byte, which PostgreSQL does not take.")

func (t *tools) query(ctx context.Context, _ *mcp.CallToolRequest, in queryArgs) (*mcp.CallToolResult, rows, error) {
	params := make([]string, len(in.Params))
	for i, p := range in.Params {
		params[i] = string(p)
	}
	if strings.ContainsRune(in.SQL, 0) || strings.ContainsRune(strings.Join(params, ""), 0) {
		return nil, rows{}, errZero
	}
	got, err := t.run(ctx, in.SQL, params...)
	if err != nil {
		return nil, rows{}, err
	}
	out := rows{Columns: []column{}, Rows: [][]any{}, Truncated: got.truncated}
	for _, c := range got.columns {
		out.Columns = append(out.Columns, column{c.Name, t.typeName(c.DataTypeOID)})
	}
	for _, row := range got.rows {
		values := make([]any, len(row))
		for i, v := range row {
			values[i] = value(v, got.columns[i].DataTypeOID)
		}
		out.Rows = append(out.Rows, values)
	}
	return nil, out, nil
}

func (t *tools) typeName(oid uint32) string {
	if known, ok := t.types.TypeForOID(oid); ok {
		return known.Name
	}
	return "other"
}

// value is a value as JSON has it: small whole numbers and booleans as themselves, and the
// rest as PostgreSQL writes it, since a float64 would round what is numeric or long.
func value(text *string, oid uint32) any {
	switch {
	case text == nil:
		return nil
	case oid == pgtype.Int2OID, oid == pgtype.Int4OID:
		return json.Number(*text)
	case oid == pgtype.BoolOID:
		return *text == "t"
	}
	return *text
}
