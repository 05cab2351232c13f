package secrets

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"maps"
	"sync"
	"sync/atomic"
)

const (
	shards = 64
	// maxEntries bounds the credentials that are kept, those of callers who have
	// their own above all.
	maxEntries = 1 << 16
)

// A key says which calls share a credential.
type key struct {
	server, tool string
	tenant       string
	caller       string // empty where callers share
	binding      Binding
}

func keyOf(r *Request) key {
	k := key{server: r.Server, tool: r.Tool, tenant: r.Tenant, binding: r.Binding}
	if r.Binding.caller {
		k.caller = r.Caller
	}
	return k
}

// request is what a provider is asked for it: nothing that the key does not hold, or
// what one caller is given could be made for another.
func (k *key) request() Request {
	return Request{Server: k.server, Tool: k.tool, Tenant: k.tenant, Caller: k.caller, Binding: k.binding}
}

// A cache finds entries by their key. Looking one up takes no lock, so that calls on
// several cores do not wait for each other: a map that is in use is never changed, but
// replaced by a copy.
type cache struct {
	seed   maphash.Seed
	most   int64
	count  atomic.Int64
	shards [shards]shard
}

type shard struct {
	mu      sync.Mutex // of those who change it
	entries atomic.Pointer[map[key]*entry]
}

func newCache() *cache { return &cache{seed: maphash.MakeSeed(), most: maxEntries} }

// shard is told by the one part of the key of which there are the most. It spreads what
// has to be copied, no more: hashing the whole key twice was half of what finding takes.
func (c *cache) shard(k *key) *shard {
	return &c.shards[maphash.String(c.seed, cmp.Or(k.caller, k.tenant, k.tool))%shards]
}

// find returns the entry of k, or nil.
func (c *cache) find(k key) *entry {
	if m := c.shard(&k).entries.Load(); m != nil {
		return (*m)[k]
	}
	return nil
}

// enter returns the entry of k, and makes it where there is none.
func (c *cache) enter(k key) (*entry, error) {
	s := c.shard(&k)
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.entries.Load()
	if old != nil && (*old)[k] != nil {
		return (*old)[k], nil
	}
	if c.count.Add(1) > c.most {
		c.count.Add(-1)
		return nil, fmt.Errorf("secrets: %d credentials are in use, and no more can be: share them between callers", c.most)
	}
	next := map[key]*entry{}
	if old != nil {
		next = maps.Clone(*old)
	}
	e := &entry{key: k, at: -1}
	next[k] = e
	s.entries.Store(&next)
	return e, nil
}

// remove takes e out.
func (c *cache) remove(e *entry) {
	s := c.shard(&e.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.entries.Load()
	if old == nil || (*old)[e.key] != e {
		return
	}
	next := maps.Clone(*old)
	delete(next, e.key)
	s.entries.Store(&next)
	c.count.Add(-1)
}

// all returns the entries that there are.
func (c *cache) all() []*entry {
	var all []*entry
	for i := range c.shards {
		if m := c.shards[i].entries.Load(); m != nil {
			for _, e := range *m {
				all = append(all, e)
			}
		}
	}
	return all
}
