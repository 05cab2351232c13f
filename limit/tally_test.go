package limit_test

import (
	"context"
	"testing"

	"github.com/safemcp/safemcp/limit"
)

func TestATallyWaitsUntilNothingRuns(t *testing.T) {
	t.Parallel()
	var tally limit.Tally
	if n := tally.Wait(t.Context()); n != 0 {
		t.Errorf("nothing runs, and %d are left", n)
	}
	tally.Begin()
	tally.Begin()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if n := tally.Wait(gone); n != 2 {
		t.Errorf("%d are left of 2", n)
	}
	done := make(chan int)
	for range 2 { // two who wait
		go func() { done <- tally.Wait(t.Context()) }()
	}
	tally.End()
	select {
	case <-done:
		t.Error("one still runs")
	default:
	}
	tally.End()
	for range 2 {
		if n := <-done; n != 0 {
			t.Errorf("%d are left", n)
		}
	}
	tally.Begin()
	tally.End()
}
