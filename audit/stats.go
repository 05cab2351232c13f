package audit

import "sync"

// Stats are what a log has done since it was opened.
type Stats struct {
	Events        uint64        // recorded
	Lost          uint64        // Buffered events that could not be written
	Syncs         uint64        // writes of events and of checkpoints, each of which was synced: a batch is one
	Covered       uint64        // events of the log, of this run and those before, that a checkpoint covers
	Checkpoint    string        // the last one that was signed, to keep elsewhere; empty before the first
	MirrorFailed  uint64        // of all mirrors together
	MirrorDropped uint64        // of all mirrors together
	Mirrors       []MirrorStats // each, in the order of Options.Mirrors
	Sinks         []SinkStats   // each, in the order of Options.Sinks
	Retention     string        // why segments that may go do not, if there is an error
}

// counters are the stats and the health of a log, readable while it is busy.
type counters struct {
	mu    sync.Mutex
	stats Stats
	err   error

	mirrors []*tally // not changed once the log is open
}

func (c *counters) recorded() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.Events++
}

func (c *counters) lost() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.Lost++
}

func (c *counters) synced() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.Syncs++
}

// signed notes a checkpoint.
func (c *counters) signed(size uint64, note string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.Covered, c.stats.Checkpoint = size, note
}

func (c *counters) retained(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stats.Retention = ""; err != nil {
		c.stats.Retention = err.Error()
	}
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
	for _, m := range c.mirrors {
		one := m.read()
		s.Mirrors = append(s.Mirrors, one)
		s.MirrorFailed += one.Failed
		s.MirrorDropped += one.Dropped
	}
	return s
}
