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
		Digest  string `json:"digest"`
		Bytes   int    `json:"bytes"`
		Fields  fields `json:"fields"`
		Unknown int    `json:"unknown"`
	}
	if err := json.Unmarshal(raw, &read); err != nil {
		return err //nolint:wrapcheck // UnmarshalJSON of Event adds what it is
	}
	*a = Args{Digest: read.Digest, Bytes: read.Bytes, Fields: read.Fields, Unknown: read.Unknown}
	return nil
}

// fields are read in order from the members of an object, in one pass: a log that somebody
// else wrote may nest them.
type fields []Field

var errFields = errors.New("the fields of arguments are objects in objects, and not deep")

func (all *fields) UnmarshalJSON(raw []byte) (err error) {
	*all, err = readFields(json.NewDecoder(bytes.NewReader(raw)), 8*maxNested)
	return err
}

func readFields(dec *json.Decoder, depth int) (all []Field, err error) {
	err = eachMember(dec, depth, func(name string) error {
		f, err := readField(dec, depth-1)
		f.Name = name
		all = append(all, f)
		return err
	})
	return all, err
}

func readField(dec *json.Decoder, depth int) (f Field, err error) {
	f.Len = -1
	sized := false
	err = eachMember(dec, depth, func(name string) (err error) {
		switch name {
		case "clear":
			var value json.RawMessage
			err = dec.Decode(&value)
			f.Clear = string(value)
		case "hmac":
			err = dec.Decode(&f.HMAC)
		case "len":
			err, sized = dec.Decode(&f.Len), true
		case "fields":
			f.within().Fields, err = readFields(dec, depth-1)
		case "unknown":
			err = dec.Decode(&f.within().Unknown)
		case "items":
			f.within().Items, err = readItems(dec, depth-1)
		default:
			var other json.RawMessage
			err = dec.Decode(&other)
		}
		return err //nolint:wrapcheck // UnmarshalJSON of Event adds what it is
	})
	if f.Clear != "" && !sized {
		f.Len = 0
	}
	return f, err
}

func readItems(dec *json.Decoder, depth int) (all []Field, err error) {
	if open, err := dec.Token(); err != nil || open != json.Delim('[') {
		return nil, errFields
	}
	for dec.More() {
		f, err := readField(dec, depth-1)
		if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	_, err = dec.Token()
	return all, err //nolint:wrapcheck // as above
}

// eachMember calls f with the name of each member of an object, to read its value.
func eachMember(dec *json.Decoder, depth int, f func(name string) error) error {
	if open, err := dec.Token(); err != nil || open != json.Delim('{') || depth <= 0 {
		return errFields
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return err //nolint:wrapcheck // as above
		}
		text, _ := name.(string)
		if err := f(text); err != nil {
			return err
		}
	}
	_, err := dec.Token()
	return err //nolint:wrapcheck // as above
}
