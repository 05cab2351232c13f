package apikey

import (
	"bytes"
	"crypto/rand"
	"encoding/base32"
	"hash/crc32"
)

// The form of a key: the prefix, the id, a low line, the secret, the checksum.
const (
	prefix       = "msk_"
	shortestID   = 10
	longestID    = 16
	idLength     = 12 // of those that are made here: 60 bits
	secretBytes  = 20
	secretLength = 32
	crcLength    = 8
	longest      = len(prefix) + longestID + 1 + secretLength + crcLength
)

const alphabet = "abcdefghijklmnopqrstuvwxyz234567"

// newKey makes a key of random bits.
func newKey() (id, key string) {
	lower := base32.NewEncoding(alphabet).WithPadding(base32.NoPadding)
	id = lower.EncodeToString(random(8))[:idLength]
	key = prefix + id + "_" + base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(random(secretBytes))
	crc := checksum([]byte(key))
	return id, key + string(crc[:])
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails (Go 1.24)
	return b
}

// parse returns the id of what has the form of a key, down to its checksum. That says
// nothing of whether there is such a key.
func parse(key []byte) (id []byte, ok bool) {
	rest, ok := bytes.CutPrefix(key, []byte(prefix))
	if !ok || len(key) > longest {
		return nil, false
	}
	id, tail, ok := bytes.Cut(rest, []byte("_"))
	if !ok || !isID(id) || len(tail) != secretLength+crcLength {
		return nil, false
	}
	for _, c := range tail[:secretLength] {
		if (c < 'A' || c > 'Z') && (c < '2' || c > '7') {
			return nil, false
		}
	}
	if crc := checksum(key[:len(key)-crcLength]); !bytes.Equal(crc[:], tail[secretLength:]) {
		return nil, false
	}
	return id, true
}

func isID[T string | []byte](id T) bool {
	if len(id) < shortestID || len(id) > longestID {
		return false
	}
	for _, c := range []byte(id) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// checksum is the CRC-32 (IEEE) in upper-case hexadecimal digits.
func checksum(b []byte) (text [crcLength]byte) {
	sum := crc32.ChecksumIEEE(b)
	for i := range text {
		text[i] = "0123456789ABCDEF"[sum>>28]
		sum <<= 4
	}
	return text
}
