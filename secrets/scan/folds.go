package scan

import "bytes"

// A piece says where a part of a text stands in what it is read as.
type piece struct {
	from, to int // in the text
	at       int // in the reading
}

// A folding is what of a text may be base64 or hexadecimal digits in several lines,
// with the lines joined: decoders skip the breaks (RFC 2045, section 6.8), and so does
// what indents the next line.
type folding struct {
	text   []byte
	pieces []piece
}

// fold reads text, and leaves nothing in f where no line could go on in the next.
func (f *folding) fold(text []byte) {
	f.text, f.pieces = f.text[:0], f.pieces[:0]
	carriage := bytes.IndexByte(text, '\r') >= 0
	for at, done, feed := 0, 0, -1; ; {
		if feed < at {
			if feed = bytes.IndexByte(text[at:], '\n'); feed < 0 {
				feed = len(text)
			} else {
				feed += at
			}
		}
		end := feed
		if carriage {
			if i := bytes.IndexByte(text[at:end], '\r'); i >= 0 {
				end = at + i
			}
		}
		if end == len(text) {
			return
		}
		at = f.lines(text, done, end)
		done = at
	}
}

// lines adds those that go on around the break at end, none of them from before
// done, and returns where it has looked.
func (f *folding) lines(text []byte, done, end int) int {
	start := end
	for start > done && base64Characters[text[start-1]] {
		start--
	}
	if start == end {
		return end + 1
	}
	first, count := len(f.pieces), 0
	for {
		f.pieces = append(f.pieces, piece{from: start, to: end})
		count += end - start
		next := end
		for next < len(text) && (text[next] == '\n' || text[next] == '\r' || text[next] == ' ' || text[next] == '\t') {
			next++
		}
		start = next
		for next < len(text) && base64Characters[text[next]] {
			next++
		}
		broken := end < len(text) && (text[end] == '\n' || text[end] == '\r')
		if !broken || next == start {
			break
		}
		end = next
	}
	if count < minBase64 || len(f.pieces)-first < 2 {
		f.pieces = f.pieces[:first]
		return max(end, done+1)
	}
	for i := first; i < len(f.pieces); i++ {
		p := &f.pieces[i]
		p.at = len(f.text)
		f.text = append(f.text, text[p.from:p.to]...)
	}
	f.text = append(f.text, 0) // nothing goes on from one chain to the next
	return end
}

// back turns spans of the folding into spans of the text.
func (f *folding) back(spans []span) {
	for i := range spans {
		s := &spans[i]
		s.start, s.end = f.place(s.start), f.place(s.end-1)+1
	}
}

func (f *folding) place(at int) int {
	low, high := 0, len(f.pieces)
	for low+1 < high {
		if middle := (low + high) / 2; f.pieces[middle].at <= at {
			low = middle
		} else {
			high = middle
		}
	}
	return f.pieces[low].from + at - f.pieces[low].at
}
