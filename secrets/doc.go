// Package secrets lends credentials to tool calls and keeps them out of whatever
// leaves the server.
//
// A tool's policy names a [Binding], which says where a credential comes from and
// is no secret itself. A [Broker] asks a [Provider] for it when a call is made,
// and the handler gets a [Credential] whose values are [Secret]: they print, log
// and marshal as "[redacted]", and are read by borrowing them.
//
//	broker := secrets.NewBroker(store, nil)
//	defer broker.Close(ctx)
//	credential, err := broker.Acquire(ctx, secrets.Request{Tool: "share_document", Binding: secrets.KV("app/share", "key")})
//	if err != nil {
//		return err
//	}
//	defer broker.Release(credential)
//	err = credential.Secret().Use(func(key []byte) error {
//		mac := hmac.New(sha256.New, key)
//		…
//	})
//
// # Caching
//
// A credential is issued once for the calls that share it: those of one server, tool,
// tenant and binding, or of one caller where the binding says so. While it is used it is
// confirmed with its provider every 30 seconds: a stored value is read again, a lease
// renewed, and when two thirds of the longest life of a lease are over another is issued
// in its place. What is not used any more is let go of and revoked, and Close revokes
// all there is. While the store is away, a lease is used until its end, and a stored
// value for a while; what the store denies is not used any more. What happens is told
// to those who [Broker.Watch].
//
// A [Pool] keeps what is made with a credential, such as connections to a database, for
// as long as the credential is used.
//
// # Redaction
//
// Every value that a broker hands out is one that [Broker.Redact] finds from then
// on: as it is, in base64 and hexadecimal, escaped as in JSON, addresses and HTML, and
// split by characters that nobody sees, also in the middle of something longer; package
// scan, below this one, says more. With Options.Patterns it finds secrets, too, that
// nobody issued.
//
// The package holds no store. The package agefile, below this one, is a store for
// one machine in an encrypted file.
package secrets
