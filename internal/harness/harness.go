// Package harness lets a program use what is written for tests: the helpers that start a
// Vault and a PostgreSQL take a [T], which a *testing.T is, and so is a [Stage].
package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// T is the part of testing.TB that the helpers use.
type T interface {
	Helper()
	// Fatal and Fatalf do not return.
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
	// Cleanup has f called at the end, the last one first.
	Cleanup(f func())
	// TempDir is removed at the end.
	TempDir() string
	// Context ends before what Cleanup was given is called.
	Context() context.Context
}

// A Stage is a T without a test. It is for one goroutine, that of [Run].
type Stage struct {
	ctx      context.Context //nolint:containedctx // as a test has one
	cleanups []func()
	errs     []error
}

// stopped is what Fatal panics with: it says that it does not return.
type stopped struct{}

// Run calls f, then what f gave to Cleanup, and returns what went wrong: what f returned,
// what was said with Fatal or Errorf, and whatever could not be removed.
func Run(ctx context.Context, f func(*Stage) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &Stage{ctx: ctx}
	s.try(func() {
		if err := f(s); err != nil {
			s.errs = append(s.errs, err)
		}
	})
	cancel()
	for len(s.cleanups) > 0 {
		last := len(s.cleanups) - 1
		next := s.cleanups[last]
		s.cleanups = s.cleanups[:last]
		s.try(next)
	}
	return errors.Join(s.errs...)
}

// try calls f, which Fatal may end. Any other panic becomes an error too, or nothing of
// what was started would be ended.
func (s *Stage) try(f func()) {
	defer func() {
		switch v := recover().(type) {
		case nil, stopped:
		default:
			s.errs = append(s.errs, fmt.Errorf("panic: %v", v))
		}
	}()
	f()
}

// Helper does nothing.
func (*Stage) Helper() {}

// Fatal ends what Run was given, with these words.
func (s *Stage) Fatal(args ...any) {
	s.errs = append(s.errs, errors.New(fmt.Sprint(args...)))
	panic(stopped{})
}

// Fatalf is Fatal with a format.
func (s *Stage) Fatalf(format string, args ...any) { s.Fatal(fmt.Sprintf(format, args...)) }

// Errorf has Run return these words, and goes on.
func (s *Stage) Errorf(format string, args ...any) {
	s.errs = append(s.errs, fmt.Errorf(format, args...))
}

// Cleanup implements [T].
func (s *Stage) Cleanup(f func()) { s.cleanups = append(s.cleanups, f) }

// TempDir implements [T].
func (s *Stage) TempDir() string {
	dir, err := os.MkdirTemp("", "safemcp-")
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			s.Errorf("%w", err)
		}
	})
	return dir
}

// Context implements [T].
func (s *Stage) Context() context.Context { return s.ctx }
