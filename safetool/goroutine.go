package safetool

import "time"

// What runs code of the program's so that nothing it does ends the goroutine that has
// to answer.

// shielded turns a panic of f into an error.
func shielded[T any](f func() (T, error)) (res T, err error) {
	defer func() {
		if r := recover(); r != nil {
			var none T
			res, err = none, recovered(r)
		}
	}()
	return f()
}

// apart runs f on a goroutine of its own and waits for it. A panic of f, and the end of
// its goroutine, are errors.
func apart[T any](f func() (T, error)) (T, error) { return apartFor(0, f) }

// apartFor is apart that waits for a while at most, unless that is zero. What f does
// afterwards goes to nobody.
func apartFor[T any](most time.Duration, f func() (T, error)) (T, error) {
	type returned struct {
		res T
		err error
	}
	done := make(chan returned, 1)
	go func() {
		r := returned{err: errGoexit}
		defer func() { done <- r }() // by itself: whatever ends the goroutine
		r.res, r.err = shielded(f)
	}()
	var over <-chan time.Time
	if most > 0 {
		over = time.After(most)
	}
	select {
	case r := <-done:
		return r.res, r.err
	case <-over:
		var none T
		return none, errUnsettled
	}
}

// room is what the stack of a pass grows to at once. It would get there in steps, each
// of which copies what the stack holds by then: a quarter of what a pass takes.
const room = 6 << 10

// makeRoom grows the stack of a goroutine that has just begun.
//
//go:noinline
func makeRoom() {
	var frame [room]byte
	touch(&frame)
}

//go:noinline
func touch(*[room]byte) {}
