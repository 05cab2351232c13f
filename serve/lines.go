package serve

import (
	"bytes"
	"errors"
	"io"
)

const (
	smallBuffer = 32 << 10
	largeBuffer = 256 << 10 // a buffer that grew beyond it is not kept
)

// errLong is returned with the beginning of a line that exceeds the bound. The
// rest of it is thrown away as it arrives.
var errLong = errors.New("the line is longer than the bound")

// A lineReader cuts what it reads into lines in one buffer, in memory that the
// bound of a line bounds. One goroutine uses it.
type lineReader struct {
	source     io.Reader
	bound      int // bytes of a line, without its end
	buf        []byte
	start, end int // what of buf has been read and not been returned
	scanned    int // up to here buf holds no line end
	discarding bool
	err        error
}

func newLineReader(source io.Reader, bound int) *lineReader {
	return &lineReader{source: source, bound: bound, buf: make([]byte, min(smallBuffer, bound+1))}
}

// next returns the next line, without its end. It is valid until the following
// call. Lines that have been read come before an error of the source; the last
// one need not have an end.
func (l *lineReader) next() ([]byte, error) {
	for {
		if at := bytes.IndexByte(l.buf[l.scanned:l.end], '\n'); at >= 0 {
			line := l.buf[l.start : l.scanned+at]
			l.start = l.scanned + at + 1
			l.scanned = l.start
			if l.discarding {
				l.discarding = false
				continue
			}
			if len(line) > l.bound {
				return line[:l.bound], errLong
			}
			return line, nil
		}
		l.scanned = l.end
		if l.discarding {
			l.start, l.end, l.scanned = 0, 0, 0
		} else if l.end-l.start > l.bound {
			l.discarding = true
			return l.buf[l.start : l.start+l.bound], errLong
		}
		if l.err != nil {
			return l.last()
		}
		l.fill()
	}
}

func (l *lineReader) last() ([]byte, error) {
	line := l.buf[l.start:l.end]
	l.start, l.scanned = l.end, l.end
	if l.discarding || len(line) == 0 || !errors.Is(l.err, io.EOF) {
		return nil, l.err
	}
	return line, nil
}

// fill reads once, into room that it makes.
func (l *lineReader) fill() {
	if l.start == l.end {
		l.start, l.end, l.scanned = 0, 0, 0
		if len(l.buf) > largeBuffer {
			l.buf = make([]byte, smallBuffer)
		}
	}
	if l.end == len(l.buf) {
		l.makeRoom()
	}
	n, err := l.source.Read(l.buf[l.end:])
	l.end += n
	l.err = err
}

func (l *lineReader) makeRoom() {
	to := l.buf
	if l.start == 0 {
		to = make([]byte, min(2*len(l.buf), l.bound+1))
	}
	n := copy(to, l.buf[l.start:l.end])
	l.scanned -= l.start
	l.buf, l.start, l.end = to, 0, n
}
