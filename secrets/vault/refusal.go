package vault

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/safemcp/safemcp/secrets"
)

// A refusal is an answer of Vault that is no success. It says nothing of what Vault
// said: that may quote a path, and a plugin's errors anything.
type refusal struct {
	status int
	reason reason
	wait   time.Duration // that Vault asks for; zero where it does not
}

// A reason is what Vault's words tell that its status does not.
type reason int

const (
	unknown     reason = iota
	tokenEnded         // the token that asked is not there, or not any more
	gone               // what was asked for is not there, or not any more
	notAllowed         // a database's configuration does not name the role
	unsuitable         // a key is not of the kind that can do it
	unrenewable        // a lease or a token is there and cannot be extended
)

// words are how Vault says it, to a status.
var words = []struct {
	status int
	text   string
	reason reason
}{
	{http.StatusForbidden, "invalid token", tokenEnded},
	{http.StatusForbidden, "invalid accessor", gone},
	{http.StatusBadRequest, "token not found", tokenEnded}, // that which asks, to renew itself or to have a child
	{http.StatusBadRequest, "parent token lookup failed", tokenEnded},
	{http.StatusBadRequest, "invalid accessor", gone},
	{http.StatusBadRequest, "lease not found", gone},
	{http.StatusBadRequest, "lease expired", gone},
	{http.StatusBadRequest, "lease is not renewable", unrenewable},
	{http.StatusBadRequest, "unknown role", gone},
	{http.StatusBadRequest, "key not found", gone},
	{http.StatusBadRequest, "not support", unsuitable},
	{http.StatusBadRequest, "unsupported", unsuitable},
	{http.StatusInternalServerError, "is not an allowed role", notAllowed},
	{http.StatusInternalServerError, "past the max TTL", unrenewable},
}

// refused makes a refusal of an answer. What Vault said is looked at and not kept.
func refused(status int, header http.Header, body []byte) *refusal {
	r := &refusal{status: status}
	if seconds := header.Get("Retry-After"); seconds != "" {
		if wait, err := time.ParseDuration(seconds + "s"); err == nil && wait > 0 {
			r.wait = wait
		}
	}
	var said struct {
		Errors []string `json:"errors"`
	}
	if json.Unmarshal(body, &said) != nil {
		return r
	}
	text := strings.Join(said.Errors, "\n")
	for _, w := range words {
		if w.status == status && strings.Contains(text, w.text) {
			r.reason = w.reason
			break
		}
	}
	return r
}

func (r *refusal) Error() string {
	switch {
	case r.reason == tokenEnded:
		return "Vault denied it: the token has ended"
	case r.reason == gone || r.status == http.StatusNotFound:
		return "Vault has none, or none any more"
	case r.reason == notAllowed:
		return "Vault denied it: the configuration of the database does not allow the role"
	case r.reason == unsuitable:
		return "Vault does not do that with this kind of key"
	case r.status == http.StatusForbidden:
		return "Vault denied it: the policies of the token do not allow it, or the token has ended"
	case r.status == http.StatusServiceUnavailable:
		return "Vault is sealed or in maintenance"
	case r.status == http.StatusTooManyRequests:
		return "Vault asks for fewer requests"
	}
	return fmt.Sprintf("Vault answered with the status %d", r.status)
}

// Is makes the errors of [secrets.Provider] of it.
func (r *refusal) Is(target error) bool {
	switch target {
	case secrets.ErrUnavailable:
		return r.passing()
	case secrets.ErrNotFound:
		return r.status == http.StatusNotFound || r.reason == gone
	case secrets.ErrDenied:
		return r.reason != gone && (r.status == http.StatusForbidden || r.status == http.StatusUnauthorized || r.reason == notAllowed)
	case secrets.ErrUnsupported:
		return r.reason == unsuitable
	}
	return false
}

// passing says that it may be over in a while. A redirect is one: a standby that cannot
// hand a request on sends one, and the token is not taken to wherever it says.
func (r *refusal) passing() bool {
	return r.trouble() || (r.status >= 500 && r.reason != notAllowed && r.reason != unrenewable)
}

// trouble says that it is Vault itself that cannot work, and not an engine behind it.
func (r *refusal) trouble() bool {
	switch r.status {
	case http.StatusTooManyRequests, http.StatusPreconditionFailed, http.StatusServiceUnavailable, 472, 473: // the last two are a standby's
		return true
	}
	return r.status >= 300 && r.status < 400
}

// denied says that Vault denied it to this token.
func denied(err error) bool {
	r, is := errors.AsType[*refusal](err)
	return is && r.status == http.StatusForbidden && r.reason != gone
}

// why returns the reason of a refusal.
func why(err error) reason {
	if r, is := errors.AsType[*refusal](err); is {
		return r.reason
	}
	return unknown
}

// A rejection is a login that Vault refused: it answers a wrong SecretID or a role that
// was deleted with 400, as it does a wrong form.
type rejection struct{ *refusal }

func (r rejection) Unwrap() error { return r.refusal }

func (r rejection) Error() string {
	return "Vault does not take the login: its role may have been deleted, or its secret replaced"
}

// Is makes a [secrets.ErrDenied] of it.
func (rejection) Is(target error) bool { return target == secrets.ErrDenied }

// rejected makes a rejection of the refusal of a login that is not one of Vault in trouble.
func rejected(err error) error {
	if r, is := errors.AsType[*refusal](err); is && !r.passing() {
		return rejection{r}
	}
	return err
}
