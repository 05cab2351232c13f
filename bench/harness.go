package main

import (
	"context"
	"errors"
	"regexp"
	"runtime"
	"slices"
	"time"
)

// A side does the work of a comparison n times.
type side struct {
	do    func(n int) error
	calls int                   // of a slice; 0 is as many as take its time
	usage func() (usage, error) // of the process that does it; nil is this one
	close func() error
}

// A usage is what a process has used since it began.
type usage struct {
	CPU    time.Duration `json:"cpu"`
	Bytes  uint64        `json:"bytes"`
	Allocs uint64        `json:"allocs"`
}

func own() (usage, error) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	cpu, err := cpuTime()
	return usage{cpu, m.TotalAlloc, m.Mallocs}, err
}

// A comparison measures two sides.
type comparison struct {
	names   []string
	goals   []float64 // of CPU, bytes, allocations
	ours    func(context.Context) (*side, error)
	theirs  func(context.Context) (*side, error)
	measure func(ctx context.Context, rounds int) ([]row, error)
}

func (c *comparison) wanted(want *regexp.Regexp) bool {
	return slices.ContainsFunc(c.names, want.MatchString)
}

const (
	slice  = 40 * time.Millisecond // of processor time that a slice takes about
	warmUp = 300                   // calls
)

// cost compares what a call costs: processor time, bytes and allocations.
func cost(name string, goals [3]float64, ours, theirs func(context.Context) (*side, error)) *comparison {
	c := &comparison{names: []string{name, name + "/bytes", name + "/allocs"}, goals: goals[:], ours: ours, theirs: theirs}
	c.measure = c.measureCost
	return c
}

// processor compares what a call costs in processor time alone, where one side
// allocates nothing and there is no ratio of the rest.
func processor(name string, goal float64, ours, theirs func(context.Context) (*side, error)) *comparison {
	c := &comparison{names: []string{name}, goals: []float64{goal}, ours: ours, theirs: theirs}
	c.measure = c.measureCost
	return c
}

func (c *comparison) measureCost(ctx context.Context, rounds int) (rows []row, err error) {
	sides := make([]*side, 2)
	for i, open := range []func(context.Context) (*side, error){c.ours, c.theirs} {
		if sides[i], err = open(ctx); err != nil {
			return nil, err
		}
		if sides[i].usage == nil {
			sides[i].usage = own
		}
		defer func() { err = errors.Join(err, sides[i].close()) }()
	}
	var n [2]int
	for i, s := range sides {
		if n[i], err = s.calibrate(); err != nil {
			return nil, err
		}
	}
	var figures [2][3][]float64 // of each side: CPU, bytes, allocations a call
	for round := range rounds {
		order := []int{0, 1}
		if round%2 == 1 {
			order = []int{1, 0}
		}
		for _, i := range order {
			used, err := sides[i].slice(n[i])
			if err != nil {
				return nil, err
			}
			for k, v := range used {
				figures[i][k] = append(figures[i][k], v)
			}
		}
	}
	for k, unit := range []string{"µs CPU/call", "B/call", "allocs/call"}[:len(c.names)] {
		ratios := make([]float64, rounds)
		for r := range rounds {
			ratios[r] = ratio(figures[0][k][r], figures[1][k][r])
		}
		rows = append(rows, row{Name: c.names[k], Ours: median(figures[0][k]), Theirs: median(figures[1][k]), Unit: unit, Ratio: median(ratios), Goal: c.goals[k]})
	}
	return rows, nil
}

// ratio is a figure of ours to theirs. What is less than one in a hundred calls is none
// at all, and none to none is 1.
func ratio(ours, theirs float64) float64 {
	const none = 0.01
	if theirs >= none {
		return ours / theirs
	}
	if ours < none {
		return 1
	}
	return ours / none
}

// calibrate warms a side up and says how many calls a slice has.
func (s *side) calibrate() (int, error) {
	if s.calls > 0 {
		return s.calls, s.do(s.calls)
	}
	if err := s.do(warmUp); err != nil {
		return 0, err
	}
	for n := 50; ; n *= 2 {
		before, err := s.usage()
		if err != nil {
			return 0, err
		}
		if err := s.do(n); err != nil {
			return 0, err
		}
		after, err := s.usage()
		if err != nil {
			return 0, err
		}
		if used := after.CPU - before.CPU; used >= slice/2 {
			return max(1, int(float64(n)*float64(slice)/float64(used))), nil
		}
	}
}

// slice does n calls and returns what each of them took.
func (s *side) slice(n int) ([3]float64, error) {
	runtime.GC() // what the other side left is not this one's
	before, err := s.usage()
	if err != nil {
		return [3]float64{}, err
	}
	if err := s.do(n); err != nil {
		return [3]float64{}, err
	}
	after, err := s.usage()
	if err != nil {
		return [3]float64{}, err
	}
	calls := float64(n)
	return [3]float64{
		float64((after.CPU - before.CPU).Nanoseconds()) / 1000 / calls,
		float64(after.Bytes-before.Bytes) / calls,
		float64(after.Allocs-before.Allocs) / calls,
	}, nil
}

// wall compares how long a call takes by the clock: the median and the 99th of a
// hundred. It is to be known, not to be won.
func wall(name string, ours, theirs func(context.Context) (*side, error)) *comparison {
	c := &comparison{names: []string{name + "/p50", name + "/p99"}, ours: ours, theirs: theirs}
	c.measure = c.measureWall
	return c
}

func (c *comparison) measureWall(ctx context.Context, rounds int) (rows []row, err error) {
	var sides [2]*side
	var took [2][]float64
	for i, open := range []func(context.Context) (*side, error){c.ours, c.theirs} {
		if sides[i], err = open(ctx); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, sides[i].close()) }()
		if err := sides[i].do(50); err != nil {
			return nil, err
		}
	}
	for range rounds * 20 {
		for i, s := range sides {
			begun := time.Now()
			if err := s.do(1); err != nil {
				return nil, err
			}
			took[i] = append(took[i], float64(time.Since(begun).Nanoseconds())/1000)
		}
	}
	for k, at := range []float64{0.50, 0.99} {
		o, t := quantile(took[0], at), quantile(took[1], at)
		rows = append(rows, row{Name: c.names[k], Ours: o, Theirs: t, Unit: "µs/call", Ratio: o / t})
	}
	return rows, nil
}

func median(v []float64) float64 { return quantile(v, 0.5) }

func quantile(v []float64, at float64) float64 {
	sorted := slices.Sorted(slices.Values(v))
	return sorted[min(len(sorted)-1, int(at*float64(len(sorted))))]
}
