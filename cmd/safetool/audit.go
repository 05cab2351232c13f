package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/safemcp/safemcp/audit"
)

const auditUsage = `safetool audit looks into the audit log of a guarded server. It may run beside it.

  safetool audit verify DIR [--key PUBLIC] [--since CHECKPOINT]
      holds the log against its checkpoints, and prints counts or the first record that
      is wrong; PUBLIC is the key in DIR/signer.pub, and CHECKPOINT one that was printed
      or published before, both kept elsewhere, or files with them
  safetool audit prove DIR --event NUMBER | --from CHECKPOINT
      prints a proof, as JSON, that an event is in the log under its last checkpoint, or
      that the log has only grown since an earlier one
  safetool audit check PROOF --key PUBLIC
      says whether a proof holds, without the log; exit 1 where it does not
  safetool audit rotate DIR [--arguments] [--signer]
      makes new keys that take the places of the log's own when the server is started the
      next time, both unless one is named; the log tells that they did
  safetool audit report DIR -o FILE [--title TITLE] [--key PUBLIC] [--since CHECKPOINT]
      verifies the log and makes a page of it for a browser: calls over time, refusals,
      slow tools, who called what; FILE is replaced, - is standard output; exit 1 where
      the log is wrong, which the page says first
  safetool audit show DIR [--follow] [--json] [FILTER]...
      shows the events as a table, or each line exactly as it stands in the log;
      --follow waits for more until it is interrupted
  safetool audit stats DIR [--json] [FILTER]...
      counts events and calls: how they ended, by tool with the time that they took, by
      caller, and refusals by rule
  safetool audit export DIR --format ocsf|cloudevents|csv [-o FILE] [FILTER]...
      writes the events for other systems: OCSF 1.7 (API Activity, 6003) and
      CloudEvents 1.0 as one JSON object a line, or CSV with a header; -o writes FILE,
      readable by its owner alone, which is there when it is whole and not before

Filters. Of one kind an event has to match one, of several kinds all:
  --tool NAME        the name of a tool, in which * stands for any characters and ? for
                     one
  --caller ID        the ID of a caller, or its subject whoever issued it
  --call KEY         the key of a call, or its beginning, as the table shows it
  --decision EFFECT  permit, deny, ask or observe
  --status STATUS    ok, tool_error, refused, panic, timeout, cancelled, input_required,
                     withheld, or orphaned: nobody knows how it ended
  --arg PATH=VALUE   an argument, or a member of the answer, with that value, also where
                     it is recorded as an HMAC, if the keys of the log are in DIR or in
                     --arg-key FILE: city=Paris, order.id=17, tags[]=urgent
  --since TIME       from that time on: as RFC 3339 has it, 2026-01-02T15:04:05Z, or so
  --until TIME       long ago: 90s, 2h, 1d, 1d12h; and before that time
Each event is looked at by itself: --status panic shows the outcome, which repeats the
decision and the arguments of its intent, and not the intent; --call shows all events of
a call.

A line at the end that is not whole, since it is being written or was torn, is left out.
While a long log is read, standard error says how far, where it is a terminal.

Exit codes:
  0  all is well; also when --follow was interrupted
  1  the log is wrong, or could not be read, or what was made of it could not be
     written, or the command was interrupted before its end
  2  the command was wrong
`

// filterFlags adds the flags of filters, and returns what makes a filter of them.
func filterFlags(flags *flag.FlagSet) (filter func(now time.Time, dir string) (*audit.Filter, error)) {
	var f audit.Filter
	var effects, statuses, arguments list
	flags.Var((*list)(&f.Tools), "tool", "the name of a tool, with * and ?; may be given more than once")
	flags.Var((*list)(&f.Callers), "caller", "the ID of a caller, or its subject; may be given more than once")
	flags.Var((*list)(&f.Calls), "call", "the key of a call, or its beginning; may be given more than once")
	flags.Var(&effects, "decision", "permit, deny, ask or observe; may be given more than once")
	flags.Var(&statuses, "status", "how a call ended; may be given more than once")
	since := flags.String("since", "", "a time, or how long ago")
	until := flags.String("until", "", "a time, or how long ago")
	flags.Var(&arguments, "arg", "PATH=VALUE of an argument; may be given more than once")
	key := flags.String("arg-key", "", "a file with the key of the log's arguments, where it is not in the log's directory")
	return func(now time.Time, dir string) (*audit.Filter, error) {
		for _, l := range []struct {
			flag   string
			values []string
		}{{"tool", f.Tools}, {"caller", f.Callers}, {"call", f.Calls}} {
			if slices.Contains(l.values, "") {
				return nil, fmt.Errorf("%s: --%s takes a name that is not empty: %w", flags.Name(), l.flag, errUsage)
			}
		}
		var err error
		if f.Effects, err = oneOf(flags.Name()+": --decision", effects, audit.EffectPermit, audit.EffectDeny, audit.EffectAsk, audit.EffectObserve); err != nil {
			return nil, err
		}
		if f.Statuses, err = oneOf(flags.Name()+": --status", statuses, audit.StatusOK, audit.StatusToolError, audit.StatusRefused, audit.StatusPanic,
			audit.StatusTimeout, audit.StatusCancelled, audit.StatusInputRequired, audit.StatusWithheld, audit.Status(audit.PhaseOrphaned)); err != nil {
			return nil, err
		}
		if f.Arguments, err = argumentsOf(flags.Name()+": --arg", arguments, dir, *key); err != nil {
			return nil, err
		}
		if f.Since, err = moment(flags.Name()+": --since", *since, now); err != nil {
			return nil, err
		}
		if f.Until, err = moment(flags.Name()+": --until", *until, now); err != nil {
			return nil, err
		}
		if !f.Since.IsZero() && !f.Until.IsZero() && !f.Since.Before(f.Until) {
			return nil, fmt.Errorf("%s: nothing is from %s on and before %s: --since is the earlier one: %w",
				flags.Name(), f.Since.UTC().Format(time.RFC3339), f.Until.UTC().Format(time.RFC3339), errUsage)
		}
		return &f, nil
	}
}

// argumentsOf returns the arguments that PATH=VALUE mean. A value is taken for a text, and
// where it is JSON for that as well: 17 is the number too.
func argumentsOf(what string, given list, dir, keyFile string) (all []*audit.Argument, err error) {
	if len(given) == 0 {
		return nil, nil
	}
	keys, err := audit.Keys(dir)
	if err != nil {
		return nil, err
	}
	if keyFile != "" {
		key, err := audit.ReadKey(keyFile)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	for _, g := range given {
		path, value, found := strings.Cut(g, "=")
		if !found || path == "" {
			return nil, fmt.Errorf("%s takes PATH=VALUE, as in city=Paris: %w", what, errUsage)
		}
		text, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		values := []json.RawMessage{text}
		if json.Valid([]byte(value)) {
			values = append(values, json.RawMessage(value))
		}
		a, err := audit.Find(path, values, keys)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
		all = append(all, a)
	}
	return all, nil
}

// oneOf returns values as what they name.
func oneOf[S ~string](what string, values []string, known ...S) ([]S, error) {
	var all []S
	for _, v := range values {
		if !slices.Contains(known, S(v)) {
			names := make([]string, len(known))
			for i, k := range known {
				names[i] = string(k)
			}
			last := len(names) - 1
			return nil, fmt.Errorf("%s takes %s or %s, not %.40q: %w", what, strings.Join(names[:last], ", "), names[last], v, errUsage)
		}
		all = append(all, S(v))
	}
	return all, nil
}

// moment reads a time, or how long ago it is: a duration of Go's, before which days may
// stand.
func moment(what, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t, nil
	}
	const longest = 36500 // days, well within what a duration holds
	days, rest, inDays := strings.Cut(text, "d")
	var ago time.Duration
	ok := true
	if inDays {
		n, err := strconv.ParseUint(days, 10, 32)
		ok, ago = err == nil && n <= longest, time.Duration(n)*24*time.Hour
	} else {
		rest = text
	}
	if rest != "" {
		more, err := time.ParseDuration(rest)
		ok = ok && err == nil && more >= 0 && more <= longest*24*time.Hour && !strings.HasPrefix(rest, "+")
		ago += more
	}
	if !ok {
		return time.Time{}, fmt.Errorf("%s takes a time such as 2026-01-02T15:04:05Z, or how long ago it is, such as 2h or 1d12h, not %.40q: %w", what, text, errUsage)
	}
	return now.Add(-ago), nil
}

// errInterrupted ends what was not finished.
var errInterrupted = errors.New("interrupted before the end of the log")

// linesOf returns the lines of a log until ctx ends, and says at errs how far it is, where
// errs is a terminal that nothing else is shown at.
func linesOf(ctx context.Context, dir string, quiet bool, errs io.Writer) iter.Seq2[audit.Line, error] {
	p := &progress{w: errs}
	if !quiet && isTerminal(errs) {
		p.total, _ = audit.Size(dir) // what is wrong with it, Lines says
	}
	return func(yield func(audit.Line, error) bool) {
		defer p.end()
		for l, err := range audit.Lines(dir) {
			if ctx.Err() != nil {
				l, err = audit.Line{}, errInterrupted
			}
			if err != nil {
				p.end()
			}
			p.read(len(l.Raw) + 1)
			if !yield(l, err) || err != nil {
				return
			}
		}
	}
}

// isTerminal says that somebody reads what is written to w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// coloured says that colours may be used: out is a terminal, and nobody said otherwise
// (https://no-color.org).
func coloured(out io.Writer) bool {
	return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && isTerminal(out)
}
