package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// Bounds of an answer.
const (
	mostRows  = 200
	mostBytes = 256 << 10 // of values
)

// declare stands before every statement.
const declare = "DECLARE answer NO SCROLL CURSOR FOR "

// A statement is one SELECT and the values of its parameters.
type statement struct {
	sql    string
	params []string
}

// An answer is what a statement gave, as text. What is nil is NULL.
type answer struct {
	columns   []pgconn.FieldDescription
	rows      [][]*string
	truncated bool // there is more
}

// Errors of a statement that are not PostgreSQL's.
var errTooLarge = errors.New("the first row, or what is said of it, has more bytes than an answer may have")

// A wrongCount says that a statement has another number of parameters than were given.
type wrongCount struct{ has, given int }

func (w *wrongCount) Error() string {
	return fmt.Sprintf("the statement has %d parameters, and %d were given", w.has, w.given)
}

// A failed is PostgreSQL's word on what the caller wrote. On what is ours it has no such
// type, and the caller reads nothing of it.
type failed struct{ *pgconn.PgError }

func (f *failed) Error() string { return shortened(f.PgError.Error()) }
func (f *failed) Unwrap() error { return f.PgError }

// read runs the statement in a transaction of its own that is rolled back, and leaves the
// session as it was, or closes it. What keeps the statement from doing anything else, each
// on its own:
//
//   - The role may SELECT, and nothing else.
//   - The statement is the end of a DECLARE CURSOR, in which the grammar of PostgreSQL
//     allows a SELECT, VALUES or TABLE, also behind WITH, and no COMMIT, SET, DO, COPY or
//     anything that writes.
//   - It is parsed by the extended protocol, which takes one statement and refuses a
//     second: "COMMIT; DROP TABLE …" is how read-only servers were escaped.
//   - The transaction is READ ONLY, which cannot be changed after its first query, and that
//     one is ours.
//   - It is rolled back whatever happens: what a function may do in spite of all this, such
//     as to write large objects before PostgreSQL 16, is undone.
//   - Locks and settings of the session are discarded afterwards.
func (s statement) read(ctx context.Context, c *pgconn.PgConn) (out *answer, err error) {
	defer func() {
		if rerr := restore(ctx, c); err == nil && rerr != nil {
			err = rerr
		}
	}()
	// A message is put into memory whole before anything can be counted: a row, and an
	// error too, which may quote a value of any length.
	c.Frontend().SetMaxBodyLen(mostBytes + 64<<10)
	if err := begin(ctx, c); err != nil {
		return nil, err
	}
	out, err = s.fetch(ctx, c)
	if _, long := errors.AsType[*pgproto3.ExceededMaxBodyLenErr](err); long {
		return nil, errTooLarge
	}
	var said *pgconn.PgError
	if !errors.As(err, &said) || c.IsClosed() {
		return out, err
	}
	// A role that was dropped in between is denied what it was granted: that is no
	// fault of the statement. PostgreSQL lets its sessions live on.
	if gone := begin(ctx, c); gone != nil {
		return nil, gone
	}
	return nil, &failed{said}
}

// begin begins a transaction, and asks what can be asked only of a role that is there.
func begin(ctx context.Context, c *pgconn.PgConn) error {
	sql := "BEGIN READ ONLY ISOLATION LEVEL REPEATABLE READ; SELECT current_user"
	if c.TxStatus() != 'I' {
		sql = "ROLLBACK; " + sql
	}
	err := simple(ctx, c, sql)
	var said *pgconn.PgError
	if errors.As(err, &said) && said.Code == "42704" {
		return fmt.Errorf("%w: %w", errNoRole, err)
	}
	return err
}

// restore makes the session what it was. Where that cannot be done it is closed.
func restore(ctx context.Context, c *pgconn.PgConn) error {
	if c.IsClosed() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	err := simple(ctx, c, "ROLLBACK")
	if err == nil {
		err = simple(ctx, c, "DISCARD ALL") // by itself: not within a transaction
	}
	if err != nil {
		_ = c.Close(ctx)
	}
	return err
}

// simple runs statements of ours, which hold nothing of a caller's, in one round trip.
func simple(ctx context.Context, c *pgconn.PgConn, sql string) error {
	return c.Exec(ctx, sql).Close()
}

// fetch declares the cursor and reads what it gives, one row more than is answered.
func (s statement) fetch(ctx context.Context, c *pgconn.PgConn) (*answer, error) {
	prepared, err := c.Prepare(ctx, "", declare+s.sql, nil)
	if err != nil {
		return nil, err
	}
	if len(prepared.ParamOIDs) != len(s.params) {
		return nil, &wrongCount{len(prepared.ParamOIDs), len(s.params)}
	}
	values := make([][]byte, len(s.params))
	for i, p := range s.params {
		values[i] = []byte(p) // in text: PostgreSQL reads it as the type that the statement wants
	}
	if _, err := c.ExecPrepared(ctx, "", values, nil, nil).Close(); err != nil {
		return nil, err
	}
	// Who stops reading has to end the connection: the rest would have to be read first.
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	rows := c.ExecParams(ctx, fmt.Sprintf("FETCH FORWARD %d FROM answer", mostRows+1), nil, nil, nil, nil)
	out := &answer{}
	size := 0
	for rows.NextRow() {
		row, bytes := copied(rows.Values())
		if size += bytes; size > mostBytes {
			out.truncated = true
			stop()
			break
		}
		if len(out.rows) == mostRows {
			out.truncated = true
			continue
		}
		out.rows = append(out.rows, row)
	}
	out.columns = append(out.columns, rows.FieldDescriptions()...)
	_, err = rows.Close()
	var long *pgproto3.ExceededMaxBodyLenErr
	switch {
	case errors.As(err, &long), size > mostBytes:
		out.truncated = true
		if len(out.rows) == 0 {
			return nil, errTooLarge
		}
		return out, nil
	case err != nil:
		return nil, err
	}
	return out, nil
}

// copied returns the values of a row, which are the connection's, and their bytes.
func copied(values [][]byte) (row []*string, bytes int) {
	row = make([]*string, len(values))
	for i, v := range values {
		if v != nil {
			text := string(v)
			row[i] = &text
		}
		bytes += len(v) + 1
	}
	return row, bytes
}
