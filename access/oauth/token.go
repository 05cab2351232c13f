package oauth

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

var (
	errLong      = errors.New("oauth: the token is too long")
	errParts     = errors.New("oauth: the token does not have three parts")
	errEncoding  = errors.New("oauth: a part of the token is not base64url")
	errUnsigned  = errors.New("oauth: the token is not signed")
	errHeader    = errors.New("oauth: the token's header is not one JSON object that gives each name once")
	errAlgorithm = errors.New("oauth: the token's algorithm is not allowed")
	errType      = errors.New("oauth: the token's type is not that of an access token")
	errCritical  = errors.New("oauth: the token's header demands an extension that is not understood")
	errEmbedded  = errors.New("oauth: the token brings a key of its own")
	errKeyID     = errors.New("oauth: the token's key ID is not a string")
)

// A token is a JWS in compact form (RFC 7515 section 7.1), taken apart. Nothing in it
// is to be believed before the signature has been checked.
type token struct {
	signed    string // what the signature is over
	signature []byte
	header    map[string]json.RawMessage
	payload   []byte
}

// cut takes a token apart.
func cut(text string) (*token, error) {
	at := strings.LastIndexByte(text, '.')
	if strings.Count(text, ".") != 2 {
		return nil, errParts
	}
	header, payload, _ := strings.Cut(text[:at], ".")
	if strings.ContainsAny(text, "\r\n") { // which Go's decoder passes over
		return nil, errEncoding
	}
	t := &token{signed: text[:at]}
	var parts [3][]byte
	for i, part := range []string{header, payload, text[at+1:]} {
		var err error
		if parts[i], err = base64.RawURLEncoding.Strict().DecodeString(part); err != nil {
			return nil, errEncoding // the error would quote it
		}
	}
	t.payload, t.signature = parts[1], parts[2]
	if len(t.signature) == 0 {
		return nil, errUnsigned
	}
	if t.header = object(parts[0]); t.header == nil {
		return nil, errHeader
	}
	return t, nil
}

// object reads a JSON object whose names, at any depth, are each given once; nil where
// it is none. Of two members with one name another reader would believe the other (RFC
// 7515 section 4, RFC 8725 section 2.4). A map, since a struct would take Alg for alg.
func object(raw []byte) map[string]json.RawMessage {
	var out map[string]json.RawMessage
	if !jsontext.Value(raw).IsValid() || json.Unmarshal(raw, &out) != nil {
		return nil
	}
	return out
}

// text reads a JSON string; null is none.
func text(raw json.RawMessage) (s string, ok bool) {
	if len(raw) == 0 || raw[0] != '"' {
		return "", false
	}
	return s, json.Unmarshal(raw, &s) == nil
}

// check looks at the header and returns which algorithm and key the token names.
func (t *token) check(algorithms, types []string) (alg, kid string, err error) {
	alg, ok := text(t.header["alg"])
	if !ok || !slices.Contains(algorithms, alg) {
		return "", "", errAlgorithm
	}
	if types != nil {
		typ, ok := text(t.header["typ"])
		if !ok || !slices.ContainsFunc(types, func(t string) bool { return strings.EqualFold(t, typ) }) { // media types have no case (RFC 7515 section 4.1.9)
			return "", "", errType
		}
	}
	if _, ok := t.header["crit"]; ok { // RFC 7515 section 4.1.11; there is no extension that we know
		return "", "", errCritical
	}
	for _, name := range []string{"jwk", "jku", "x5u", "x5c"} { // a key from whoever made the token proves nothing
		if _, ok := t.header[name]; ok {
			return "", "", errEmbedded
		}
	}
	if raw, given := t.header["kid"]; given {
		if kid, ok = text(raw); !ok || kid == "" {
			return "", "", errKeyID
		}
	}
	return alg, kid, nil
}
