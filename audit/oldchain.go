package audit

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
)

// Lines of version 1 were chained: each carries an HMAC over itself and over the line
// before. Nothing writes them any more.

// A mac is the MAC of a line, and the state of the chain after it. The chain begins
// with zeros.
type mac [sha256.Size]byte

func (m mac) String() string { return hex.EncodeToString(m[:]) }

// The end of each line of version 1, which the MAC is in and not over.
const (
	tailOpen  = `,"integrity":{"prev":"`
	tailMid   = `","mac":"`
	tailClose = `"}}`
	macText   = 2 * sha256.Size
	tailSize  = len(tailOpen) + macText + len(tailMid) + macText + len(tailClose)
)

// A chain checks MACs. It is for one goroutine at a time.
type chain struct {
	hash hash.Hash // nil without a key
	prev mac
}

func newChain(key []byte) (*chain, error) {
	if key == nil {
		return &chain{}, nil
	}
	derived, err := derive(key, "v1/chain")
	if err != nil {
		return nil, err
	}
	return &chain{hash: hmac.New(sha256.New, derived)}, nil
}

// next is the MAC of a line's body after the last line that was taken.
func (c *chain) next(body []byte) (m mac) {
	c.hash.Reset()
	c.hash.Write(c.prev[:])
	c.hash.Write(body)
	c.hash.Sum(m[:0])
	return m
}

var (
	errPrev = errors.New("it does not follow the line before: lines were added, removed or moved")
	errMAC  = errors.New("it is not as it was written, or was written with another key")
)

// take checks a line, without its end of line, and moves the chain on. Without a key
// it checks only that the line names the one before.
func (c *chain) take(line []byte) error {
	body, prev, m, err := split(line)
	switch {
	case err != nil:
		return err
	case prev != c.prev:
		return errPrev
	case c.hash != nil && !hmac.Equal(m[:], sum(c.next(body))):
		return errMAC
	}
	c.prev = m
	return nil
}

func sum(m mac) []byte { return m[:] }

// split takes a line apart.
func split(line []byte) (body []byte, prev, m mac, err error) {
	at := len(line) - tailSize
	if at <= 0 {
		return nil, prev, m, errForm
	}
	tail := line[at:]
	prevText, rest, ok := cutAt(tail, tailOpen, tailMid)
	macHex, _, ok2 := cutAt(rest, "", tailClose)
	if !ok || !ok2 || !lowerHex(prevText, prev[:]) || !lowerHex(macHex, m[:]) {
		return nil, prev, m, errForm
	}
	return line[:at], prev, m, nil
}

// cutAt returns the text of a MAC between two literals, and what follows.
func cutAt(s []byte, open, mid string) (text, rest []byte, ok bool) {
	s, ok = bytes.CutPrefix(s, []byte(open))
	if !ok || len(s) < macText {
		return nil, nil, false
	}
	rest, ok = bytes.CutPrefix(s[macText:], []byte(mid))
	return s[:macText], rest, ok
}

// oldHead is how a line of version 1 begins.
const oldHead = `{"v":1,`
