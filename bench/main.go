// Command bench measures safemcp beside the SDK on its own, doing the same work:
//
//	go run .                     a Markdown table
//	go run . -json               an array of {"name","ours","theirs","unit","ratio","goal"}
//	go run . -run 'handler/.*'   some of the rows
//
// Every row is a ratio of two figures that were measured interleaved in this one run:
// slices of work of some tens of milliseconds, in an order that changes from round to
// round, and of the rounds' ratios the median. The time is that of the processor, of
// the whole process, so that what the garbage collector does afterwards counts and
// what the machine's other users do does not. The rows of p50 and p99 are by the clock,
// and there to be known: they have no goal.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"runtime/debug"
	"text/tabwriter"
)

func main() {
	if len(os.Args) == 3 && (os.Args[1] == childArg || os.Args[1] == httpChildArg) {
		child := serveChild
		if os.Args[1] == httpChildArg {
			child = serveHTTPChild
		}
		if err := child(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, "bench: child:", err)
			os.Exit(1)
		}
		return
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// A row is one line of the table.
type row struct {
	Name   string  `json:"name"`
	Ours   float64 `json:"ours"`
	Theirs float64 `json:"theirs"`
	Unit   string  `json:"unit"`
	Ratio  float64 `json:"ratio"`
	Goal   float64 `json:"goal"` // the most that the ratio should be; 0 is none
}

func run() error {
	asJSON := flag.Bool("json", false, "print an array of JSON objects")
	pattern := flag.String("run", "", "measure the rows whose names match")
	rounds := flag.Int("rounds", 21, "how many rounds each comparison has")
	flag.Parse()
	want, err := regexp.Compile(*pattern)
	if err != nil {
		return fmt.Errorf("-run: %w", err)
	}
	pin()
	if !*asJSON {
		fmt.Printf("%s, %s/%s, %d CPUs, GOMAXPROCS=%d, GOGC=100, GOEXPERIMENT=%q, %d rounds\n\n",
			runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.GOMAXPROCS(0), experiment(), *rounds)
	}
	var rows []row
	for _, c := range comparisons {
		if !c.wanted(want) {
			continue
		}
		measured, err := c.measure(context.Background(), *rounds)
		if err != nil {
			return fmt.Errorf("%s: %w", c.names[0], err)
		}
		for _, r := range measured {
			if want.MatchString(r.Name) {
				rows = append(rows, r)
			}
		}
	}
	if *asJSON {
		enc := json.NewEncoder(os.Stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(rows)
	}
	return table(rows)
}

func table(rows []row) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 1, ' ', 0)
	fmt.Fprintln(w, "| row\t| ours\t| theirs\t| unit\t| ratio\t| goal\t|")
	fmt.Fprintln(w, "|---\t|---:\t|---:\t|---\t|---:\t|---\t|")
	for _, r := range rows {
		goal := ""
		if r.Goal > 0 {
			goal = fmt.Sprintf("≤ %.2f met", r.Goal)
			if r.Ratio > r.Goal {
				goal = fmt.Sprintf("≤ %.2f MISSED", r.Goal)
			}
		}
		fmt.Fprintf(w, "| %s\t| %s\t| %s\t| %s\t| %.3f\t| %s\t|\n", r.Name, figure(r.Ours), figure(r.Theirs), r.Unit, r.Ratio, goal)
	}
	return w.Flush()
}

// figure prints what is small with more places.
func figure(f float64) string {
	if f < 10 {
		return fmt.Sprintf("%.3f", f)
	}
	return fmt.Sprintf("%.1f", f)
}

// pin puts the runtime where Go has it by default, whatever the environment says.
func pin() {
	debug.SetGCPercent(100)
	debug.SetMemoryLimit(1<<63 - 1)
	runtime.GOMAXPROCS(runtime.NumCPU())
}

// experiment is what the program was built with.
func experiment() string {
	info, ok := debug.ReadBuildInfo()
	if ok {
		for _, s := range info.Settings {
			if s.Key == "GOEXPERIMENT" {
				return s.Value
			}
		}
	}
	return ""
}
