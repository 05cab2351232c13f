package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/secrets"
)

// statements is how many run at the same time, for all callers, and patience how long one
// waits for its turn. The CONNECTION LIMIT of a role is twice that number: a connection
// that was closed here may live on for a moment there.
const (
	statements = 8
	patience   = 20 * time.Second
)

// A database is one PostgreSQL, which is read with whatever role a credential gives. It
// is safe for concurrent use.
type database struct {
	base  *pgxpool.Config // without a user and a password
	pools *secrets.Pool[*pgxpool.Pool]
	slots chan struct{} // one for each statement that runs
}

// openDatabase takes an address as "postgres://db.example.org:5432/shop?sslmode=verify-full".
// It connects to nothing yet: there is nobody to connect as. timeout bounds a statement.
func openDatabase(address string, timeout time.Duration) (*database, error) {
	if timeout < time.Millisecond {
		return nil, errors.New("the timeout of a statement is a millisecond at least")
	}
	base, err := pgxpool.ParseConfig(address)
	if err != nil {
		return nil, errors.New("-database is no address of the form postgres://db.example.org:5432/shop?sslmode=verify-full") // err may quote a password
	}
	c := base.ConnConfig
	switch {
	case c.Password != "":
		return nil, errors.New("-database, or what PostgreSQL's own variables add to it, has a password: the user and the password come from Vault")
	case c.Database == "":
		return nil, errors.New("-database names no database: give it as postgres://db.example.org:5432/shop?sslmode=verify-full")
	case !private(c):
		return nil, errors.New("-database is not on this machine, and the way to it is not encrypted to a server that is known: add sslmode=verify-full, and sslrootcert=FILE where its certificate is not one that this system trusts")
	}
	// All that a session begins with: nothing of it comes from the address or from
	// PostgreSQL's own variables.
	c.RuntimeParams = map[string]string{
		"application_name":                    "safemcp-postgres",
		"client_encoding":                     "UTF8",
		"default_transaction_read_only":       "on",
		"statement_timeout":                   milliseconds(timeout),
		"lock_timeout":                        milliseconds(min(timeout, time.Second)),
		"idle_in_transaction_session_timeout": milliseconds(2 * timeout),
	}
	c.ConnectTimeout = 5 * time.Second
	c.DefaultQueryExecMode, c.StatementCacheCapacity, c.DescriptionCacheCapacity = pgx.QueryExecModeExec, 0, 0 // nothing outlives DISCARD ALL
	base.MaxConns, base.MinConns, base.MinIdleConns = statements, 0, 0
	base.MaxConnIdleTime, base.MaxConnLifetime = time.Minute, 30*time.Minute
	d := &database{base: base, slots: make(chan struct{}, statements)}
	d.pools = secrets.NewPool(d.open, (*pgxpool.Pool).Close)
	return d, nil
}

func milliseconds(d time.Duration) string { return fmt.Sprintf("%dms", d.Milliseconds()) }

// private says that nobody on the way can read along or be the server, for each way that
// a connection may take: sslmode=prefer, for one, falls back to plain text.
func private(c *pgx.ConnConfig) bool {
	ways := []*pgconn.FallbackConfig{{Host: c.Host, Port: c.Port, TLSConfig: c.TLSConfig}}
	for _, way := range append(ways, c.Fallbacks...) {
		ip := net.ParseIP(way.Host)
		local := way.Host == "localhost" || filepath.IsAbs(way.Host) || (ip != nil && ip.IsLoopback())
		verified := way.TLSConfig != nil && !way.TLSConfig.InsecureSkipVerify && way.TLSConfig.ServerName != ""
		if !local && !verified {
			return false
		}
	}
	return true
}

// open makes the pool of one generation of a credential, and looks at the role before
// anything is done with it.
func (d *database) open(ctx context.Context, c *secrets.Credential) (*pgxpool.Pool, error) {
	if end := c.Expires(); !end.IsZero() && time.Now().After(end) {
		return nil, fmt.Errorf("%w: its lease has ended", secrets.ErrRejected)
	}
	config := d.base.Copy()
	for field, set := range map[string]*string{"username": &config.ConnConfig.User, "password": &config.ConnConfig.Password} {
		value, _ := c.Field(field)
		if err := value.Use(func(b []byte) error { *set = string(b); return nil }); err != nil {
			return nil, fmt.Errorf("the credential has no %s: %w", field, err)
		}
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	if err := checkRole(ctx, pool); err != nil {
		pool.Close()
		return nil, refusedRole(err)
	}
	return pool, nil
}

// inTurn lets a few calls run at the same time and has the others wait, before they are
// lent a role: the lease of one that is held by who waits would end unused. It is a
// safetool.Middleware.
func (d *database) inTurn(next safetool.Handler) safetool.Handler {
	return func(ctx context.Context, call *safetool.Call) (*safetool.Result, error) {
		timer := time.NewTimer(patience)
		defer timer.Stop()
		select {
		case d.slots <- struct{}{}:
			defer func() { <-d.slots }()
			return next(ctx, call)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-timer.C:
			return nil, &safetool.Problem{
				Code: safetool.CodeBusy, Category: safetool.CategoryServer, Retry: true,
				Message: "The database is busy with other statements. Nothing was done.", Hint: "Try again later.",
			}
		}
	}
}

// close ends every connection, within a while.
func (d *database) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return d.pools.Close(ctx)
}

// read runs one SELECT with the credential's role. Where the role has gone, the statement
// is run again with the one that takes its place.
func (d *database) read(ctx context.Context, c *secrets.Credential, s statement) (out *answer, err error) {
	for range 2 { // the second time where the new role's lease, too, ended just then
		err = d.pools.Do(ctx, c, func(ctx context.Context, pool *pgxpool.Pool) error {
			out, err = readFrom(ctx, pool, s)
			return refusedRole(err)
		})
		if !errors.Is(err, secrets.ErrRejected) {
			break
		}
	}
	return out, err
}

// readFrom reads through a connection of the pool. Those that lie idle in it may have been
// ended by the server meanwhile, all at once when it was restarted or the role revoked:
// then a new one says what is the matter.
func readFrom(ctx context.Context, pool *pgxpool.Pool, s statement) (*answer, error) {
	for again := false; ; again = true {
		connection, err := pool.Acquire(ctx)
		if err != nil {
			return nil, err
		}
		out, err := s.read(ctx, connection.Conn().PgConn())
		ended := connection.Conn().IsClosed()
		connection.Release() // one that is closed is not kept
		if err == nil || !ended || again || ctx.Err() != nil || errors.Is(err, errTooLarge) || errors.Is(err, errNoRole) {
			return out, err
		}
		pool.Reset()
	}
}

// errNoRole says that a session goes on whose role is not there any more.
var errNoRole = errors.New("the session's role is not there any more")

// refusedRole says of an error, with secrets.ErrRejected, that the credential is not taken
// any more: its role has gone, may not log in, or has another password. That a statement
// was interrupted by it does not matter: it has changed nothing.
func refusedRole(err error) error {
	var said *pgconn.PgError
	if errors.Is(err, errNoRole) || (errors.As(err, &said) && (said.Code == "28P01" || said.Code == "28000")) {
		return fmt.Errorf("%w: %w", secrets.ErrRejected, err)
	}
	return err
}
