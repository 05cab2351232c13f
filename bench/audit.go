package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/internal/auditline"
)

// A sample is the arguments of a call, and their rules as safetool derives them.
type sample struct {
	arguments string
	rules     audit.Rules
}

// few are two arguments, one from a closed list and one that was typed: about the event of
// 25 members, one of them an HMAC, that most calls have.
var few = sample{`{"city":"Paris","query":"third quarter report"}`, audit.Rules{{Name: "city", Rule: audit.RuleClosed}, {Name: "query"}}}

// many are the arguments of the other rows: eight, with eight HMACs.
var many = sample{arguments, declared}

// declared are the rules of the reference arguments, as safetool derives them.
var declared = audit.Rules{
	{Name: "query"},
	{Name: "kind", Rule: audit.RuleClosed},
	{Name: "limit"},
	{Name: "page"},
	{Name: "score"},
	{Name: "strict"},
	{Name: "tags"},
	{Name: "country"},
}

func newRedactor() (*audit.Redactor, error) { return audit.NewRedactor(bytes.Repeat([]byte{1}, 32)) }

// intent is what is recorded before a call over HTTP, its arguments apart.
func intent() *audit.Event {
	return &audit.Event{
		Server: audit.Server{Name: "bench", Version: "v1", Instance: "5b1e6a0c9d3f"}, Phase: audit.PhaseIntent, Call: "01JZ7Q2V9C4X8M0K3T6B5R1N7D",
		Caller:   audit.Caller{ID: "https://login.example|ada", Issuer: "https://login.example", Subject: "ada", Client: "desk", Address: "192.0.2.7"},
		MCP:      audit.MCP{Method: "tools/call", Tool: "search", Protocol: "2026-07-28", Request: "7", Transport: "http"},
		Decision: audit.Decision{Effect: audit.EffectPermit, By: "policy", Rule: "any_caller"},
	}
}

// ended makes an intent the outcome of its call.
func ended(e *audit.Event) {
	e.Phase, e.Outcome, e.Duration = audit.PhaseOutcome, audit.Outcome{Status: audit.StatusOK, Bytes: 57}, 1834*time.Microsecond
}

// made is what the log makes of an event before anything is written: the arguments redacted
// and a digest made of them, the line with its number, ID, time and checksum, and its leaf in
// the Merkle tree. It is done for one event at a time: in a batch the random numbers of the
// IDs are drawn at once. A whole call has two events, whose arguments are redacted once.
func made(of sample, call bool) func(context.Context) (*side, error) {
	return func(context.Context) (*side, error) {
		redactor, err := newRedactor()
		if err != nil {
			return nil, err
		}
		before, after, line, raw := intent(), intent(), auditline.New(), json.RawMessage(of.arguments)
		ended(after)
		before.Key, after.Key = redactor.Key(), redactor.Key()
		return &side{do: func(n int) error {
			for range n {
				before.Args = redactor.Args(raw, of.rules, true)
				lines := len(line(before))
				if call {
					after.Args = before.Args
					lines = min(lines, len(line(after)))
				}
				if lines == 0 {
					return errors.New("there is no line")
				}
			}
			return nil
		}, close: nothing}, nil
	}
}

// encoded is slog writing the members of the same events, in the same groups, to nowhere:
// arguments have been redacted before, the records are made, and the checksum is left out.
func encoded(of sample, call bool) func(context.Context) (*side, error) {
	return func(ctx context.Context) (*side, error) {
		redactor, err := newRedactor()
		if err != nil {
			return nil, err
		}
		events := []*audit.Event{intent()}
		if call {
			events = append(events, intent())
			ended(events[1])
		}
		var records []slog.Record
		line := auditline.New()
		for _, e := range events {
			e.Key, e.Args = redactor.Key(), redactor.Args(json.RawMessage(of.arguments), of.rules, true)
			if err := json.Unmarshal(line(e), e); err != nil { // which the log gave a number and an ID
				return nil, err
			}
			r := slog.NewRecord(e.Time, slog.LevelInfo, "audit", 0)
			r.AddAttrs(attributes(e)...)
			records = append(records, r)
		}
		h := slog.NewJSONHandler(io.Discard, nil) //nolint:sloglint // encoding is what is measured
		return &side{do: func(n int) error {
			for range n {
				for _, r := range records {
					if err := h.Handle(ctx, r); err != nil {
						return err
					}
				}
			}
			return nil
		}, close: nothing}, nil
	}
}

// An item is an element of a list as it is recorded.
type item struct {
	HMAC string `json:"hmac"`
	Len  int    `json:"len"`
}

// attributes are the members of events as intent and ended make them.
func attributes(e *audit.Event) []slog.Attr {
	var fields []any
	for _, f := range e.Args.Fields {
		switch {
		case f.Clear == "true":
			fields = append(fields, slog.Group(f.Name, slog.Bool("clear", true)))
		case f.Clear != "":
			fields = append(fields, slog.Group(f.Name, slog.String("clear", strings.Trim(f.Clear, `"`))))
		case f.Nested != nil:
			items := make([]item, len(f.Nested.Items))
			for i, f := range f.Nested.Items {
				items[i] = item{f.HMAC, f.Len}
			}
			fields = append(fields, slog.Group(f.Name, slog.Int("len", f.Len), slog.Any("items", items)))
		default:
			fields = append(fields, slog.Group(f.Name, slog.String("hmac", f.HMAC), slog.Int("len", f.Len)))
		}
	}
	all := []slog.Attr{
		slog.Int("v", e.Version), slog.String("id", e.ID), slog.Uint64("seq", e.Seq),
		slog.Group("server", slog.String("name", e.Server.Name), slog.String("version", e.Server.Version), slog.String("instance", e.Server.Instance)),
		slog.String("phase", string(e.Phase)), slog.String("call", e.Call),
		slog.Group("caller", slog.String("id", e.Caller.ID), slog.String("issuer", e.Caller.Issuer), slog.String("subject", e.Caller.Subject),
			slog.String("client", e.Caller.Client), slog.String("address", e.Caller.Address)),
		slog.Group("mcp", slog.String("method", e.MCP.Method), slog.String("tool", e.MCP.Tool), slog.String("protocol", e.MCP.Protocol),
			slog.String("request", e.MCP.Request), slog.String("transport", e.MCP.Transport)),
		slog.String("key", e.Key),
		slog.Group("args", slog.String("digest", e.Args.Digest), slog.Int("bytes", e.Args.Bytes), slog.Group("fields", fields...)),
		slog.Group("decision", slog.String("effect", string(e.Decision.Effect)), slog.String("by", e.Decision.By), slog.String("rule", e.Decision.Rule)),
	}
	if e.Phase == audit.PhaseOutcome {
		all = append(all, slog.Group("outcome", slog.String("status", string(e.Outcome.Status)), slog.Int("bytes", e.Outcome.Bytes)), slog.Int64("duration_us", e.Duration.Microseconds()))
	}
	return all
}

func nothing() error { return nil }

// allocations compares how often one side allocates with how often it may: theirs is the
// bound itself. What is less than one in a hundred calls is none at all: the runtime has its own.
func allocations(name string, most float64, ours func(context.Context) (*side, error)) *comparison {
	return &comparison{names: []string{name}, measure: func(ctx context.Context, rounds int) ([]row, error) {
		s, err := ours(ctx)
		if err != nil {
			return nil, err
		}
		s.usage = own
		n, err := s.calibrate()
		if err != nil {
			return nil, err
		}
		var got []float64
		for range rounds {
			used, err := s.slice(n)
			if err != nil {
				return nil, err
			}
			got = append(got, used[2])
		}
		each := math.Floor(median(got)*100) / 100
		return []row{{Name: name, Ours: each, Theirs: most, Unit: "allocs/call", Ratio: each / most, Goal: 1}}, s.close()
	}}
}

// A recording is a log in a directory of its own.
type recording struct {
	*audit.Log
	dir string
}

func record(o *audit.Options) (*recording, error) {
	dir, err := os.MkdirTemp("", "safemcp-bench-")
	if err != nil {
		return nil, err
	}
	l, err := audit.Open(filepath.Join(dir, "audit"), o)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &recording{l, dir}, nil
}

func (r *recording) close() error { return errors.Join(r.Close(), os.RemoveAll(r.dir)) }

// logLines is how many events the log has that is verified, about 4 MB of them.
const logLines = 4096

// filled is a log of events, closed, and whatever is to be removed in the end.
func filled(ctx context.Context) (dir string, remove func() error, err error) {
	redactor, err := newRedactor()
	if err != nil {
		return "", nil, err
	}
	e := intent()
	e.Args = redactor.Args(json.RawMessage(arguments), declared, true)
	l, err := record(&audit.Options{SegmentBytes: 1 << 20})
	if err != nil {
		return "", nil, err
	}
	err = errors.Join(together(256, logLines, func(int) error { return l.Record(ctx, e) }), l.Close())
	return filepath.Join(l.dir, "audit"), func() error { return os.RemoveAll(l.dir) }, err
}

// verified is the verification of a log, from its files.
func verified(ctx context.Context) (*side, error) {
	dir, remove, err := filled(ctx)
	if err != nil {
		return nil, err
	}
	return &side{calls: 2, do: func(n int) error {
		for range n {
			r, err := audit.Verify(dir, nil)
			if err != nil {
				return err
			}
			if r.Bad != nil || r.Events != logLines || r.Covered != logLines {
				return errors.New("the log does not verify")
			}
		}
		return nil
	}, close: remove}, nil
}

// hashed is SHA-256 over the lines of the same log, in memory.
func hashed(ctx context.Context) (*side, error) {
	dir, remove, err := filled(ctx)
	if err != nil {
		return nil, err
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	var all []byte
	for _, path := range paths {
		text, rerr := os.ReadFile(path)
		all, err = append(all, text...), errors.Join(err, rerr)
	}
	want := sha256.Sum256(all)
	return &side{calls: 10, do: func(n int) error {
		for range n {
			if sha256.Sum256(all) != want {
				return errors.New("the hash is another")
			}
		}
		return nil
	}, close: remove}, err
}
