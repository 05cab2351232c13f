// Package secrets lends credentials to tool calls and keeps them out of whatever
// leaves the server.
//
// A tool's policy names a [Binding], which says where a credential comes from and
// is no secret itself. A [Broker] asks a [Provider] for it when a call is made,
// and the handler gets a [Credential] whose values are [Secret]: they print, log
// and marshal as "[redacted]", and are read by borrowing them.
//
//	broker := secrets.NewBroker(store, nil)
//	credential, err := broker.Issue(ctx, secrets.Request{Tool: "share_document", Binding: secrets.KV("app/share", "key")})
//	if err != nil {
//		return err
//	}
//	err = credential.Secret().Use(func(key []byte) error {
//		mac := hmac.New(sha256.New, key)
//		…
//	})
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
