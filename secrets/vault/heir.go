package vault

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/safemcp/safemcp/internal/private"
	"github.com/safemcp/safemcp/secrets"
)

// Bounds of what an heir does: how soon a file is tried again after Vault denied something
// or it could not be read, and how large it may be.
const (
	deniedEvery = 5 * time.Minute
	maxJournal  = 64 << 20 // bytes
)

// inheritEvery is how often it is looked for what was left: a variable for tests, which
// have no time.
var inheritEvery = 10 * time.Second

// An heir revokes what processes have left whose journals nobody locks any more.
type heir struct {
	p     *provider
	next  time.Time
	ended map[entry]bool       // of files that are not done
	later map[string]time.Time // when a file that could not be done is tried again
}

// inherit looks for what was left, now and then, until ctx ends. It sends nothing before
// the provider has a token.
func (p *provider) inherit(ctx context.Context) {
	h := &heir{p: p, ended: map[entry]bool{}, later: map[string]time.Time{}}
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for {
		if now := p.session.now(); p.session.held() != nil && !now.Before(h.next) {
			h.next = now.Add(h.look(ctx))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// look goes through the directory once, and says when to look again.
func (h *heir) look(ctx context.Context) time.Duration {
	h.sweep()
	for _, path := range list(h.p.journal.dir, journalEnding) {
		now := h.p.session.now()
		if path == h.p.journal.path(journalEnding) || now.Before(h.later[path]) {
			continue
		}
		switch err := h.take(ctx, path); {
		case ctx.Err() != nil:
			return inheritEvery
		case errors.Is(err, secrets.ErrUnavailable):
			return keepEvery // the breaker bounds what is sent
		case err != nil:
			h.later[path] = now.Add(deniedEvery)
			h.p.tell(ctx, slog.LevelWarn, "vault: what a process left cannot be revoked", "journal", filepath.Base(path), "error", err.Error())
		default:
			delete(h.later, path)
		}
	}
	return inheritEvery
}

// list returns the paths of the files with an ending.
func list(dir, ending string) (paths []string) {
	all, _ := os.ReadDir(dir) // nothing is found where it cannot be read
	for _, e := range all {
		if strings.HasSuffix(e.Name(), ending) && e.Type().IsRegular() {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	return paths
}

// sweep removes locks without a journal, which those leave who are killed between the two.
// It does so with the lock held: who has opened it to make a journal notices.
func (h *heir) sweep() {
	for _, path := range list(h.p.journal.dir, lockEnding) {
		journal := strings.TrimSuffix(path, lockEnding) + journalEnding
		if _, err := os.Stat(journal); !errors.Is(err, os.ErrNotExist) {
			continue
		}
		lock := flock.New(path, flock.SetPermissions(0o600))
		if locked, err := lock.TryLock(); err == nil && locked {
			if _, err := os.Stat(journal); errors.Is(err, os.ErrNotExist) {
				private.Sweep(journal) // what was written and had not taken its place
				_ = os.Remove(path)
			}
		}
		_ = lock.Close()
	}
}

// take revokes what is in the journal of a dead process, and removes it.
func (h *heir) take(ctx context.Context, path string) (err error) {
	lockPath := strings.TrimSuffix(path, journalEnding) + lockEnding
	lock := flock.New(lockPath, flock.SetPermissions(0o600))
	locked, err := lock.TryLock()
	if err != nil {
		return fmt.Errorf("vault: %w", err)
	}
	if !locked {
		return nil // its process lives
	}
	done := false
	defer func() {
		err = errors.Join(err, lock.Close())
		if done {
			_ = os.Remove(lockPath)
		}
	}()
	all, mine, err := read(path, h.p.journal.head)
	if errors.Is(err, os.ErrNotExist) {
		done = true // another was faster
		return nil
	}
	if err != nil || !mine {
		return err
	}
	failed, first := 0, error(nil)
	for _, e := range all {
		if h.ended[e] {
			continue
		}
		switch err := h.end(ctx, e); {
		case err == nil:
			h.ended[e] = true
		case errors.Is(err, secrets.ErrUnavailable) || ctx.Err() != nil:
			return err
		default:
			failed++
			first = errors.Join(first, err)
			if failed == 3 { // what is refused thrice is a matter of policies
				return fmt.Errorf("vault: %w", first)
			}
		}
	}
	if failed > 0 {
		return fmt.Errorf("vault: %w", first)
	}
	private.Sweep(path) // of what was being written anew
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("vault: %w", err)
	}
	for _, e := range all {
		delete(h.ended, e)
	}
	done = true
	if len(all) > 0 {
		h.p.tell(ctx, slog.LevelInfo, "vault: what a process left has been revoked", "journal", filepath.Base(path), "revoked", len(all))
	}
	return nil
}

// end revokes one, with the provider's own token. What is not there any more is done.
func (h *heir) end(ctx context.Context, e entry) error {
	path, body := "auth/token/revoke-accessor", map[string]any{"accessor": e.Accessor}
	if e.Lease != "" {
		path, body = revokeLease, map[string]any{"lease_id": e.Lease, "sync": true}
	}
	_, _, err := h.p.as(ctx, "", http.MethodPost, path, body)
	if err == nil || errors.Is(err, secrets.ErrNotFound) {
		return nil
	}
	return fmt.Errorf("%s: %w", path, err)
}

var (
	accessorForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)
	leaseForm    = regexp.MustCompile(`^[!-~]{1,512}$`)
)

// read returns the entries of a journal that is that of the same Vault. A last line that
// is not whole was not on disk, so that what it names was never used; of other lines that
// make no sense the rest is taken.
func read(path string, head entry) (all []entry, mine bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, false, fmt.Errorf("vault: %w", err)
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxJournal+1))
	switch {
	case err != nil:
		return nil, false, fmt.Errorf("vault: %w", err)
	case len(text) > maxJournal:
		return nil, false, fmt.Errorf("vault: the journal %s has more than %d bytes", filepath.Base(path), maxJournal)
	}
	all, mine = parse(text, head)
	return all, mine, nil
}

func parse(text []byte, head entry) (all []entry, mine bool) {
	for i := 0; ; i++ {
		raw, rest, whole := bytes.Cut(text, []byte("\n"))
		if !whole {
			return all, mine || i == 0
		}
		text = rest
		var e entry
		switch {
		case json.Unmarshal(raw, &e) != nil && i > 0:
		case i == 0:
			if mine = e == head; !mine {
				return nil, false
			}
		case accessorForm.MatchString(e.Accessor) && e.Lease == "", e.Accessor == "" && leaseForm.MatchString(e.Lease):
			all = append(all, entry{Accessor: e.Accessor, Lease: e.Lease})
		}
	}
}
