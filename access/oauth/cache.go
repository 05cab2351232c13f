package oauth

import (
	"crypto/sha256"
	"sync"
	"time"

	"github.com/safemcp/safemcp/access"
)

const (
	maxCached      = 10_000
	maxCachedBytes = 32 << 20 // of tokens; what is kept of one is about as long
)

// A cache remembers tokens that were verified, by their hash: a copy of the process's
// memory holds none that could be presented.
type cache struct {
	mu      sync.RWMutex
	entries map[digest]*cached
	bytes   int
}

type digest [sha256.Size]byte

type cached struct {
	principal access.Principal
	key       fingerprint // that signed
	until     time.Time
	size      int
}

func newCache() *cache { return &cache{entries: make(map[digest]*cached)} }

func (c *cache) get(d digest) *cached {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.entries[d]
}

// drop forgets a token, unless it has been verified anew meanwhile.
func (c *cache) drop(d digest, e *cached) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries[d] == e {
		c.remove(d)
	}
}

// put remembers a token. Where there is no room another goes, any: only tokens that
// the issuer signed are here, so nobody can crowd others out without it.
func (c *cache) put(d digest, e *cached, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(d)
	for len(c.entries) > 0 && (len(c.entries) >= maxCached || c.bytes+e.size > maxCachedBytes) {
		c.evict(now)
	}
	c.entries[d] = e
	c.bytes += e.size
}

// evict takes out the expired ones among a few, or else one of them. A map begins
// anywhere.
func (c *cache) evict(now time.Time) {
	var last digest
	looked, gone := 0, false
	for d, e := range c.entries {
		if last = d; !now.Before(e.until) {
			c.remove(d)
			gone = true
		}
		if looked++; looked == 8 {
			break
		}
	}
	if !gone {
		c.remove(last)
	}
}

func (c *cache) remove(d digest) {
	if e := c.entries[d]; e != nil {
		c.bytes -= e.size
		delete(c.entries, d)
	}
}
