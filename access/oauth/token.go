package oauth

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/safemcp/safemcp/access"
)

// A header is that of a token. Members that bring a key along are none of it: keys
// come from the issuer (RFC 8725 section 3.10).
type header struct {
	Alg  string          `json:"alg"`
	Kid  string          `json:"kid"`
	Typ  string          `json:"typ"`
	Crit json.RawMessage `json:"crit"`
	B64  json.RawMessage `json:"b64"`
}

// A token is taken apart, and not verified yet.
type token struct {
	header    header
	claims    map[string]json.RawMessage
	signed    string
	signature []byte
}

// read takes a token apart.
func read(text string) (*token, error) {
	if len(text) > mostToken {
		return nil, fmt.Errorf("the token is longer than %d bytes", mostToken)
	}
	parts := strings.Split(text, ".")
	if len(parts) != 3 || parts[2] == "" {
		return nil, errors.New("the token is not a signed JWT of three parts")
	}
	t := &token{signed: text[:len(parts[0])+1+len(parts[1])]}
	if err := decode(parts[0], &t.header); err != nil {
		return nil, fmt.Errorf("the token's header: %w", err)
	}
	if err := decode(parts[1], &t.claims); err != nil {
		return nil, fmt.Errorf("the token's claims: %w", err)
	}
	if t.header.Crit != nil || t.header.B64 != nil {
		return nil, errors.New("the token's header asks for an extension that is not known")
	}
	var err error
	if t.signature, err = base64.RawURLEncoding.Strict().DecodeString(parts[2]); err != nil {
		return nil, errors.New("the token's signature is not base64url")
	}
	return t, nil
}

// decode reads a part of a token: an object, in which no name is given twice, since
// two readers would take different ones.
func decode(part string, v any) error {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return errors.New("it is not base64url")
	}
	if !jsontext.Value(raw).IsValid() || jsontext.Value(raw).Kind() != '{' {
		return errors.New("it is not one JSON object with each name once")
	}
	if json.Unmarshal(raw, v) != nil {
		return errors.New("a member has the wrong type")
	}
	return nil
}

// text returns a claim that is a text, "" for any other.
func (t *token) text(path string) string {
	var text string
	if raw := t.at(path); raw == nil || json.Unmarshal(raw, &text) != nil {
		return ""
	}
	return text
}

// at returns the claim at a path of names with dots between; a name that has dots
// itself goes first.
func (t *token) at(path string) json.RawMessage {
	if raw, ok := t.claims[path]; ok {
		return raw
	}
	claims := t.claims
	for {
		name, rest, more := strings.Cut(path, ".")
		raw, ok := claims[name]
		if !ok || !more {
			return raw
		}
		claims = nil
		if json.Unmarshal(raw, &claims) != nil {
			return nil
		}
		path = rest
	}
}

// texts returns a claim that is a list of texts, or one text with spaces between.
func (t *token) texts(path string) []string {
	raw := t.at(path)
	if raw == nil {
		return nil
	}
	var list []string
	if json.Unmarshal(raw, &list) == nil {
		return slices.DeleteFunc(list, func(s string) bool { return s == "" })
	}
	return strings.Fields(t.text(path))
}

// moment returns a claim that is a NumericDate (RFC 7519 section 2).
func (t *token) moment(name string) (at time.Time, there bool, err error) {
	raw, ok := t.claims[name]
	if !ok {
		return at, false, nil
	}
	var seconds float64
	if json.Unmarshal(raw, &seconds) != nil || string(raw) == "null" || math.Abs(seconds) > 1<<40 {
		return at, true, fmt.Errorf("the token's %s is not a date", name)
	}
	return time.Unix(int64(seconds), 0), true, nil
}

// checkTimes says whether a token is valid at a time, and until when it is.
func (t *token) checkTimes(now time.Time, skew time.Duration) (expires time.Time, err error) {
	expires, there, err := t.moment("exp")
	switch {
	case err != nil:
		return expires, err
	case !there:
		return expires, errors.New("the token does not say when it expires")
	case !now.Before(expires.Add(skew)):
		return expires, errors.New("the token has expired")
	}
	for _, name := range []string{"nbf", "iat"} {
		at, there, err := t.moment(name)
		if err != nil {
			return expires, err
		}
		if there && at.After(now.Add(skew)) {
			return expires, fmt.Errorf("the token is not valid yet: its %s is to come", name)
		}
	}
	return expires, nil
}

// isFor says whether the audience of a token is exactly this one, or has it.
func (t *token) isFor(audience string) bool {
	var many []string
	if raw := t.claims["aud"]; raw != nil && json.Unmarshal(raw, &many) == nil {
		return slices.Contains(many, audience)
	}
	one := t.text("aud")
	return one != "" && one == audience
}

const mostActors = 8

// actors are those who act for the subject (RFC 8693 section 4.1), the current one
// first.
func (t *token) actors(issuer string) (all []string, err error) {
	type actor struct {
		Issuer  string `json:"iss"`
		Subject string `json:"sub"`
		Act     *actor `json:"act"`
	}
	raw, ok := t.claims["act"]
	if !ok {
		return nil, nil
	}
	var a *actor
	if json.Unmarshal(raw, &a) != nil {
		return nil, errors.New("the token's act is not an actor")
	}
	for ; a != nil; a = a.Act {
		if len(all) == mostActors {
			return nil, errors.New("the token's act is nested too deep")
		}
		from := a.Issuer
		if from == "" {
			from = issuer
		}
		all = append(all, access.NewPrincipal(from, a.Subject).ID)
	}
	return all, nil
}
