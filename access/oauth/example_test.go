package oauth_test

import (
	"fmt"

	"github.com/safemcp/safemcp/access/oauth"
)

func ExampleNewResourceServer() {
	tokens, err := oauth.NewResourceServer(oauth.Options{
		Resource:   "https://weather.example/mcp",
		Issuer:     "https://login.example",
		RolesClaim: "roles",
		Scopes:     []string{"weather.read"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(tokens.ResourceMetadata().AuthorizationServers)

	_, err = oauth.NewResourceServer(oauth.Options{
		Resource:   "https://weather.example/mcp",
		Issuer:     "https://login.example",
		Algorithms: []string{"HS256"},
	})
	fmt.Println(err)
	// Output:
	// [https://login.example]
	// oauth: Options.Algorithms names "HS256": only signatures by a private key can be allowed, which are ES256, ES384, ES512, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512
}
