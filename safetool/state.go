package safetool

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// stateLifetime bounds how long a person may take over a question. A state that
// is older is refused; the caller starts over.
const stateLifetime = 15 * time.Minute

// A state is what travels through the client between the rounds of a call that
// asks its user something. The specification says that servers must treat it as
// attacker-controlled, so it is sealed, and bound to everything that the
// question was asked about: another caller, feature or set of arguments cannot
// use the answer.
type state struct {
	Call    string   `json:"c"` // the correlation key of the first round
	Subject string   `json:"p"` // the principal's ID
	Method  string   `json:"m"`
	Name    string   `json:"n"`           // tool, prompt or resource URI
	Args    string   `json:"a"`           // digest of the canonical arguments
	Asked   []string `json:"q"`           // ids of the questions that were asked
	Round   int      `json:"r"`           // how many rounds came before
	Expires int64    `json:"x"`           // Unix seconds
	Inner   string   `json:"s,omitempty"` // the handler's own state
}

var (
	errStateForeign = errors.New("the requestState was not issued by this server, or was changed")
	errStateExpired = errors.New("the requestState has expired")
)

// A sealer seals states with AES-256-GCM under a key of this process.
type sealer struct{ aead cipher.AEAD }

func newSealer() (*sealer, error) {
	master := make([]byte, 32)
	rand.Read(master)
	return newSealerFrom(master, "requestState")
}

// newSealerFrom derives the key of one purpose (RFC 5869), so that what is
// sealed for one purpose never opens as another.
func newSealerFrom(master []byte, purpose string) (*sealer, error) {
	key, err := hkdf.Key(sha256.New, master, nil, "safemcp/v1/"+purpose, 32)
	if err != nil {
		return nil, fmt.Errorf("deriving a key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("AES: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("GCM: %w", err)
	}
	return &sealer{aead}, nil
}

func (s *sealer) seal(plain []byte) string {
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nil, nil, plain, nil)) //nolint:gosec // this AEAD makes a nonce of its own
}

func (s *sealer) open(sealed string) ([]byte, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(sealed)
	if err != nil {
		return nil, errStateForeign
	}
	plain, err := s.aead.Open(nil, nil, raw, nil)
	if err != nil {
		return nil, errStateForeign
	}
	return plain, nil
}

func (s *sealer) sealState(st *state) string {
	plain, err := json.Marshal(st)
	if err != nil {
		panic("safetool: a state of strings does not marshal: " + err.Error())
	}
	return s.seal(plain)
}

func (s *sealer) openState(sealed string, now time.Time) (*state, error) {
	plain, err := s.open(sealed)
	if err != nil {
		return nil, err
	}
	var st state
	if err := json.Unmarshal(plain, &st); err != nil {
		return nil, errStateForeign
	}
	if now.Unix() > st.Expires {
		return nil, errStateExpired
	}
	return &st, nil
}
