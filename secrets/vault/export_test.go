package vault

import "os"

// BreakJournal makes every further write to the journal fail.
func BreakJournal(p *Provider) {
	j := p.state().journal
	j.mu.Lock()
	defer j.mu.Unlock()
	_ = j.file.Close()
	_ = os.RemoveAll(j.dir)
}

// LongJournal makes the journal as long as it may be before it is written anew, and
// returns its path.
func LongJournal(p *Provider) string {
	j := p.state().journal
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = 1 << 20
	return j.path(journalEnding)
}
