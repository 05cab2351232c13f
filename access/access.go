// Package access says who calls and what they may do.
//
// A [Principal] is what an [Authenticator] established about the caller: whoever a
// token, a key, a gateway's assertion or a client certificate names; on stdio the user
// of the operating system. Authenticators are [ClientCertificate] and those of the
// packages oauth and apikey below this one. An [Authorizer] decides, after the scopes and roles of a tool's policy
// have been met, whether this principal may make this call:
//
//	office := access.AuthorizerFunc(func(ctx context.Context, r access.Request) (access.Decision, error) {
//		if r.Tool == "pay" && r.Principal.Tenant != "finance" {
//			return access.Deny("finance-only", "Only the finance team may pay."), nil
//		}
//		return access.Permit("finance-only"), nil
//	})
//
// No answer means no: an error, a panic or the zero [Decision] denies.
package access
