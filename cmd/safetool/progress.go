package main

import (
	"fmt"
	"io"
	"time"
)

// Progress is shown once reading takes this long, and as often again.
const progressEvery = 250 * time.Millisecond

// A progress says how far a log was read, in one line of a terminal that it takes back at
// the end. Without a total it says nothing.
type progress struct {
	w     io.Writer
	total int64 // bytes
	at    int64
	lines int
	next  time.Time
	shown bool
	ended bool
}

// read says that a line of so many bytes was read.
func (p *progress) read(bytes int) {
	p.at += int64(bytes)
	if p.lines++; p.total > 0 && !p.ended && p.lines%64 == 1 {
		p.tick(time.Now())
	}
}

func (p *progress) tick(now time.Time) {
	switch {
	case p.next.IsZero():
		p.next = now.Add(progressEvery)
	case !now.Before(p.next):
		p.next = now.Add(progressEvery)
		p.shown = true
		fmt.Fprintf(p.w, "\r\x1b[K%3d %%  %d events of %d MB", min(100*p.at/p.total, 100), p.lines, (p.total+999_999)/1_000_000) // the log may grow meanwhile
	}
}

// end takes the line back.
func (p *progress) end() {
	if p.shown && !p.ended {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
	p.ended = true
}
