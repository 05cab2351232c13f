package vault

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/safemcp/safemcp/secrets"
)

// A Login is how a [Provider] proves to Vault what it is: [Token], [AppRole], [JWT] or
// [Kubernetes]. It is safe for concurrent use.
type Login interface {
	// login returns a fresh token, or nil where there is none but the given one.
	login(ctx context.Context, c *client) (*auth, error)
}

// Token is a login with a token that somebody else made and renews. It is not revoked
// by Close, and when it ends, every credential is refused until the program is started
// with another.
// It panics where it is empty or holds what no token does, such as the newline at the end
// of a file, which is a mistake of wiring.
func Token(token secrets.Secret) Login {
	if token.Use(sendable) != nil {
		panic("vault: Token needs a token, without spaces or newlines around it")
	}
	return &givenToken{token}
}

// sendable refuses what cannot be the value of a header.
func sendable(value []byte) error {
	if slices.ContainsFunc(value, func(c byte) bool { return c <= ' ' || c >= 0x7f }) {
		return errors.New("vault: a token holds a character that none has")
	}
	return nil
}

type givenToken struct{ token secrets.Secret }

func (g *givenToken) login(ctx context.Context, c *client) (*auth, error) {
	a, err := c.do(ctx, http.MethodGet, "auth/token/lookup-self", g.token, nil)
	if err != nil {
		return nil, fmt.Errorf("vault: the given token: %w", err)
	}
	var data struct {
		Accessor  string            `json:"accessor"`
		TTL       int               `json:"ttl"`
		Renewable bool              `json:"renewable"`
		Meta      map[string]string `json:"meta"`
	}
	if err := a.into(&data); err != nil {
		return nil, err
	}
	out := &auth{Accessor: data.Accessor, Lifetime: data.TTL, Renewable: data.Renewable, Metadata: data.Meta}
	return out, g.token.Use(func(b []byte) error { out.Token = string(b); return nil })
}

// AppRoleOptions are what a login with an AppRole needs.
type AppRoleOptions struct {
	RoleID string // no secret
	// SecretID is the secret part; or SecretIDFile is the path of a file that holds
	// it, which is read at each login, so that it can be replaced.
	SecretID     secrets.Secret
	SecretIDFile string
	// Wrapped says that what was given is a wrapping token, which gives the SecretID
	// once. One that was unwrapped by somebody else fails, and so does one into which
	// they put the SecretID again, which is how a theft shows.
	Wrapped bool
	Mount   string // where the method is mounted; "approle" where empty
}

// AppRole is a login with a RoleID and a SecretID. It panics where one of them is
// missing, which is a mistake of wiring.
func AppRole(o AppRoleOptions) Login {
	if o.RoleID == "" || o.SecretID.IsZero() == (o.SecretIDFile == "") {
		panic("vault: AppRole needs a RoleID, and either a SecretID or a SecretIDFile")
	}
	o.Mount = mountOf(o.Mount, "approle")
	return &appRole{options: o}
}

type appRole struct {
	options AppRoleOptions

	mu        sync.Mutex
	unwrapped secrets.Secret
	of        [sha256.Size]byte // the wrapping token that it came from
}

func (r *appRole) login(ctx context.Context, c *client) (*auth, error) {
	given := r.options.SecretID
	if r.options.SecretIDFile != "" {
		var err error
		if given, err = fileOf(r.options.SecretIDFile); err != nil {
			return nil, err
		}
	}
	if r.options.Wrapped {
		var err error
		if given, err = r.unwrap(ctx, c, given); err != nil {
			return nil, err
		}
	}
	body := map[string]string{"role_id": r.options.RoleID}
	if err := given.Use(func(b []byte) error { body["secret_id"] = string(b); return nil }); err != nil {
		return nil, fmt.Errorf("vault: the SecretID: %w", err)
	}
	return loginAt(ctx, c, r.options.Mount, body)
}

// unwrap gives the SecretID of a wrapping token, once for each token.
func (r *appRole) unwrap(ctx context.Context, c *client, wrapping secrets.Secret) (secrets.Secret, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var of [sha256.Size]byte
	if err := wrapping.Use(func(b []byte) error { of = sha256.Sum256(b); return sendable(b) }); err != nil {
		return secrets.Secret{}, fmt.Errorf("vault: the wrapping token: %w", err)
	}
	if of == r.of && !r.unwrapped.IsZero() {
		return r.unwrapped, nil
	}
	if err := r.untouched(ctx, c, wrapping); err != nil {
		return secrets.Secret{}, err
	}
	a, err := c.do(ctx, http.MethodPost, "sys/wrapping/unwrap", wrapping, nil)
	if err != nil {
		return secrets.Secret{}, stolen("cannot be unwrapped", rejected(err))
	}
	var data struct {
		SecretID string `json:"secret_id"`
	}
	if err := a.into(&data); err != nil || data.SecretID == "" {
		return secrets.Secret{}, errors.New("vault: the wrapping token did not wrap a SecretID")
	}
	r.unwrapped, r.of = secrets.NewSecret([]byte(data.SecretID)), of
	return r.unwrapped, nil
}

// untouched says whether a wrapping token is the one that was made with the SecretID:
// whoever has unwrapped that may have wrapped the SecretID again, to hide it.
func (r *appRole) untouched(ctx context.Context, c *client, wrapping secrets.Secret) error {
	body := map[string]string{}
	if err := wrapping.Use(func(b []byte) error { body["token"] = string(b); return nil }); err != nil {
		return fmt.Errorf("vault: the wrapping token: %w", err)
	}
	a, err := c.do(ctx, http.MethodPost, "sys/wrapping/lookup", secrets.Secret{}, body)
	if err != nil {
		return stolen("is not one any more", rejected(err))
	}
	var data struct {
		Path string `json:"creation_path"`
	}
	_ = a.into(&data)
	if role, is := strings.CutPrefix(data.Path, "auth/"+r.options.Mount+"/role/"); !is || !strings.HasSuffix(role, "secret-id") {
		return stolen("was not made with the SecretID", secrets.ErrDenied)
	}
	return nil
}

// stolen is the error for a wrapping token that somebody else has had.
func stolen(how string, err error) error {
	return fmt.Errorf("vault: the wrapping token %s; if it was not used by mistake, somebody else has the SecretID: %w", how, err)
}

// JWT is a login with a JWT that a file holds, such as one that a platform writes and
// replaces. mount is where the method is mounted, "jwt" where empty.
func JWT(role, path, mount string) Login {
	if role == "" || path == "" {
		panic("vault: JWT needs a role and the path of a file")
	}
	return &jwtFile{role, path, mountOf(mount, "jwt")}
}

// serviceAccount is where Kubernetes puts a pod's token.
const serviceAccount = "/var/run/secrets/kubernetes.io/serviceaccount/token"

// Kubernetes is a login with the token of the pod's service account. mount is where the
// method is mounted, "kubernetes" where empty.
func Kubernetes(role, mount string) Login {
	return JWT(role, serviceAccount, mountOf(mount, "kubernetes"))
}

type jwtFile struct{ role, path, mount string }

func (j *jwtFile) login(ctx context.Context, c *client) (*auth, error) {
	token, err := fileOf(j.path)
	if err != nil {
		return nil, err
	}
	body := map[string]string{"role": j.role}
	if err := token.Use(func(b []byte) error { body["jwt"] = string(b); return nil }); err != nil {
		return nil, fmt.Errorf("vault: the JWT: %w", err)
	}
	return loginAt(ctx, c, j.mount, body)
}

// mountOf is where a method is mounted. It panics where a path of that name would lead
// elsewhere, which is a mistake of wiring.
func mountOf(mount, normal string) string {
	if mount == "" {
		return normal
	}
	if err := secrets.KV(mount, "mount").Check(); err != nil {
		panic("vault: the mount of a login is no path such as team/approle, without slashes around it: " + err.Error())
	}
	return mount
}

func loginAt(ctx context.Context, c *client, mount string, body map[string]string) (*auth, error) {
	a, err := c.do(ctx, http.MethodPost, "auth/"+mount+"/login", secrets.Secret{}, body)
	switch {
	case err != nil:
		return nil, fmt.Errorf("vault: logging in at %s: %w", mount, rejected(err))
	case a.Auth == nil || a.Auth.Token == "":
		return nil, fmt.Errorf("vault: logging in at %s gave no token", mount)
	}
	return a.Auth, nil
}

// fileOf reads a small file that holds a secret.
func fileOf(path string) (secrets.Secret, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() { // a pipe would be waited for
		return secrets.Secret{}, fmt.Errorf("vault: %s is not a file: give the path of one, which is read at each login", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return secrets.Secret{}, fmt.Errorf("vault: %w", err)
	}
	defer func() { _ = f.Close() }()
	const most = 64 << 10
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return secrets.Secret{}, fmt.Errorf("vault: %w", err)
	}
	value := strings.TrimSpace(string(text))
	if value == "" || len(text) > most {
		return secrets.Secret{}, fmt.Errorf("vault: the file %s is empty or too large", path)
	}
	return secrets.NewSecret([]byte(value)), nil
}
