package vault

import (
	"errors"
	"log/slog"
	"regexp"
	"strings"
	"time"
)

// Options change how a Vault is used.
type Options struct {
	// Login is how the provider proves what it is. It is needed.
	Login Login
	// ToolPolicies names the policies of a tool's own token. Where it is nil, every
	// tool works with the provider's token. It has to be safe for concurrent use.
	// Vault adds "default", and those of the identity that logs in, its entity's and
	// its groups': a tool whose token would have one of these that is not named is
	// refused with [secrets.ErrDenied].
	ToolPolicies func(tool string) []string
	// ToolLifetime is how long a tool's token lives at most, and so every lease that
	// it makes: zero is an hour.
	ToolLifetime time.Duration
	// Namespace is that of the Enterprise edition or of OpenBao.
	Namespace string
	// KVMount, DatabaseMount and TransitMount are where the engines are mounted:
	// "secret", "database" and "transit" where empty.
	KVMount, DatabaseMount, TransitMount string
	// Timeout bounds one request; zero is 3 seconds.
	Timeout time.Duration
	// Journal is a directory in which the provider keeps the names of the tokens that
	// it has got, so that the next start can revoke what a process that was killed
	// has left. It is made, 0700, where it is not there, and several processes of one
	// machine may share it. Where it is empty, what is left lives until its time is over.
	Journal string
	// AuditDevice is the name of an audit device of Vault's, such as "file". Where it
	// is given, [secrets.Origin] has the accessor of a token as that device writes it;
	// where it is empty, or the provider's token may not ask sys/audit-hash, it has
	// the SHA-256.
	AuditDevice string
	// Logger is told what was found in the journal and what could not be revoked. Nil
	// is nobody. No value, token or accessor is in what it is told.
	Logger *slog.Logger
	// CACert is the certificates in PEM that Vault's is signed by, where the
	// system's are not to be asked. ServerName is the name in Vault's certificate,
	// where it is not that of the address.
	CACert     []byte
	ServerName string
	// InsecurePlaintext gives the reason why secrets may travel unencrypted to an
	// address that is not this machine's. It is one of [Provider.OptOuts].
	InsecurePlaintext string
}

// mountName is what a mount may be called.
var mountName = regexp.MustCompile(`^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$`)

// complete fills in what was left out, and says what is wrong.
func (o *Options) complete() error {
	for mount, normal := range map[*string]string{&o.KVMount: "secret", &o.DatabaseMount: "database", &o.TransitMount: "transit"} {
		if *mount == "" {
			*mount = normal
		}
		if !mountName.MatchString(*mount) {
			return errors.New("vault: the name of a mount has letters, digits, - and _, and slashes between them")
		}
	}
	if o.AuditDevice != "" && !mountName.MatchString(o.AuditDevice) {
		return errors.New("vault: Options.AuditDevice is the name of an audit device, which has letters, digits, - and _, and slashes between them")
	}
	if strings.ContainsFunc(o.Namespace, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return errors.New("vault: Options.Namespace holds a space, or a character that is not ASCII or does not show")
	}
	if o.Timeout == 0 {
		o.Timeout = requestTimeout
	}
	if o.ToolLifetime == 0 {
		o.ToolLifetime = time.Hour
	}
	if o.Timeout < 0 || o.ToolLifetime < time.Second {
		return errors.New("vault: Options.Timeout is negative, or Options.ToolLifetime is under a second")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}
