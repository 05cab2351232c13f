// Package audit is a log of who called what, whether they were let, and how it
// ended, which a server cannot skip and nobody can change unnoticed.
//
//	trail, err := audit.Open("/var/lib/weather/audit", nil)
//	if err != nil {
//		return err
//	}
//	defer trail.Close()
//	server, err := safetool.NewServer(impl, &safetool.Options{Audit: trail})
//
// [Log.Record] returns when the event has been written and synced to disk; one that
// it refuses leaves nothing behind. After a failed write or sync the file is sealed
// and never written again, since what a failed sync leaves on disk is not known;
// the next event begins another one.
//
// # What is in an event
//
// Arguments are redacted before anything is written. Booleans, and values from a
// closed list, are recorded as they are: an auditor reads what was chosen. All else
// is recorded as a keyed HMAC and a length: nobody reads what was typed, and equal
// values of a field can be joined by whoever holds the log, but not guessed without
// the key. A tag says otherwise:
//
//	type Args struct {
//		Ticket string `json:"ticket" audit:"clear"` // clear, hmac, len or drop
//	}
//
// # What the chain shows, and what it does not
//
// Every line carries an HMAC over itself and over the line before, with a key that
// lies in the log's directory unless [Options] gives one. [Verify] finds a line that
// was changed, added, removed or moved. It cannot find that lines are missing from
// the end, or that the whole was put back to an earlier state: only a checkpoint that
// was taken to another place shows that ([VerifyOptions].Since). And whoever holds
// the key can write a chain of their own.
package audit
