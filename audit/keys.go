package audit

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"golang.org/x/mod/sumdb/note"
)

// nextSuffix is what the names of keys end in that take the place of the log's own when it
// is opened.
const nextSuffix = ".next"

// NextKeys makes keys that take the place of the log's own in dir when it is opened the
// next time: of the HMACs of arguments, and the one that signs checkpoints. Those that are
// there already stay. A log that has been given its keys in Options does not look at them.
// It is for the user whose keys they are.
//
// The key of HMACs that is replaced is kept as "key.NAME", see [Redactor.Key], so that what
// was recorded with it can be found. Once that file and its copies are gone, nobody can find
// or guess what those HMACs are of, and the log verifies as before: that is how arguments
// are erased from a log that cannot be changed.
func NextKeys(dir string, arguments, signing bool) error {
	for name, wanted := range map[string]bool{keyFile: arguments, signerFile: signing} {
		if wanted && !exists(filepath.Join(dir, name)) {
			return fmt.Errorf("audit: in %s is no log that keeps its own key in the file %s: where the program gives it one in audit.Options, give it another there", dir, name)
		}
		if wanted {
			if err := ours(filepath.Join(dir, name)); err != nil {
				return err
			}
		}
	}
	if path := filepath.Join(dir, keyFile+nextSuffix); arguments && !exists(path) {
		key := make([]byte, minKey)
		rand.Read(key)
		if err := writeWhole(osDisk{}, path, []byte(hex.EncodeToString(key)+"\n")); err != nil {
			return fmt.Errorf("audit: writing the key: %w", err)
		}
	}
	if path := filepath.Join(dir, signerFile+nextSuffix); signing && !exists(path) {
		key, _, err := GenerateKey()
		if err == nil {
			err = writeWhole(osDisk{}, path, []byte(key+"\n"))
		}
		if err != nil {
			return fmt.Errorf("audit: writing the signing key: %w", err)
		}
	}
	return nil
}

// keys reads or makes the keys of the log.
func (l *Log) keys() (err error) {
	key := l.options.Key
	if key == nil {
		if key, err = ownKey(l.disk, l.dir); err != nil {
			return err
		}
	}
	if l.redactor, err = NewRedactor(key); err != nil {
		return err
	}
	signing, former := l.options.SigningKey, l.options.FormerSigningKey
	if signing == "" {
		begun, err := signedBefore(l.dir)
		if err != nil {
			return err
		}
		if signing, err = ownSigner(l.disk, l.dir, begun); err != nil {
			return err
		}
		next, err := readSigner(filepath.Join(l.dir, signerFile+nextSuffix))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err == nil {
			former, signing = signing, next
			l.nextSigner = true
		}
	}
	if l.signer, l.verifier, l.public, err = signerOf(signing); err != nil || former == "" {
		return err
	}
	l.former, l.formerVerifier, l.formerly, err = signerOf(former)
	if beside, was := ReadPublicKey(filepath.Join(l.dir, publicFile)); was == nil && beside == l.public { // the log has gone on to it
		l.former = nil
	}
	return err
}

func signerOf(signing string) (note.Signer, note.Verifier, string, error) {
	public, err := publicOf(signing)
	if err != nil {
		return nil, nil, "", err
	}
	signer, err := note.NewSigner(signing)
	if err != nil {
		return nil, nil, "", fmt.Errorf("audit: the signing key: %w", err)
	}
	verifier, err := verifierOf(public)
	return signer, verifier, public, err
}

// keysTaken puts the keys in their places that the log has gone on to.
func (l *Log) keysTaken() error {
	if l.nextSigner {
		path := filepath.Join(l.dir, signerFile)
		if err := errors.Join(l.disk.rename(path+nextSuffix, path), l.disk.syncDir(l.dir)); err != nil {
			return fmt.Errorf("audit: putting the signing key in its place: %w", err)
		}
	}
	return publish(l.disk, l.dir, l.public)
}

// goOnTo makes another key the one that signs: the events so far are covered with the one
// before, a notice among them, and the next segment begins with a checkpoint that both sign.
func (l *Log) goOnTo(next note.Signer) error {
	former := l.signer
	err := l.record(&Event{Phase: PhaseNotice, Decision: Decision{
		By: "log", Rule: "signing_key", Reason: fmt.Sprintf("from the next segment on checkpoints are signed with the key %s, and no longer with %s", next.Name(), former.Name()),
	}})
	if err != nil {
		return err
	}
	if l.finish(); l.broken != nil {
		return l.broken
	}
	l.signer, l.former = next, former
	err = l.begin()
	if l.former = nil; err != nil {
		return err
	}
	// So that the segment has an event, and a checkpoint behind the first one.
	return l.record(&Event{Phase: PhaseNotice, Decision: Decision{
		By: "log", Rule: "signing_key_begun", Reason: fmt.Sprintf("from this segment on checkpoints are signed with the key %s", next.Name()),
	}})
}

// named says in the log that arguments are keyed with another key than before.
func (l *Log) named(before string) error {
	if before == "" || before == l.redactor.Key() {
		return nil
	}
	return l.record(&Event{Phase: PhaseNotice, Key: l.redactor.Key(), Decision: Decision{
		By: "log", Rule: "field_key", Reason: fmt.Sprintf("from here on the HMACs of arguments are made with the key %s, and no longer with %s: equal values do not join across", l.redactor.Key(), before),
	}})
}
