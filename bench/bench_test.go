package main

import (
	"math"
	"testing"
)

// The sides of each comparison do the same work: one round of each runs and gives
// figures. How they compare is for the program to say, not for a test.
func TestEveryComparisonRuns(t *testing.T) {
	if testing.Short() {
		t.Skip("it measures")
	}
	for _, c := range comparisons {
		if c.names[0] == "stdio/addtool" || c.names[0] == "http/addtool" {
			continue // starts this program again, which a test binary is not
		}
		rows, err := c.measure(t.Context(), 1)
		if err != nil {
			t.Errorf("%s: %v", c.names[0], err)
		}
		for _, r := range rows {
			if !(r.Ours >= 0 && r.Theirs >= 0) || !(r.Ratio > 0) || math.IsInf(r.Ratio, 0) || r.Unit == "" {
				t.Errorf("%+v", r)
			}
		}
	}
}

func TestQuantiles(t *testing.T) {
	v := []float64{5, 1, 4, 2, 3}
	if median(v) != 3 || quantile(v, 0.99) != 5 || quantile(v, 0) != 1 || v[0] != 5 {
		t.Errorf("got %v, %v, %v", median(v), quantile(v, 0.99), quantile(v, 0))
	}
}
