//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/safemcp/safemcp/internal/postgrestest"
	"github.com/safemcp/safemcp/safetool"
)

// A value that is too long is not read into memory before it is found to be. Alone: it
// looks at what is allocated.
func TestNoLongValueIsReadIntoMemory(t *testing.T) {
	p := postgrestest.Start(t)
	address := fmt.Sprintf("postgres://postgres:%s@%s/postgres?sslmode=disable", p.Password, net.JoinHostPort(p.Host, p.Port))
	const long = 64 << 20
	var before, after runtime.MemStats
	for _, sql := range []string{"SELECT repeat('x', %d)", "SELECT repeat('x', %d)::int"} { // a row, and an error that quotes it
		c, err := pgconn.Connect(t.Context(), address)
		if err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&before)
		_, err = statement{sql: fmt.Sprintf(sql, long)}.read(t.Context(), c)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, errTooLarge) || !c.IsClosed() {
			t.Errorf("%s: %v; closed: %v", sql, err, c.IsClosed())
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > long/4 {
			t.Errorf("%s: %d bytes were allocated for a value that is not answered", sql, n)
		}
		<-c.CleanupDone()
	}
}

// However many call, a few have a role at a time; who leaves does not wait on.
func TestNoMoreStatementsRunThanThereAreTurns(t *testing.T) {
	t.Parallel()
	d, err := openDatabase("postgres://127.0.0.1/shop?sslmode=disable", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	var now, most, served atomic.Int64
	var filled sync.Once
	full, leave := make(chan struct{}), make(chan struct{})
	handler := d.inTurn(func(context.Context, *safetool.Call) (*safetool.Result, error) {
		n := now.Add(1)
		defer now.Add(-1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		if n == statements {
			filled.Do(func() { close(full) })
		}
		<-leave
		served.Add(1)
		return nil, nil
	})
	var callers sync.WaitGroup
	for range statements { // they fill it
		callers.Go(func() { _, _ = handler(t.Context(), nil) })
	}
	<-full
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := handler(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("who has left was answered with %v", err)
	}
	for range 5 * statements {
		callers.Go(func() { _, _ = handler(t.Context(), nil) })
	}
	close(leave)
	callers.Wait()
	if most.Load() > statements || served.Load() != 6*statements {
		t.Errorf("%d at the same time, %d served", most.Load(), served.Load())
	}
}
