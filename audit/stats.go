package audit

import "sync"

// Stats are what a log has done since it was opened.
type Stats struct {
	Events        uint64 // recorded
	Checkpoint    string // of the last event, to keep elsewhere; empty before the first
	MirrorFailed  uint64 // events that a mirror returned an error for, or panicked on
	MirrorDropped uint64 // events that a mirror's queue had no room for, or that were left in it at Close
}

// counters are the stats and the health of a log, readable while it is busy.
type counters struct {
	mu    sync.Mutex
	stats Stats
	seq   uint64
	mac   mac
	err   error
}

func (c *counters) recorded(seq uint64, m mac) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.Events++
	c.seq, c.mac = seq, m
}

func (c *counters) mirror(failed, dropped uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.MirrorFailed += failed
	c.stats.MirrorDropped += dropped
}

func (c *counters) unhealthy(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
}

func (c *counters) healthy() { c.unhealthy(nil) }

func (c *counters) health() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func (c *counters) read() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	if c.seq > 0 {
		s.Checkpoint = checkpoint(c.seq, c.mac)
	}
	return s
}
