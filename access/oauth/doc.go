// Package oauth establishes callers from JWTs: the access tokens of an OAuth 2.1
// authorization server, and the assertions of a gateway that has authenticated the
// caller already.
//
//	tokens, err := oauth.NewResourceServer(oauth.Options{
//		Resource: "https://mcp.example.com/mcp",
//		Issuer:   "https://id.example.com",
//	})
//	// …
//	err = serve.HTTP(ctx, server, &serve.HTTPOptions{Authenticators: []access.Authenticator{tokens}, …})
//
// A token is taken when its issuer signed it for exactly this resource, as an access
// token, and it is neither expired nor not yet valid (RFC 9068 section 4, RFC 8707,
// RFC 8725). Keys come from the issuer's key set, which is fetched when it is needed;
// an attacker who makes up keys makes nobody wait and costs the issuer a bounded number
// of requests. Verified tokens are remembered until they expire or their key is gone.
package oauth
