package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	strict "github.com/go-json-experiment/json"
)

// MarshalJSON returns the event as its line in the log, without its end of line.
func (e *Event) MarshalJSON() ([]byte, error) {
	b := appendEvent(nil, e)
	if e.Integrity != (Integrity{}) {
		enc := encoder{b: b, comma: true}
		enc.open("integrity")
		enc.text("crc32c", e.Integrity.Sum, maxText)
		enc.text("prev", e.Integrity.Prev, maxText)
		enc.text("mac", e.Integrity.MAC, maxText)
		enc.close()
		b = enc.b
	}
	return append(b, '}'), nil
}

// UnmarshalJSON reads a line of the log.
func (e *Event) UnmarshalJSON(line []byte) error {
	type plain Event
	read := struct {
		*plain
		Microseconds int64 `json:"duration_us"`
	}{plain: (*plain)(e)}
	if err := strict.Unmarshal(line, &read); err != nil {
		return fmt.Errorf("audit: this is no event: %w", err)
	}
	e.Duration = time.Duration(read.Microseconds) * time.Microsecond
	return nil
}

// UnmarshalJSON reads arguments, their fields in order.
func (a *Args) UnmarshalJSON(raw []byte) error {
	var read struct {
		Digest  string          `json:"digest"`
		Bytes   int             `json:"bytes"`
		Fields  json.RawMessage `json:"fields"`
		Unknown int             `json:"unknown"`
	}
	if err := json.Unmarshal(raw, &read); err != nil {
		return err //nolint:wrapcheck // UnmarshalJSON of Event adds what it is
	}
	*a = Args{Digest: read.Digest, Bytes: read.Bytes, Unknown: read.Unknown}
	if len(read.Fields) == 0 {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(read.Fields))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return errors.New("the fields of arguments are an object")
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return err //nolint:wrapcheck // as above
		}
		var f struct {
			Clear json.RawMessage `json:"clear"`
			HMAC  string          `json:"hmac"`
			Len   *int            `json:"len"`
		}
		if err := dec.Decode(&f); err != nil {
			return err //nolint:wrapcheck // as above
		}
		field := Field{Clear: f.Clear, HMAC: f.HMAC, Len: -1}
		field.Name, _ = name.(string)
		switch {
		case f.Len != nil:
			field.Len = *f.Len
		case f.Clear != nil:
			field.Len = 0
		}
		a.Fields = append(a.Fields, field)
	}
	return nil
}
