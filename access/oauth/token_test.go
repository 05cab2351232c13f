package oauth

import (
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/safemcp/safemcp/access"
)

func TestEachAlgorithmIsTakenWithItsOwnKey(t *testing.T) {
	t.Parallel()
	ec521 := must(generate(elliptic.P521()))
	all := []signer{
		defaultKey,
		{"ec384", "ES384", ec384Key},
		{"ec521", "ES512", ec521},
		{"rsa", "RS256", rsaKey},
		{"rsa", "PS256", rsaKey},
		{"rsa", "RS512", rsaKey},
		{"rsa", "PS384", rsaKey},
		{"ed", "EdDSA", edKey},
	}
	names := make([]string, 0, len(all))
	for _, s := range all {
		names = append(names, s.alg)
	}
	b := newBench(t, func(o *Options) { o.Algorithms = names }, all...)
	for _, s := range all {
		b.takes(t, s.sign(s.header(), b.claims(nil)))
		for _, other := range names { // the same signature under another name
			if other != s.alg {
				other := signer{s.kid, other, s.private}
				if p, err := b.authenticate(t, swapHeader(s.sign(s.header(), b.claims(nil)), other.header())); err == nil {
					t.Errorf("%s passes for %s: %v", s.alg, other.alg, p.ID)
				}
			}
		}
	}
}

func swapHeader(token, header string) string {
	_, rest, _ := strings.Cut(token, ".")
	return b64([]byte(header)) + "." + rest
}

func TestNoTokenIsTakenThatTheIssuerDidNotSign(t *testing.T) {
	t.Parallel()
	rs := signer{"rsa", "RS256", rsaKey}
	b := newBench(t, nil, defaultKey, rs)
	good := b.token(nil)
	b.takes(t, good)
	body := good[:strings.LastIndexByte(good, '.')]
	claims := b.claims(nil)
	none := b64([]byte(`{"alg":"none","typ":"at+jwt","kid":"ec"}`)) + "." + b64([]byte(claims))
	der := must(x509.MarshalPKIXPublicKey(rsaKey.Public()))
	file := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	hmac := func(secret []byte) string {
		return signer{"rsa", "HS256", secret}.sign(signer{kid: "rsa", alg: "HS256"}.header(), claims)
	}
	flipped := []byte(good)
	if i := len(flipped) - 10; flipped[i] == 'A' {
		flipped[i] = 'B'
	} else {
		flipped[i] = 'A'
	}
	lastBit := good[:len(good)-1] + string(good[len(good)-1]+1) // the unused bits of the last character, where they are 0
	for name, c := range map[string]struct {
		token string
		want  error
	}{
		"alg none, no signature":         {none + ".", errUnsigned},
		"alg none, a signature":          {none + ".AAAA", errAlgorithm},
		"alg None":                       {b64([]byte(`{"alg":"None","typ":"at+jwt"}`)) + "." + b64([]byte(claims)) + ".AAAA", errAlgorithm},
		"the signature stripped":         {body + ".", errUnsigned},
		"the signature and dot stripped": {body, errParts},
		"a part more":                    {good + ".AAAA", errParts},
		"five parts":                     {good + ".AAAA.AAAA", errParts},
		"one part":                       {"AAAA", errParts},
		"dots alone":                     {"..", errUnsigned},
		"HS256 with the public key":      {hmac(der), errAlgorithm},
		"HS256 with the PEM":             {hmac(file), errAlgorithm},
		"HS256 with the modulus":         {hmac(rsaKey.N.Bytes()), errAlgorithm},
		"RS256 with the EC key's ID":     {rs.sign(signer{kid: "ec", alg: "RS256"}.header(), claims), errWrongKey},
		"ES256 with the RSA key's ID":    {defaultKey.sign(signer{kid: "rsa", alg: "ES256"}.header(), claims), errWrongKey},
		"PS256 as RS256":                 {signer{"rsa", "PS256", rsaKey}.sign(signer{kid: "rsa", alg: "RS256"}.header(), claims), errSignature},
		"another's key":                  {signer{"ec", "ES256", ecOther}.sign(defaultKey.header(), claims), errSignature},
		"other claims":                   {b64([]byte(defaultKey.header())) + "." + b64([]byte(b.claims(map[string]any{"sub": "eve"}))) + good[strings.LastIndexByte(good, '.'):], errSignature},
		"a bit of the signature":         {string(flipped), errSignature},
		"the zero signature":             {body + "." + b64(make([]byte, 64)), errSignature},
		"a short signature":              {body + "." + b64(make([]byte, 63)), errSignature},
		"the same signature otherwise":   {lastBit, errEncoding},
		"padding":                        {good + "=", errEncoding},
		"a line break":                   {good[:5] + "\n" + good[5:], errEncoding},
		"a space":                        {good[:5] + " " + good[5:], errEncoding},
		"two tokens":                     {good + ", Bearer " + good, errParts},
		"too long":                       {good + strings.Repeat("A", 8<<10), errLong},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b.refuses(t, c.token, c.want)
		})
	}
}

func TestNoHeaderIsTakenThatMeansTwoThings(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	key := `{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}`
	for header, want := range map[string]error{
		`{"alg":"ES256","kid":"ec","typ":"JWT"}`:                                      errType,
		`{"alg":"ES256","kid":"ec","typ":"at+jwt+x"}`:                                 errType,
		`{"alg":"ES256","kid":"ec"}`:                                                  errType,
		`{"alg":"ES256","kid":"ec","typ":["at+jwt"]}`:                                 errType,
		`{"alg":"ES256","kid":"ec","Typ":"at+jwt"}`:                                   errType,
		`{"alg":"ES256","kid":"ec","typ":"at+jwt","crit":["exp"],"exp":1}`:            errCritical,
		`{"alg":"ES256","kid":"ec","typ":"at+jwt","crit":[]}`:                         errCritical,
		`{"alg":"ES256","kid":"ec","typ":"at+jwt","b64":false,"crit":["b64"]}`:        errCritical,
		`{"alg":"ES256","kid":"ec","typ":"at+jwt","jwk":` + key + `}`:                 errEmbedded,
		`{"alg":"ES256","kid":"ec","typ":"at+jwt","jku":"https://evil.example/jwks"}`: errEmbedded,
		`{"alg":"ES256","kid":"ec","typ":"at+jwt","x5u":"https://evil.example/x"}`:    errEmbedded,
		`{"alg":"ES256","kid":"ec","typ":"at+jwt","x5c":["AA=="]}`:                    errEmbedded,
		`{"alg":"ES256","alg":"none","kid":"ec","typ":"at+jwt"}`:                      errHeader,
		`{"alg":"ES256","\u0061lg":"none","kid":"ec","typ":"at+jwt"}`:                 errHeader,
		`{"alg":"ES256","kid":"ec","typ":"at+jwt","x":{"a":1,"a":2}}`:                 errHeader,
		`{"alg":"ES256","kid":"ec","typ":"at+jwt"}{}`:                                 errHeader,
		`{"alg":"ES256","kid":"ec","typ":"at+jwt"`:                                    errHeader,
		`["ES256"]`: errHeader,
		`null`:      errHeader,
		"{\"alg\":\"ES256\",\"kid\":\"ec\",\"typ\":\"at+jwt\",\"x\":\"\xff\"}":               errHeader,
		`{"alg":"es256","kid":"ec","typ":"at+jwt"}`:                                          errAlgorithm,
		`{"Alg":"ES256","kid":"ec","typ":"at+jwt"}`:                                          errAlgorithm,
		`{"alg":["ES256"],"kid":"ec","typ":"at+jwt"}`:                                        errAlgorithm,
		`{"alg":null,"kid":"ec","typ":"at+jwt"}`:                                             errAlgorithm,
		`{"alg":"ES512","kid":"ec","typ":"at+jwt"}`:                                          errAlgorithm,
		`{"alg":"ES256","kid":7,"typ":"at+jwt"}`:                                             errKeyID,
		`{"alg":"ES256","kid":"","typ":"at+jwt"}`:                                            errKeyID,
		`{"alg":"ES256","kid":null,"typ":"at+jwt"}`:                                          errKeyID,
		`{"alg":"ES256","kid":"../../etc/passwd","typ":"at+jwt"}`:                            errUnknownKey,
		`{"alg":"ES256","kid":"EC","typ":"at+jwt"}`:                                          errUnknownKey,
		`{"alg":"ES384","kid":"ec","typ":"at+jwt"}`:                                          errWrongKey,
		`{"alg":"ES256","kid":"ec","typ":"` + strings.Repeat("application/", 2) + `at+jwt"}`: errType,
	} {
		b.refuses(t, defaultKey.sign(header, b.claims(nil)), want)
	}
	for _, header := range []string{
		`{"alg":"ES256","kid":"ec","typ":"AT+JWT"}`,
		`{"alg":"ES256","kid":"ec","typ":"Application/at+jwt"}`,
		` { "alg" : "ES256" , "kid" : "ec" , "typ" : "at+jwt" , "x5t" : "AA" } `,
	} {
		b.takes(t, defaultKey.sign(header, b.claims(nil)))
	}
}

// A signature by the library that makes the tokens of these tests could share its
// faults: these are the standards' own.
func TestTheExamplesOfTheStandardsAreVerified(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ alg, jwk, token string }{
		"RFC 7515 A.2": {
			"RS256",
			`{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}`,
			"eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
		},
		"RFC 7515 A.3": {
			"ES256",
			`{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}`,
			"eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
		},
		"RFC 8037 A.4": {
			"EdDSA",
			`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`,
			"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
		},
	} {
		list, err := parseKeys([]byte(`{"keys":[` + c.jwk + `]}`))
		if err != nil || len(list) != 1 {
			t.Fatalf("%s: %v, %v", name, list, err)
		}
		parsed, err := cut(c.token)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := algorithms[c.alg].method.Verify(parsed.signed, parsed.signature, list[0].public); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		parsed.signature[3] ^= 1
		if algorithms[c.alg].method.Verify(parsed.signed, parsed.signature, list[0].public) == nil {
			t.Errorf("%s: a changed signature passes", name)
		}
	}
}

// RFC 7518 section 3.5.
func TestNoPSSSignatureWithAnotherSaltIsTaken(t *testing.T) {
	t.Parallel()
	s := signer{"rsa", "PS256", rsaKey}
	b := newBench(t, nil, s)
	text := b64([]byte(s.header())) + "." + b64([]byte(b.claims(nil)))
	b.takes(t, text+"."+b64(signPSS(t, text, 32)))
	b.refuses(t, text+"."+b64(signPSS(t, text, 20)), errSignature)
}

func TestTheBearerTokenIsInOneHeaderAndNowhereElse(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	good := b.token(nil)
	for name, c := range map[string]struct {
		headers []string
		want    error
	}{
		"nothing":          {nil, access.ErrNoCredentials},
		"empty":            {[]string{""}, access.ErrNoCredentials},
		"Basic":            {[]string{"Basic " + good}, access.ErrNoCredentials},
		"no scheme":        {[]string{good}, access.ErrNoCredentials},
		"DPoP":             {[]string{"DPoP " + good}, access.ErrNoCredentials},
		"two":              {[]string{"Bearer " + good, "Bearer " + good}, errTwice},
		"Basic and Bearer": {[]string{"Basic AAAA", "Bearer " + good}, errTwice},
		"Bearer and empty": {[]string{"Bearer " + good, ""}, errTwice},
		"no token":         {[]string{"Bearer"}, errEmpty},
		"spaces":           {[]string{"Bearer   "}, errEmpty},
		"a tab":            {[]string{"Bearer\t" + good}, access.ErrNoCredentials},
		"quotes":           {[]string{`Bearer "` + good + `"`}, errEncoding},
		"lower case":       {[]string{"bearer " + good}, nil},
		"more spaces":      {[]string{"BEARER   " + good}, nil},
	} {
		r := request(t, "")
		r.Header["Authorization"] = c.headers
		if p, err := b.server.Authenticate(r, nil); !errors.Is(err, c.want) || p.Known() != (c.want == nil) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	r := request(t, "")
	r.Header = http.Header{"Cookie": {"access_token=" + good}}
	r.URL.RawQuery = "access_token=" + good // RFC 6750 section 2.3
	if _, err := b.server.Authenticate(r, nil); !errors.Is(err, access.ErrNoCredentials) {
		t.Errorf("elsewhere: %v", err)
	}
	if got := b.server.CredentialHeaders(); !slices.Equal(got, []string{"Authorization"}) {
		t.Errorf("%q", got)
	}
}

func TestATypeIsSkippedOnlyByLeave(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *Options) { o.InsecureAnyType = "the provider says JWT of all" })
	for _, header := range []string{`{"alg":"ES256","kid":"ec","typ":"JWT"}`, `{"alg":"ES256","kid":"ec"}`} {
		b.takes(t, defaultKey.sign(header, b.claims(nil)))
	}
	if b.server.OptOuts()["InsecureAnyType"] != "the provider says JWT of all" {
		t.Errorf("the reason is %q", b.server.OptOuts())
	}
	custom := newBench(t, func(o *Options) { o.Types = []string{"txn+jwt"} })
	custom.takes(t, defaultKey.sign(`{"alg":"ES256","kid":"ec","typ":"TXN+jwt"}`, custom.claims(nil)))
	custom.refuses(t, custom.token(nil), errType)
}

func FuzzToken(f *testing.F) {
	good := defaultKey.sign(defaultKey.header(), `{"iss":"i","aud":["a"],"sub":"s","exp":9e9,"act":{"sub":"b"},"scope":"x y"}`)
	f.Add(good)
	f.Add("..")
	f.Add(good[:len(good)-2])
	f.Add(swapHeader(good, `{"alg":"none"}`))
	v := &verifier{
		algorithms: defaultAlgorithms, types: defaultTypes, maxBytes: defaultBytes, cache: newCache(), now: newClock().now,
		rules: rulebook{issuer: "i", audience: "a", mapping: mapping{roles: "r.s"}},
		keys:  &keySet{now: newClock().now, maxStale: defaultMaxStale, fetch: nil},
	}
	v.keys.held.Store(newKeys(must(parseKeys([]byte(`{"keys":[`+string(must(jsonOf(defaultKey.public())))+`]}`))), v.now()))
	v.keys.resume = v.now().Add(fetchPause)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := v.verify(t.Context(), text, nil)
		if (err == nil) != p.Known() {
			t.Fatalf("%+v, %v", p, err)
		}
		if err == nil { // only what the library agrees is signed by the key
			if _, other := jwt.Parse(text, func(*jwt.Token) (any, error) { return ecKey.Public(), nil }, jwt.WithoutClaimsValidation()); other != nil {
				t.Fatalf("taken, but %v", other)
			}
		} else if len(text) > 20 && strings.Contains(err.Error(), text) {
			t.Fatalf("the error holds the token")
		}
	})
}

// Claims come from an issuer who is trusted to sign, not to be sane.
func FuzzClaims(f *testing.F) {
	f.Add(`{"iss":"i","aud":["a"],"sub":"s","exp":9e9,"act":{"sub":"b","act":{"sub":"c"}},"scope":"x y","r":{"s":["t"]}}`)
	f.Add(`{"iss":"i","aud":"a","sub":"s","exp":9e9,"nbf":-1,"r.s":"t"}`)
	f.Add(`{"iss":"i","aud":"a","sub":"s","exp":9e9,"scp":[""],"azp":null}`)
	r := rulebook{issuer: "i", audience: "a", mapping: mapping{roles: "r.s"}}
	now := newClock().now()
	f.Fuzz(func(t *testing.T, raw string) {
		c := claims(object([]byte(raw)))
		if c == nil {
			return
		}
		p, err := r.principal(c, now)
		if (err == nil) != p.Known() {
			t.Fatalf("%+v, %v", p, err)
		}
		if err == nil && (p.Issuer != "i" || p.Subject == "" || !p.Expires.After(now) || len(p.Delegation) > maxActors || slices.Contains(p.Roles, "") || slices.Contains(p.Scopes, "")) {
			t.Fatalf("%+v", p)
		}
	})
}
