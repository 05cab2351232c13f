package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	words "github.com/safemcp/safemcp/internal/visible"
)

// grouped writes a number with its thousands apart.
func grouped(n uint64) string { return words.Number(n) }

// brief writes a number for an axis: 950, 1.5k, 20k, 3M.
func brief(n uint64) string {
	for _, unit := range []struct {
		of   float64
		name string
	}{{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if v := float64(n); v >= unit.of {
			return strconv.FormatFloat(math.Round(v/unit.of*10)/10, 'f', -1, 64) + unit.name
		}
	}
	return strconv.FormatUint(n, 10)
}

// counted writes a number and what it counts.
func counted(n uint64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return grouped(n) + " " + many
}

// share writes a part of a whole: "12 %", "0.3 %", "under 0.1 %".
func share(part, whole uint64) string {
	if whole == 0 || part == 0 {
		return "none"
	}
	p := 100 * float64(part) / float64(whole)
	switch {
	case part == whole:
		return "all"
	case p < 0.1:
		return "under 0.1 %"
	case p < 10:
		return fmt.Sprintf("%.1f %%", p)
	case p > 99: // 100 % would say that it is all
		return "over 99 %"
	}
	return fmt.Sprintf("%.0f %%", p)
}

// took writes a duration with its unit, as exact as it is known: two or three digits.
func took(d time.Duration) string {
	digits := func(v float64, unit string) string {
		switch {
		case v < 9.95:
			return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0") + " " + unit
		default:
			return fmt.Sprintf("%.0f %s", v, unit)
		}
	}
	switch {
	case d < time.Millisecond-500:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < 999500*time.Microsecond:
		return digits(float64(d)/float64(time.Millisecond), "ms")
	case d < 59500*time.Millisecond:
		return digits(d.Seconds(), "s")
	case d < 59*time.Minute+30*time.Second:
		return digits(d.Minutes(), "min")
	}
	switch days := d.Hours() / 24; {
	case days < 2:
		return digits(d.Hours(), "h")
	case days < 1000:
		return digits(days, "d")
	default:
		return digits(days/365.25, "y")
	}
}

// moment writes a time in full, in UTC.
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2 Jan 2006, 15:04:05 UTC")
}

// spelled writes how long a slot of a timeline is.
func spelled(seconds int64) string {
	for _, u := range []struct {
		of   int64
		name string
	}{{week, "week"}, {day, "day"}, {hour, "hour"}, {minute, "minute"}, {1, "second"}} {
		switch n := seconds / u.of; {
		case n == 1:
			return "one " + u.name
		case n > 1:
			return fmt.Sprintf("%d %ss", n, u.name)
		}
	}
	return ""
}
