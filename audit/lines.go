package audit

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
)

// maxLine bounds a line of a log that is read, in bytes; no event is as large.
const maxLine = 8 << 20

// eachLine calls f with each line of a file, without its end, and says whether it
// has one. The line is f's only during the call.
func eachLine(path string, f func(number int, line []byte, whole bool) error) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	defer file.Close()
	return linesOf(file, filepath.Base(path), f)
}

func linesOf(file io.Reader, name string, f func(number int, line []byte, whole bool) error) error {
	r := bufio.NewReaderSize(file, 64<<10)
	var line []byte
	for number := 1; ; number++ {
		line = line[:0]
		for {
			part, err := r.ReadSlice('\n')
			line = append(line, part...)
			if len(line) > maxLine {
				return fmt.Errorf("audit: %s, line %d: %w", name, number, errLongLine)
			}
			if errors.Is(err, bufio.ErrBufferFull) {
				continue
			}
			if errors.Is(err, io.EOF) {
				if len(line) == 0 {
					return nil
				}
				return f(number, line, false)
			}
			if err != nil {
				return fmt.Errorf("audit: %w", err)
			}
			break
		}
		if err := f(number, bytes.TrimSuffix(line, []byte("\n")), true); err != nil {
			return err
		}
	}
}

// errStop ends an iteration early.
var errStop = errors.New("stop")

// A Line is a line of a log and the event that it holds.
type Line struct {
	Event *Event
	// Raw is the line as it stands, without its end. It is its reader's only until the
	// next line is asked for.
	Raw []byte
}

// Lines returns the lines of the log in dir, oldest first, as they stand; Verify says
// whether they are what was written. A line that is not whole at the end is left out,
// and so is what a writer adds after the reading has begun in segments that were not
// there yet. An error is the last thing that it yields.
func Lines(dir string) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		segments, err := segmentsOf(dir)
		if err != nil {
			yield(Line{}, err)
			return
		}
		for i, s := range segments {
			err := linesIn(s, yield)
			switch {
			case err == nil:
				continue
			case errors.Is(err, errStop):
			case errors.Is(err, fs.ErrNotExist) && i == len(segments)-1:
				// Its first write failed, and the writer is about to begin it again.
			default:
				yield(Line{}, err)
			}
			return
		}
	}
}

// linesIn yields the whole lines of a segment.
func linesIn(s segmentFile, yield func(Line, error) bool) error {
	return eachLine(s.path, func(number int, line []byte, whole bool) error {
		if !whole {
			return nil
		}
		e := new(Event)
		if err := e.UnmarshalJSON(line); err != nil {
			return fmt.Errorf("%s, line %d: %w", filepath.Base(s.path), number, err)
		}
		if !yield(Line{Event: e, Raw: line}, nil) {
			return errStop
		}
		return nil
	})
}

// Events returns the events of lines, and their error.
func Events(lines iter.Seq2[Line, error]) iter.Seq2[*Event, error] {
	return func(yield func(*Event, error) bool) {
		for l, err := range lines {
			if !yield(l.Event, err) {
				return
			}
		}
	}
}

// Read returns the events of the log in dir as Lines does.
func Read(dir string) iter.Seq2[*Event, error] { return Events(Lines(dir)) }

// Size returns how many bytes the segments of the log in dir have, so that whoever reads
// it can say how far they are.
func Size(dir string) (int64, error) {
	segments, err := segmentsOf(dir)
	if err != nil {
		return 0, err
	}
	var size int64
	for _, s := range segments {
		info, err := os.Stat(s.path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("audit: %w", err)
		}
		size += info.Size()
	}
	return size, nil
}

var errLongLine = errors.New("it is longer than any event")
