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
// [Log.Record] returns when the event has been written and synced to disk, together with
// those that were recorded meanwhile; one that it refuses leaves nothing behind. After a
// failed write or sync the file is sealed and never written again, since what a failed
// sync leaves on disk is not known; the next event begins another one.
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
// What is in objects and lists is recorded by tags of its own. docs/privacy.md says what of
// it is about persons, and how it is erased: with the key, see [NextKeys].
//
// # What the checkpoints show, and what they do not
//
// The lines are the leaves of a Merkle tree (RFC 6962). Within a second of every event, and
// when the log is closed, its root is signed. [Verify] holds the lines against these
// checkpoints with the public key alone, and finds any that was changed, added, removed or
// moved. It cannot find that the end is missing together with its checkpoints, or that the
// whole was put back to an earlier state: only a checkpoint that was taken to another place
// shows that ([Options].Sinks, [VerifyOptions].Since). And whoever holds the signing key can sign a log of
// their own. [Prove] shows that an event is in the log to somebody who does not have it.
package audit
