package vault

import (
	"errors"
	"fmt"
	"os"

	"github.com/safemcp/safemcp/secrets"
)

// FromEnvironment returns a provider with what Vault's own programs read from the
// environment: VAULT_ADDR; VAULT_TOKEN, or VAULT_ROLE_ID with VAULT_SECRET_ID or
// VAULT_SECRET_ID_FILE; and where they are set VAULT_NAMESPACE, VAULT_CACERT, the path of
// certificates in PEM, and VAULT_TLS_SERVER_NAME. Of o, which may be nil, it takes the
// rest; a Login there goes before those of the environment. Settings that weaken TLS, such
// as VAULT_SKIP_VERIFY, are refused rather than followed.
func FromEnvironment(o *Options) (*Provider, error) {
	var options Options
	if o != nil {
		options = *o
	}
	address := os.Getenv("VAULT_ADDR")
	if address == "" {
		return nil, errors.New("vault: VAULT_ADDR is not set: give it the address of the Vault, as https://vault.example.org:8200")
	}
	if v := os.Getenv("VAULT_SKIP_VERIFY"); v != "" && v != "0" && v != "false" {
		return nil, errors.New("vault: VAULT_SKIP_VERIFY would let anybody on the way be the Vault: give VAULT_CACERT the certificate that it is signed by")
	}
	if options.Login == nil {
		var err error
		if options.Login, err = loginFromEnvironment(); err != nil {
			return nil, err
		}
	}
	if options.Namespace == "" {
		options.Namespace = os.Getenv("VAULT_NAMESPACE")
	}
	if options.ServerName == "" {
		options.ServerName = os.Getenv("VAULT_TLS_SERVER_NAME")
	}
	if path := os.Getenv("VAULT_CACERT"); path != "" && options.CACert == nil {
		pem, err := os.ReadFile(path) //nolint:gosec // who sets the environment starts the program
		if err != nil {
			return nil, fmt.Errorf("vault: VAULT_CACERT: %w", err)
		}
		options.CACert = pem
	}
	return New(address, &options)
}

func loginFromEnvironment() (Login, error) {
	role, id, file := os.Getenv("VAULT_ROLE_ID"), os.Getenv("VAULT_SECRET_ID"), os.Getenv("VAULT_SECRET_ID_FILE")
	token := os.Getenv("VAULT_TOKEN")
	switch {
	case role != "" && (id == "") != (file == ""):
		return AppRole(AppRoleOptions{RoleID: role, SecretID: secrets.NewSecret([]byte(id)), SecretIDFile: file}), nil
	case role != "":
		return nil, errors.New("vault: VAULT_ROLE_ID needs either VAULT_SECRET_ID or VAULT_SECRET_ID_FILE")
	case token != "" && sendable([]byte(token)) != nil:
		return nil, errors.New("vault: VAULT_TOKEN holds a character that no token has: set it without spaces or newlines around it")
	case token != "":
		return Token(secrets.NewSecret([]byte(token))), nil
	}
	return nil, errors.New("vault: nothing says who this is: set VAULT_TOKEN, or VAULT_ROLE_ID and VAULT_SECRET_ID_FILE")
}
