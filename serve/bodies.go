package serve

import (
	"errors"
	"io"
	"sync"
)

// Bodies bounds the memory of all request bodies together. It counts bytes as they
// arrive: what a client only announces, or sends slowly, takes no room from others.
type bodies struct {
	most int

	mu    sync.Mutex
	held  int
	byWho map[string]int
}

func newBodies(most int) *bodies { return &bodies{most: most, byWho: map[string]int{}} }

// take takes n bytes for a caller, of whom nobody gets more than a quarter.
func (b *bodies) take(who string, n int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held+n > b.most || b.byWho[who]+n > b.most/4 {
		return false
	}
	b.held += n
	b.byWho[who] += n
	return true
}

func (b *bodies) give(who string, n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held -= n
	if b.byWho[who] -= n; b.byWho[who] <= 0 {
		delete(b.byWho, who)
	}
}

var (
	errBodyLong = errors.New("the body is longer than the bound")
	errBodyRoom = errors.New("there is no room for the body")
)

// A body is one that is being read. It is given back when its request has been
// answered.
type body struct {
	bodies *bodies
	who    string
	bytes  []byte
	taken  int
}

const firstBody = 2 << 10

// read reads all of a body of at most bound bytes; said is its length where the client
// says that, else -1.
func (b *body) read(r io.Reader, said int64, bound int) error {
	if said > int64(bound) {
		return errBodyLong
	}
	size := firstBody
	if said >= 0 {
		size = min(int(said)+1, 64<<10) // one more, so that the end is seen without growing
	}
	for {
		if len(b.bytes) == cap(b.bytes) {
			if len(b.bytes) > 0 {
				size = 2 * cap(b.bytes)
			}
			if said >= 0 {
				size = min(size, int(said)+1)
			}
			size = min(size, bound+1)
			if size <= cap(b.bytes) {
				return errBodyLong
			}
			if !b.bodies.take(b.who, size-b.taken) {
				return errBodyRoom
			}
			b.taken = size
			grown := make([]byte, len(b.bytes), size)
			copy(grown, b.bytes)
			b.bytes = grown
		}
		n, err := r.Read(b.bytes[len(b.bytes):cap(b.bytes)])
		b.bytes = b.bytes[:len(b.bytes)+n]
		switch {
		case len(b.bytes) > bound:
			return errBodyLong
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err //nolint:wrapcheck // of the connection
		}
	}
}

func (b *body) free() {
	if b.taken > 0 {
		b.bodies.give(b.who, b.taken)
		b.taken = 0
	}
}
