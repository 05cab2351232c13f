package apikey

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"time"

	"github.com/safemcp/safemcp/access"
	"github.com/safemcp/safemcp/internal/private"
)

// most bounds the file, in bytes: it is read whole. It is enough for 20000 keys.
const most = 8 << 20

// A snapshot is the file as it was at one time. Nobody changes it.
type snapshot struct {
	seen  time.Time // before it was read
	stamp stamp
	all   []*record // as they are in the file
	keys  map[string]*record
	err   error // it cannot be used
}

// A stamp tells one state of the file from another. The time alone does not: some file
// systems keep it in steps of seconds. The beginning of the file holds a number that
// was made for this state.
type stamp struct {
	time time.Time
	size int64
	head [96]byte
}

// A record is an entry, ready to be looked up.
type record struct {
	entry     Entry
	hash      [sha256.Size]byte
	principal access.Principal
}

// form is the file. State stands in its beginning.
type form struct {
	Version int      `json:"version"` // of the form: 1
	State   string   `json:"state"`
	Keys    []stored `json:"keys"`
}

type stored struct {
	Entry
	Hash string `json:"sha256"` // of the whole key, in hexadecimal
}

// read looks at the file, whenever it was seen last.
func (s *store) read() *snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.readLocked()
}

func (s *store) readLocked() *snapshot {
	next := s.look()
	s.last.Store(next)
	return next
}

// look returns the file as it is, and parses it only where it is another one than
// before.
func (s *store) look() *snapshot {
	now := s.now()
	f, info, err := private.Open(s.path, most, "look whether every key in it is one of yours")
	switch {
	case errors.Is(err, fs.ErrNotExist) && s.absent:
		return &snapshot{seen: now}
	case errors.Is(err, fs.ErrNotExist):
		return &snapshot{seen: now, err: fmt.Errorf("apikey: %s is not there: put it back, or make it and a first key with safetool keys create", s.path)}
	case err != nil:
		return &snapshot{seen: now, err: fmt.Errorf("apikey: %w", err)}
	}
	defer f.Close()
	s.absent = false
	next := &snapshot{seen: now, stamp: stamp{time: info.ModTime(), size: info.Size()}}
	n, err := io.ReadFull(f, next.stamp.head[:])
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return &snapshot{seen: now, err: fmt.Errorf("apikey: %w", err)}
	}
	if old := s.last.Load(); old != nil && old.stamp == next.stamp {
		next.all, next.keys, next.err = old.all, old.keys, old.err
		return next
	}
	text, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		return &snapshot{seen: now, err: fmt.Errorf("apikey: %w", err)}
	}
	if next.all, err = decode(slices.Concat(next.stamp.head[:n], text)); err != nil {
		next.err = fmt.Errorf("apikey: %s %w: put back a copy", s.path, err)
		return next
	}
	next.keys = make(map[string]*record, len(next.all))
	for _, r := range next.all {
		next.keys[r.entry.ID] = r
	}
	return next
}

// decode never quotes what is in the file, where somebody may have put what does not
// belong there. A name that it does not know is a mistake or the restriction of a
// later version: to leave it out could allow more than was meant.
func decode(text []byte) ([]*record, error) {
	var file form
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	err := dec.Decode(&file)
	if wrong, ok := errors.AsType[*json.SyntaxError](err); ok {
		return nil, fmt.Errorf("is damaged at byte %d", wrong.Offset)
	}
	if err != nil || file.Version != 1 || len(bytes.TrimSpace(text[dec.InputOffset():])) != 0 {
		return nil, errors.New("does not hold what this version of the package writes")
	}
	all := make([]*record, 0, len(file.Keys))
	ids := make(map[string]bool, len(file.Keys))
	for i, k := range file.Keys {
		hash, err := hex.DecodeString(k.Hash)
		if err != nil || len(hash) != sha256.Size || !isID(k.ID) || ids[k.ID] || k.Created.IsZero() {
			return nil, fmt.Errorf("has an entry, number %d, with an id or hash that is none or not its own, or without the time when it was made", i+1)
		}
		if k.Grant.Check() != nil {
			return nil, fmt.Errorf("has an entry, %s, with a name, tenant, role, scope or expiry that no key may have", k.ID)
		}
		ids[k.ID] = true
		all = append(all, newRecord(k.Entry, [sha256.Size]byte(hash)))
	}
	return all, nil
}

func newRecord(e Entry, hash [sha256.Size]byte) *record {
	// Without room behind them, so that nobody's append writes into another's.
	e.Roles, e.Scopes = slices.Clip(e.Roles), slices.Clip(e.Scopes)
	return &record{entry: e, hash: hash, principal: e.principal()}
}

func encode(all []*record) ([]byte, error) {
	file := form{Version: 1, State: hex.EncodeToString(random(16)), Keys: make([]stored, len(all))}
	for i, r := range all {
		file.Keys[i] = stored{r.entry, hex.EncodeToString(r.hash[:])}
	}
	text, err := json.MarshalIndent(file, "", " ")
	if err != nil {
		return nil, errors.New("apikey: nothing was changed: the entries do not marshal")
	}
	if len(text) >= most {
		return nil, fmt.Errorf("apikey: nothing was changed: the file would have more than %d bytes: take out the entries of keys that ended long ago", most)
	}
	return append(text, '\n'), nil
}
