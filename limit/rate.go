package limit

import (
	"context"
	"sync"
	"time"
)

// A Rate bounds how often something may happen: Count times in Per, all of which may
// come at once. The zero Rate is none; see [Limits.Or].
type Rate struct {
	Count int
	Per   time.Duration
}

// set says whether the rate says anything.
func (r Rate) set() bool { return r.Count > 0 && r.Per > 0 }

// wrong says whether the rate is neither none nor one that can be kept.
func (r Rate) wrong() bool { return r != (Rate{}) && !r.set() }

// A Limiter counts events under keys. [Buckets] counts in this process; one over a
// store that several replicas share implements the same. It is safe for concurrent
// use.
type Limiter interface {
	// Take counts an event under key, unless that would exceed the rate: then it
	// counts nothing and returns how long it is until it would not. An error says
	// that nobody knows; the event is then refused.
	Take(ctx context.Context, key string, rate Rate) (wait time.Duration, err error)
}

// Bounds of Buckets.
const (
	mostKeys   = 100_000 // beyond it new keys share one bucket: about 10 MB
	firstSweep = 1024
)

// Buckets is a [Limiter] in this process. It keeps one time for each key, the one at
// which its events so far will have been paid off (the generic cell rate algorithm,
// ITU-T I.371), and none for a key that owes nothing. The zero value is ready.
type Buckets struct {
	mu   sync.Mutex
	paid map[string]time.Time
	next int // how many keys there are when those that owe nothing are removed

	now func() time.Time // nil is time.Now
}

// Take implements [Limiter]. It never fails and never blocks.
func (b *Buckets) Take(_ context.Context, key string, rate Rate) (time.Duration, error) {
	if !rate.set() {
		return 0, nil
	}
	now := time.Now()
	if b.now != nil {
		now = b.now()
	}
	each := max(rate.Per/time.Duration(rate.Count), 1)
	b.mu.Lock()
	defer b.mu.Unlock()
	paid, known := b.paid[key]
	if !known && len(b.paid) >= max(b.next, firstSweep) {
		b.sweep(now)
		if len(b.paid) >= mostKeys {
			key = "" // whoever makes up keys gets no more than one bucket for all of them
			paid = b.paid[key]
		}
	}
	if paid.Before(now) {
		paid = now
	}
	paid = paid.Add(each)
	if wait := paid.Sub(now) - rate.Per; wait > 0 {
		return wait, nil
	}
	if b.paid == nil {
		b.paid = make(map[string]time.Time)
	}
	b.paid[key] = paid
	return 0, nil
}

// sweep removes the keys that owe nothing.
func (b *Buckets) sweep(now time.Time) {
	for key, paid := range b.paid {
		if !paid.After(now) {
			delete(b.paid, key)
		}
	}
	b.next = min(2*len(b.paid), mostKeys)
}
