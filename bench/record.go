package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/safemcp/safemcp/audit"
)

// recorded compares what so many writers at once get of a log on disk that commits in groups,
// and of one that syncs each event. Each slice is events that are recorded by the clock,
// the two logs in turn, so that neighbours on the disk slow both. The figures of p50 and p99
// are of all slices together; they are to be known.
func recorded(writers int) *comparison {
	c := &comparison{names: []string{fmt.Sprint("audit/p50/", writers), fmt.Sprint("audit/p99/", writers)}}
	if writers == most {
		c.names = append(c.names, "audit/record256", "audit/syncs-an-event")
	}
	c.measure = func(ctx context.Context, rounds int) (rows []row, err error) {
		sides := [2]*recorder{}
		for i, commit := range []audit.Commit{audit.GroupCommit, audit.SyncEach} {
			if sides[i], err = newRecorder(commit); err != nil {
				return nil, err
			}
			defer func() { err = errors.Join(err, sides[i].log.close()) }()
		}
		each := eventsOf[writers]
		for i, s := range sides {
			if err := s.slice(ctx, writers, each[i]); err != nil {
				return nil, err
			}
			s.took, s.slices = nil, nil // it was to warm up
		}
		before := [2]audit.Stats{sides[0].log.Stats(), sides[1].log.Stats()}
		for round := range rounds {
			for k := range sides {
				i := (round + k) % 2
				if err := sides[i].slice(ctx, writers, each[i]); err != nil {
					return nil, err
				}
			}
		}
		return c.rows(sides, before), nil
	}
	return c
}

const most = 256 // writers

// eventsOf are the events of one writer in a slice, of either log, by how many writers there
// are: slices of some ten to some hundred milliseconds.
var eventsOf = map[int][2]int{1: {50, 50}, 16: {30, 5}, most: {20, 2}}

// rows are what was found out.
func (c *comparison) rows(sides [2]*recorder, before [2]audit.Stats) []row {
	var rows []row
	for k, at := range []float64{0.50, 0.99} {
		o, t := quantile(sides[0].took, at), quantile(sides[1].took, at)
		rows = append(rows, row{Name: c.names[k], Ours: o, Theirs: t, Unit: "µs/event", Ratio: o / t})
	}
	if len(c.names) == 2 {
		return rows
	}
	var ratios []float64
	for r := range sides[0].slices {
		ratios = append(ratios, sides[0].slices[r]/sides[1].slices[r])
	}
	rows = append(rows, row{Name: c.names[2], Ours: median(sides[0].slices), Theirs: median(sides[1].slices), Unit: "µs/event", Ratio: median(ratios)})
	var syncs [2]float64
	for i, s := range sides {
		after := s.log.Stats()
		syncs[i] = float64(after.Syncs-before[i].Syncs) / float64(after.Events-before[i].Events)
	}
	return append(rows, row{Name: c.names[3], Ours: syncs[0], Theirs: syncs[1], Unit: "syncs/event", Ratio: syncs[0] / syncs[1], Goal: 0.01})
}

// A recorder is a log and what it took to record in it, in microseconds.
type recorder struct {
	log    *recording
	event  *audit.Event
	took   []float64 // each Record
	slices []float64 // an event in each slice, all writers together
}

func newRecorder(commit audit.Commit) (*recorder, error) {
	redactor, err := newRedactor()
	if err != nil {
		return nil, err
	}
	l, err := record(&audit.Options{Commit: commit})
	if err != nil {
		return nil, err
	}
	e := intent()
	e.Args = redactor.Args(json.RawMessage(arguments), declared, true)
	return &recorder{log: l, event: e}, nil
}

// slice records events: each of the writers that many, one after the other.
func (r *recorder) slice(ctx context.Context, writers, each int) error {
	took := make([][]float64, writers)
	failed := make([]error, writers)
	begun := time.Now()
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for range each {
				at := time.Now()
				if err := r.log.Record(ctx, r.event); err != nil {
					failed[w] = err
					return
				}
				took[w] = append(took[w], micros(time.Since(at)))
			}
		})
	}
	group.Wait()
	r.slices = append(r.slices, micros(time.Since(begun))/float64(writers*each))
	for _, t := range took {
		r.took = append(r.took, t...)
	}
	return errors.Join(failed...)
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
