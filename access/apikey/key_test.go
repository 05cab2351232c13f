package apikey

import (
	"errors"
	"fmt"
	"hash/crc32"
	"regexp"
	"strings"
	"testing"
)

var wanted = regexp.MustCompile(`\Amsk_[a-z0-9]{10,16}_[A-Z2-7]{32}[0-9A-F]{8}\z`)

// again puts the checksum on that belongs there, as somebody who tries keys would.
func again(text string) string { return fmt.Sprintf("%s%08X", text, crc32.ChecksumIEEE([]byte(text))) }

func TestAKeyHasItsFormAndNoTwoAreAlike(t *testing.T) {
	t.Parallel()
	ids, secrets := map[string]bool{}, map[string]bool{}
	for range 1000 {
		id, key := newKey()
		if got, ok := parse([]byte(key)); !ok || string(got) != id || !wanted.MatchString(key) || again(key[:len(key)-8]) != key {
			t.Fatalf("%s: %q, %v", key, got, ok)
		}
		secret := key[len(prefix+id+"_"):][:secretLength]
		if ids[id] || secrets[secret] {
			t.Fatalf("%s was there before", key)
		}
		ids[id], secrets[secret] = true, true
	}
}

// One byte that is another one, at each place and of each value, is known by the form
// of the key alone.
func TestNoKeyWithOneCharacterChangedIsTaken(t *testing.T) {
	t.Parallel()
	s, _ := fresh(t)
	key, _ := create(t, s, ada)
	if _, err := ask(s, key); err != nil {
		t.Fatal(err)
	}
	refuse := func(changed string) {
		t.Helper()
		if p, err := ask(s, changed); !errors.Is(err, ErrMalformed) || p.Known() || told(err.Error(), key) {
			t.Fatalf("%q: %v, %v", changed, p, err)
		}
		if strings.HasPrefix(changed, " ") { // RFC 9110 section 11.4 allows spaces after "Bearer"
			return
		}
		if p, err := s.Authenticate(with("Authorization", "Bearer "+changed), nil); err == nil || p.Known() {
			t.Fatalf("%q as a bearer token: %v", changed, p)
		}
	}
	for i := range len(key) {
		for c := range 256 {
			if changed := key[:i] + string([]byte{byte(c)}) + key[i+1:]; changed != key {
				refuse(changed)
			}
			refuse(key[:i] + string([]byte{byte(c)}) + key[i:])
		}
		refuse(key[:i] + key[i+1:])
		refuse(key[:i])
		refuse(key[i+1:])
		if i > 0 && key[i] != key[i-1] {
			refuse(key[:i-1] + key[i:i+1] + key[i-1:i] + key[i+1:])
		}
	}
	for _, changed := range []string{strings.ToUpper(key), strings.ToLower(key), key + key, key + " ", " " + key, key + "\n", strings.Repeat(key, 1<<12)} {
		refuse(changed)
	}
}

// The checksum is for mistakes; who knows how it is made needs the secret all the same.
func TestNoKeyIsTakenForItsChecksum(t *testing.T) {
	t.Parallel()
	s, _ := fresh(t)
	key, e := create(t, s, ada)
	other, _ := create(t, s, ada)
	body := len(key) - crcLength
	for i := len(prefix); i < body; i++ {
		for _, c := range []byte("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_") {
			if key[i] == c {
				continue
			}
			changed := again(key[:i] + string([]byte{c}) + key[i+1:body])
			p, err := ask(s, changed)
			if err == nil || p.Known() || told(err.Error(), key) {
				t.Fatalf("%s: %v, %v", changed, p, err)
			}
			if _, formed := parse([]byte(changed)); formed != wanted.MatchString(changed) {
				t.Fatalf("%s: %v", changed, formed)
			}
			if i > len(prefix+e.ID) && wanted.MatchString(changed) && !errors.Is(err, ErrWrong) {
				t.Fatalf("%s: %v", changed, err)
			}
		}
	}
	// the secret of another key of the store
	if p, err := ask(s, again(prefix+e.ID+other[len(prefix+e.ID):body])); !errors.Is(err, ErrWrong) || p.Known() {
		t.Errorf("%v, %v", p, err)
	}
	id, unknown := newKey()
	if p, err := ask(s, unknown); !errors.Is(err, ErrUnknown) || p.Known() || !strings.Contains(err.Error(), id) {
		t.Errorf("%v, %v", p, err)
	}
}

func FuzzKeys(f *testing.F) {
	_, key := newKey()
	for _, text := range []string{key, "", prefix, again(prefix + "aaaaaaaaaa_" + strings.Repeat("A", 32)), again(prefix + strings.Repeat("9", 16) + "_" + strings.Repeat("7", 32)), prefix + "_" + key} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id, ok := parse([]byte(text))
		right := wanted.MatchString(text) && again(text[:max(0, len(text)-8)]) == text
		if ok != right || ok && !strings.HasPrefix(text, prefix+string(id)+"_") {
			t.Errorf("%q: %q, %v", text, id, ok)
		}
	})
}
