package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"math/bits"
	"strconv"
	"strings"
)

// A root is the hash of a Merkle tree (RFC 6962, section 2.1).
type root [sha256.Size]byte

func (r root) String() string { return hex.EncodeToString(r[:]) }

// A tree is the Merkle tree over the lines of a log, of which it keeps the right edge:
// the roots of the largest full trees that it is made of, largest first. Its leaves are
// the lines without their end. The zero value has none. It is for one goroutine at a time.
type tree struct {
	size uint64
	edge []root
	leaf hash.Hash
	sum  []byte                            // of a leaf; of its own, or it would be allocated for each
	full func(level int, n uint64, h root) // if set, is given the root of every full tree: the n-th of 2 to the level leaves
}

var leafPrefix = []byte{0}

// add adds a line, without its end.
func (t *tree) add(line []byte) root {
	if t.leaf == nil {
		t.leaf = sha256.New()
	}
	t.leaf.Reset()
	t.leaf.Write(leafPrefix)
	t.leaf.Write(line)
	t.sum = t.leaf.Sum(t.sum[:0])
	h := root(t.sum)
	t.grow(h)
	return h
}

// grow adds a leaf by its hash.
func (t *tree) grow(h root) {
	n, level := t.size, 0
	for ; n&1 == 1; n, level = n>>1, level+1 {
		if t.full != nil {
			t.full(level, n, h)
		}
		h = node(t.edge[len(t.edge)-1], h)
		t.edge = t.edge[:len(t.edge)-1]
	}
	if t.full != nil {
		t.full(level, n, h)
	}
	t.edge = append(t.edge, h)
	t.size++
}

// node is the hash of a tree of two.
func node(left, right root) root {
	var b [1 + 2*sha256.Size]byte
	b[0] = 1
	copy(b[1:], left[:])
	copy(b[1+sha256.Size:], right[:])
	return sha256.Sum256(b[:])
}

func (t *tree) root() root {
	if len(t.edge) == 0 {
		return sha256.Sum256(nil)
	}
	h := t.edge[len(t.edge)-1]
	for i := len(t.edge) - 2; i >= 0; i-- {
		h = node(t.edge[i], h)
	}
	return h
}

// settle makes the tree one that has so many leaves and this edge.
func (t *tree) settle(size uint64, edge []root) error {
	if len(edge) != bits.OnesCount64(size) {
		return errors.New("its edge is not that of a tree of its size")
	}
	t.size, t.edge = size, append(t.edge[:0], edge...)
	return nil
}

// brief is a tree of some size in a form to keep elsewhere, "SIZE:ROOT".
func brief(size uint64, r root) string { return strconv.FormatUint(size, 10) + ":" + r.String() }

func parseBrief(s string) (size uint64, r root, err error) {
	number, text, ok := strings.Cut(strings.TrimSpace(s), ":")
	size, err = strconv.ParseUint(number, 10, 64)
	if !ok || err != nil || size == 0 || strconv.FormatUint(size, 10) != number || len(text) != 2*len(r) || !lowerHex([]byte(text), r[:]) {
		return 0, r, errors.New(`audit: a checkpoint is a signed note, or the number of events and the root of their tree, "12:" and 64 hexadecimal digits, as Verify reports it`)
	}
	return size, r, nil
}
