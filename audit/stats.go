package audit

import "sync"

// Stats are what a log has done since it was opened.
type Stats struct {
	Events        uint64        // recorded
	Checkpoint    string        // of the last event, to keep elsewhere; empty before the first
	MirrorFailed  uint64        // of all mirrors together
	MirrorDropped uint64        // of all mirrors together
	Mirrors       []MirrorStats // each, in the order of Options.Mirrors
}

// counters are the stats and the health of a log, readable while it is busy.
type counters struct {
	mu    sync.Mutex
	stats Stats
	seq   uint64
	mac   mac
	err   error

	mirrors []*tally // not changed once the log is open
}

func (c *counters) recorded(seq uint64, m mac) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.Events++
	c.seq, c.mac = seq, m
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
	for _, m := range c.mirrors {
		one := m.read()
		s.Mirrors = append(s.Mirrors, one)
		s.MirrorFailed += one.Failed
		s.MirrorDropped += one.Dropped
	}
	return s
}
