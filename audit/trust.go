package audit

import "golang.org/x/mod/sumdb/note"

// Trust is which key the checkpoints of a log are held against while it is read. It begins
// with the one that the reader knows, and follows the log where that changes its key: the
// checkpoint with which it does is signed with both.
//
// A reader may know a key that the log had only later. What is before that key's first
// checkpoint is then taken as it comes, and held against that checkpoint, which covers all of
// it: a log in which it never comes is signed by somebody else.
type trust struct {
	verifier note.Verifier // nil: signatures are not looked at
	awaiting bool          // the first checkpoint of the key
	first    error         // of a checkpoint that was not signed with it, while it is awaited
}

// trusting returns the trust of who knows a key; nil is none.
func trusting(verifier note.Verifier) trust { return trust{verifier: verifier, awaiting: true} }

// open reads a checkpoint, and says whether it is signed as it has to be.
func (t *trust) open(signed []byte, where func(error) error) (*checkpoint, error) {
	c, err := openCheckpoint(signed, nil)
	if err != nil || t.verifier == nil {
		return c, err
	}
	var next note.Verifier
	if c.key != "" {
		former, err := verifierOf(c.former)
		if next, _ = verifierOf(c.key); err != nil || next == nil || !signedByBoth(signed, former, next) || (!t.awaiting && !sameKey(former, t.verifier) && !sameKey(next, t.verifier)) {
			return nil, errSignature
		}
	}
	switch {
	case !signedBy(signed, t.verifier):
		if !t.awaiting {
			return nil, errSignature
		}
		if t.first == nil {
			t.first = where(errSignature)
		}
		return c, nil
	case t.first != nil && !sameKey(next, t.verifier): // it is no first one of its key
		return nil, t.first
	}
	t.awaiting, t.first = false, nil
	if next != nil {
		t.verifier = next
	}
	return c, nil
}

// signedByBoth says that the signatures of a note are those of two keys, and good ones.
func signedByBoth(signed []byte, a, b note.Verifier) bool {
	if sameKey(a, b) {
		return false
	}
	n, err := note.Open(signed, note.VerifierList(a, b))
	return err == nil && len(n.Sigs) == 2 && len(n.UnverifiedSigs) == 0 && n.Sigs[0].Hash == a.KeyHash() && n.Sigs[1].Hash == b.KeyHash()
}

func sameKey(a, b note.Verifier) bool {
	return a != nil && b != nil && a.Name() == b.Name() && a.KeyHash() == b.KeyHash()
}

// settled is nil where the key that was known has signed, once all has been read.
func (t *trust) settled() error { return t.first }
