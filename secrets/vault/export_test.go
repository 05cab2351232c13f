package vault

import (
	"os"
	"time"
)

// InheritEvery sets how often journals are looked for.
func InheritEvery(d time.Duration) { inheritEvery = d }

// BreakJournal makes every further write to the journal fail.
func BreakJournal(p *Provider) {
	j := p.state().journal
	j.mu.Lock()
	defer j.mu.Unlock()
	_ = j.file.Close()
	_ = os.RemoveAll(j.dir)
}
