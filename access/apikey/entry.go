package apikey

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// A Grant is whom a key names and what that caller may do.
type Grant struct {
	// Name is the subject of the principal, 1 to 128 printable characters. Several
	// keys may have one name, and are then one caller to limits and sessions; they
	// must be of one tenant.
	Name string `json:"name"`
	// Tenant is the organisation that the caller belongs to; empty where there is
	// only one.
	Tenant string `json:"tenant,omitempty"`
	// Roles and Scopes are what the key grants, at most 64 of each. A scope is what
	// RFC 6749 section 3.3 allows: ASCII without spaces, quotes and backslashes.
	Roles  []string `json:"roles,omitempty"`
	Scopes []string `json:"scopes,omitempty"`
	// Expires is when the key ends; zero where it does not. It is kept in whole
	// seconds.
	Expires time.Time `json:"expires,omitzero"`
}

// An Entry is what the store knows of a key: everything but the key.
type Entry struct {
	// ID names the key, in lists and in the audit log. It is not secret.
	ID string `json:"id"`
	Grant
	Created time.Time `json:"created"`
	// Revoked is when the key was taken back; zero where it was not.
	Revoked time.Time `json:"revoked,omitzero"`
	// Replaces and ReplacedBy are the ids of the keys before and after this one in a
	// rotation.
	Replaces   string `json:"replaces,omitempty"`
	ReplacedBy string `json:"replaced_by,omitempty"`
}

// Errors of keys. [Store.Authenticate] wraps them for the audit log.
var (
	// ErrMalformed says that what was presented is no key: mistyped, cut short, or
	// something else.
	ErrMalformed = errors.New("it does not have the form of one")
	// ErrAmbiguous says that a request presents more than one credential.
	ErrAmbiguous = errors.New("the request presents more than one credential")
	// ErrUnknown says that the store has no key with that id.
	ErrUnknown = errors.New("the store has no key with that id")
	// ErrWrong says that there is a key with that id, and this is not it.
	ErrWrong = errors.New("the secret is not the one of the key with that id")
	// ErrExpired says that the key has ended.
	ErrExpired = errors.New("it has expired")
	// ErrRevoked says that the key was taken back.
	ErrRevoked = errors.New("it was revoked")
)

// Check returns ErrRevoked or ErrExpired where the key is not valid at a time.
func (e Entry) Check(now time.Time) error {
	switch {
	case !e.Revoked.IsZero():
		return ErrRevoked
	case !e.Expires.IsZero() && !now.Before(e.Expires):
		return ErrExpired
	}
	return nil
}

// clone shares nothing with e.
func (e Entry) clone() Entry {
	e.Roles, e.Scopes = slices.Clone(e.Roles), slices.Clone(e.Scopes)
	return e
}

const (
	mostCharacters = 128
	mostGranted    = 64
)

// Check returns an error where a store would not take the grant, apart from an expiry
// that has passed.
func (g Grant) Check() error {
	if err := printable("name", g.Name); err != nil {
		return err
	}
	if g.Tenant != "" {
		if err := printable("tenant", g.Tenant); err != nil {
			return err
		}
	}
	if len(g.Roles) > mostGranted || len(g.Scopes) > mostGranted {
		return fmt.Errorf("apikey: a key has at most %d roles and as many scopes", mostGranted)
	}
	for _, r := range g.Roles {
		if err := printable("role", r); err != nil {
			return err
		}
	}
	for _, s := range g.Scopes {
		notToken := func(c rune) bool { return c <= ' ' || c > '~' || c == '"' || c == '\\' }
		if s == "" || len(s) > mostCharacters || strings.ContainsFunc(s, notToken) {
			return fmt.Errorf("apikey: the scope %.140q is none: a scope is 1 to %d ASCII characters without spaces, quotes and backslashes; give each its own", s, mostCharacters)
		}
	}
	if g.Expires.Year() > 9999 {
		return errors.New("apikey: the expiry is after the year 9999: leave it out for a key that does not end")
	}
	return nil
}

// printable keeps out what could forge a line of a log or a table, or turn around the
// text after it, and what looks like another name.
func printable(what, s string) error {
	switch {
	case s == "" || utf8.RuneCountInString(s) > mostCharacters:
		return fmt.Errorf("apikey: the %s must have 1 to %d characters", what, mostCharacters)
	case !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Errorf("apikey: the %s %.140q has a character in it that is not printable", what, s)
	case strings.TrimSpace(s) != s:
		return fmt.Errorf("apikey: the %s %.140q begins or ends with a space", what, s)
	}
	return nil
}
