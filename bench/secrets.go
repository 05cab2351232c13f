package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/safemcp/safemcp/secrets"
)

// oneValue is a provider that has one value for everything.
type oneValue struct{}

func (oneValue) Issue(_ context.Context, r secrets.Request) (*secrets.Credential, error) {
	return secrets.NewCredential(secrets.CredentialData{Binding: r.Binding, Version: "1", Value: secrets.NewSecret([]byte("a value for the benchmark"))})
}

func (oneValue) Renew(context.Context, *secrets.Credential) (*secrets.Credential, error) {
	return nil, secrets.ErrNotRenewable
}

func (oneValue) Revoke(context.Context, *secrets.Credential) error { return nil }

// bindings is how many credentials there are to choose from, so that neither side finds
// one by luck.
const bindings = 64

func requests() []secrets.Request {
	all := make([]secrets.Request, bindings)
	for i := range all {
		all[i] = secrets.Request{Server: "bench", Tool: fmt.Sprint("tool", i), Tenant: "acme", Caller: "ada", Binding: secrets.KV(fmt.Sprint("app/share", i), "key")}
	}
	return all
}

var errNoCredential = errors.New("no credential")

// acquired is what a call does to get a credential that is cached, and to give it back.
func acquired(goroutines int) func(context.Context) (*side, error) {
	return func(ctx context.Context) (*side, error) {
		broker, all := secrets.NewBroker(oneValue{}, nil), requests()
		for i := range all {
			if _, err := broker.Acquire(ctx, all[i]); err != nil {
				return nil, err
			}
		}
		return &side{
			do: func(n int) error {
				return together(goroutines, n, func(i int) error {
					c, err := broker.Acquire(ctx, all[i%bindings])
					if err != nil {
						return err
					}
					broker.Release(c)
					return nil
				})
			},
			close: func() error { return broker.Close(ctx) },
		}, nil
	}
}

// lockedMap is the least that a cache can be: a map behind a lock for readers, which
// knows of no end, no use and no renewal.
func lockedMap(context.Context) (*side, error) {
	var mu sync.RWMutex
	m, all := map[secrets.Request]*secrets.Credential{}, requests()
	for i := range all {
		c, err := oneValue{}.Issue(context.Background(), all[i])
		if err != nil {
			return nil, err
		}
		m[all[i]] = c
	}
	read := func(r secrets.Request) *secrets.Credential {
		mu.RLock()
		defer mu.RUnlock()
		return m[r]
	}
	return &side{
		do: func(n int) error {
			for i := range n {
				if read(all[i%bindings]) == nil {
					return errNoCredential
				}
			}
			return nil
		},
		close: func() error { return nil },
	}, nil
}

// together does n pieces of work on so many goroutines.
func together(goroutines, n int, work func(i int) error) error {
	if goroutines == 1 {
		for i := range n {
			if err := work(i); err != nil {
				return err
			}
		}
		return nil
	}
	failed := make([]error, goroutines)
	var group sync.WaitGroup
	for g := range goroutines {
		group.Go(func() {
			for i := range n / goroutines {
				if err := work(i); err != nil {
					failed[g] = err
					return
				}
			}
		})
	}
	group.Wait()
	return errors.Join(failed...)
}

// elapsed compares how long the same work takes by the clock, in interleaved slices: for
// what is about cores and not about the processor's time.
func elapsed(name string, goal float64, ours, theirs func(context.Context) (*side, error)) *comparison {
	c := &comparison{names: []string{name}, goals: []float64{goal}, ours: ours, theirs: theirs}
	c.measure = func(ctx context.Context, rounds int) (rows []row, err error) {
		var sides [2]*side
		for i, open := range []func(context.Context) (*side, error){ours, theirs} {
			if sides[i], err = open(ctx); err != nil {
				return nil, err
			}
			sides[i].usage = own
			defer func() { err = errors.Join(err, sides[i].close()) }()
		}
		n, err := sides[1].calibrate()
		if err != nil {
			return nil, err
		}
		var took [2][]float64
		var ratios []float64
		for range rounds {
			for i, s := range sides {
				begun := time.Now()
				if err := s.do(n); err != nil {
					return nil, err
				}
				took[i] = append(took[i], float64(time.Since(begun).Nanoseconds())/1000/float64(n))
			}
			last := len(took[0]) - 1
			ratios = append(ratios, took[0][last]/took[1][last])
		}
		return []row{{Name: name, Ours: median(took[0]), Theirs: median(took[1]), Unit: "µs/call", Ratio: median(ratios), Goal: goal}}, nil
	}
	return c
}
