package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
)

// recordOf turns a line of the log into a record for slog: its members as
// attributes, objects as groups. The time is the record's own, and stacks stay in the log.
func recordOf(line []byte) (*Event, slog.Record, error) {
	e := new(Event)
	if err := e.UnmarshalJSON(line); err != nil {
		return nil, slog.Record{}, err
	}
	e.Outcome.Stack = ""
	attrs, err := attrsOf(line, "")
	if err != nil {
		return nil, slog.Record{}, err
	}
	record := slog.NewRecord(e.Time, e.level(), "audit", 0)
	record.AddAttrs(attrs...)
	return e, record, nil
}

// attrsOf returns the members of an object, which stands at a path in the line.
func attrsOf(object []byte, path string) ([]slog.Attr, error) {
	dec := json.NewDecoder(bytes.NewReader(object))
	if _, err := dec.Token(); err != nil {
		return nil, err //nolint:wrapcheck // only counted
	}
	var attrs []slog.Attr
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, err //nolint:wrapcheck // only counted
		}
		name, _ := token.(string)
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return nil, err //nolint:wrapcheck // only counted
		}
		at := path + "." + name
		if at == ".time" || at == ".outcome.stack" {
			continue
		}
		value, err := valueOf(raw, at)
		if err != nil {
			return nil, err
		}
		attrs = append(attrs, slog.Attr{Key: name, Value: value})
	}
	return attrs, nil
}

// valueOf keeps the kind of a value, so that a handler which tells kinds apart writes a
// number as a number.
func valueOf(raw []byte, at string) (slog.Value, error) {
	if raw[0] == '{' {
		group, err := attrsOf(raw, at)
		return slog.GroupValue(group...), err
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return slog.Value{}, fmt.Errorf("a member of an event: %w", err)
	}
	return slog.AnyValue(plainly(v)), nil
}

// plainly replaces numbers in what was decoded by Go's own where they say the same: a
// number with more digits than those keep stays as it was written.
func plainly(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = plainly(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = plainly(v[name])
		}
	case json.Number:
		if n, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return n
		}
		if f, err := v.Float64(); err == nil && len(v) <= 15 {
			return f
		}
	}
	return v
}

// level is how loud an event is among logs of other things.
func (e *Event) level() slog.Level {
	switch {
	case e.Outcome.Status == StatusPanic || e.Outcome.Status == StatusWithheld || e.Phase == PhaseOrphaned:
		return slog.LevelError
	case e.Phase == PhaseRefused || e.Decision.Effect == EffectObserve || e.Outcome.Status == StatusTimeout:
		return slog.LevelWarn
	case e.Phase == PhaseNotice && e.Decision.By == "log": // it writes of trouble, and of its keys
		return slog.LevelWarn
	}
	return slog.LevelInfo
}
