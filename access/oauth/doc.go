// Package oauth authenticates HTTP requests by a signed JWT: an access token that an
// OAuth 2.1 authorization server issued for this server ([ResourceServer]), or the
// assertion that a gateway puts in a header ([Assertion]).
//
//	tokens, err := oauth.NewResourceServer(oauth.Options{
//		Resource:   "https://weather.example/mcp",
//		Issuer:     "https://login.example",
//		RolesClaim: "roles",
//		Scopes:     []string{"weather.read"},
//	})
//
// A token is taken where all of this holds, and refused otherwise: it is signed by a
// key of the issuer's published key set, with an algorithm that is allowed and that
// the key is for; its issuer is the configured one and its audience names this server,
// both to the letter; it says that it is an access token; it has a subject and an end,
// and is in force. What a token says of keys is never followed. A signature is checked
// before any claim is believed.
//
// Both are an [access.Authenticator], safe for concurrent use. The key set is fetched
// at first use and kept: it is looked at again every 5 minutes while requests come in,
// and at once for a key that is not in it, but at most once in 5 seconds whoever asks,
// so that strangers cannot spend the issuer's patience. While the issuer cannot be
// reached the keys at hand stay in use for MaxStale; after that, and for a key that is
// not among them, the error wraps [access.ErrUnavailable]. Nothing needs to be closed:
// a fetch ends by itself within 5 seconds, and nothing else runs between requests.
//
// Tokens that were verified are remembered by hash until they end or their key leaves
// the key set: at most 10,000, and 32 MiB of them. A token that the issuer revoked is
// taken until it ends; let tokens be short-lived.
package oauth
