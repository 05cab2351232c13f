package validate

// A textRule is one of validator's rules for texts that takes no parameter. Here stands,
// in one place, what the schema says of it, what a person is told, and what is enforced.
type textRule struct {
	phrase string
	// pattern takes what the rule takes, and no more unless wider is true; within is a
	// second one that has to match as well.
	pattern, within string
	wider           bool
	format          string // an annotation: a format narrower than the rule is none of it
	short           bool   // no long text keeps the rule
	// ok gives validator's answer faster; without it validator is asked.
	ok func(string) bool
}

const (
	hex           = `[0-9a-fA-F]`
	octet         = `(\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])`
	space         = `[\t\n\f\r ]*`
	comma         = space + "," + space
	percent       = `([1-9]?\d|100)%`
	degrees       = `([1-9]?\d|[12]\d\d|3[0-5]\d|360)`
	opacity       = `(0[^\n][1-9]*|[01])`
	rgbBody       = `\(` + space + `(` + octet + `(` + comma + octet + `){2}|` + octet + `%(` + comma + octet + `%){2})` + space
	hslBody       = `\(` + space + degrees + `(` + comma + percent + `){2}` + space
	label         = `[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?`
	base64Pattern = `^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}(==|[A-Za-z0-9+/]=))?$`
	base64Some    = `([A-Za-z0-9+/]{4})*[A-Za-z0-9+/]{2}(==|[A-Za-z0-9+/][A-Za-z0-9+/=])$`
	portNumber    = `([1-9]\d{0,3}|[1-5]\d{4}|6([0-4]\d{3}|5([0-4]\d\d|5([0-2]\d|3[0-5]))))`
	cronField     = `([A-Za-z0-9*?][A-Za-z0-9*?/,#L-]+|[*?0-9])`
	semverNumber  = `(0|[1-9]\d*)`
	semverPart    = `(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)`
)

var textRules = map[string]textRule{
	"alpha":           {phrase: "must be letters a to z", pattern: `^[a-zA-Z]+$`, ok: isLetters},
	"alphaspace":      {phrase: "must be letters a to z and spaces", pattern: `^[a-zA-Z ]+$`},
	"alphanum":        {phrase: "must be letters a to z and digits", pattern: `^[a-zA-Z0-9]+$`, ok: isLettersAndDigits},
	"alphanumspace":   {phrase: "must be letters a to z, digits and spaces", pattern: `^[a-zA-Z0-9 ]+$`},
	"alphaunicode":    {phrase: "must be letters", pattern: `^\p{L}+$`},
	"alphanumunicode": {phrase: "must be letters and digits", pattern: `^[\p{L}\p{N}]+$`},
	"numeric":         {phrase: "must be a number, written as text", pattern: `^[-+]?\d+(\.\d+)?$`, ok: isNumeric},
	"number":          {phrase: "must be digits", pattern: `^\d+$`, ok: isDigits},
	"boolean":         {phrase: "must be true or false, written as text", pattern: `^([01tTfF]|TRUE|True|true|FALSE|False|false)$`, short: true},
	"hexadecimal":     {phrase: "must be hexadecimal digits", pattern: `^(0[xX])?` + hex + `+$`},
	"lowercase":       {phrase: "must be in lower case", pattern: `^[^A-Z]+$`, wider: true},
	"uppercase":       {phrase: "must be in upper case", pattern: `^[^a-z]+$`, wider: true},
	"ascii":           {phrase: "must be ASCII", pattern: `^[\x00-\x7F]*$`},
	"printascii":      {phrase: "must be printable ASCII", pattern: `^[ -~]*$`},
	"multibyte":       {phrase: "must have characters beyond ASCII", pattern: `^$|[^\x00-\x7F]`},
	"json":            {phrase: "must be a JSON text"},

	"hexcolor": {phrase: "must be a colour, as in #aabbcc", pattern: `^#(` + hex + `{3,4}|` + hex + `{6}|` + hex + `{8})$`, short: true},
	"rgb":      {phrase: "must be a colour, as in rgb(170,187,204)", pattern: `^rgb` + rgbBody + `\)$`},
	"rgba":     {phrase: "must be a colour, as in rgba(170,187,204,0.5)", pattern: `^rgba` + rgbBody + "," + space + opacity + space + `\)$`},
	"hsl":      {phrase: "must be a colour, as in hsl(210,25%,73%)", pattern: `^hsl` + hslBody + `\)$`},
	"hsla":     {phrase: "must be a colour, as in hsla(210,25%,73%,0.5)", pattern: `^hsla` + hslBody + "," + space + opacity + space + `\)$`},
	"cmyk":     {phrase: "must be a colour, as in cmyk(17%,8%,0%,20%)", pattern: `^cmyk\(` + percent + `(` + comma + percent + `){3}\)$`},

	"email":     {phrase: "must be an e-mail address", format: "email"},
	"url":       {phrase: "must be a URL", format: "uri"},
	"http_url":  {phrase: "must be an http or https URL", pattern: `^[hH][tT][tT][pP][sS]?://`, wider: true, format: "uri"},
	"https_url": {phrase: "must be an https URL", pattern: `^[hH][tT][tT][pP][sS]://`, wider: true, format: "uri"},
	"uri":       {phrase: "must be a URI, or a path that begins with /", format: "uri-reference"},
	"origin":    {phrase: "must be an origin, as in https://example.org", pattern: `^[hH][tT][tT][pP][sS]?://[^/?#@]+$`, wider: true},

	"urn_rfc2141": {phrase: "must be a URN (RFC 2141)", pattern: `^[uU][rR][nN]:`, wider: true},
	"urn_rfc8141": {phrase: "must be a URN (RFC 8141)", pattern: `^[uU][rR][nN]:`, wider: true},
	"datauri":     {phrase: "must be a data URI in base64", pattern: `^data:[^,]*,` + base64Some},

	"base32":       {phrase: "must be base32", pattern: `^([A-Z2-7]{8})*([A-Z2-7]{2}={6}|[A-Z2-7]{4}={4}|[A-Z2-7]{5}={3}|[A-Z2-7]{7}[A-Z2-7=])$`},
	"base64":       {phrase: "must be base64", pattern: "^" + base64Some},
	"base64url":    {phrase: "must be base64 for URLs", pattern: `^([\w-]{4})*[\w-]{2}(==|[\w-][\w=-])$`},
	"base64rawurl": {phrase: "must be base64 for URLs, without padding", pattern: `^([\w-]{4})*[\w-]{2,4}$`},
	"html":         {phrase: "must hold an HTML tag", pattern: `</?[a-zA-Z][^\n]*>`},
	"html_encoded": {phrase: "must hold an HTML entity", pattern: `&(#x?` + hex + `{2}|[gl]t|quot|amp)`},
	"url_encoded":  {phrase: "must have each % followed by two hexadecimal digits", pattern: `^([^%]|%` + hex + `{2})*$`},
	"jwt":          {phrase: "must be a JWT", pattern: `^[\w-]+\.[\w-]+\.[\w-]*$`},

	"uuid":          {phrase: "must be a UUID", pattern: uuidPattern(hex, hex+`{4}`, hex+`{4}`), format: "uuid", short: true, ok: uuidCheck(0, false, false)},
	"uuid3":         {phrase: "must be a UUID of version 3, in lower case", pattern: uuidPattern(lowerHex, `3[0-9a-f]{3}`, `[0-9a-f]{4}`), format: "uuid", short: true, ok: uuidCheck('3', true, false)},
	"uuid4":         {phrase: "must be a UUID of version 4, in lower case", pattern: uuidPattern(lowerHex, `4[0-9a-f]{3}`, `[89ab][0-9a-f]{3}`), format: "uuid", short: true, ok: uuidCheck('4', true, true)},
	"uuid5":         {phrase: "must be a UUID of version 5, in lower case", pattern: uuidPattern(lowerHex, `5[0-9a-f]{3}`, `[89ab][0-9a-f]{3}`), format: "uuid", short: true, ok: uuidCheck('5', true, true)},
	"uuid7":         {phrase: "must be a UUID of version 7, in lower case", pattern: uuidPattern(lowerHex, `7[0-9a-f]{3}`, `[89ab][0-9a-f]{3}`), format: "uuid", short: true, ok: uuidCheck('7', true, true)},
	"uuid_rfc4122":  {phrase: "must be a UUID", pattern: uuidPattern(hex, hex+`{4}`, hex+`{4}`), format: "uuid", short: true, ok: uuidCheck(0, false, false)},
	"uuid3_rfc4122": {phrase: "must be a UUID of version 3", pattern: uuidPattern(hex, `3`+hex+`{3}`, hex+`{4}`), format: "uuid", short: true, ok: uuidCheck('3', false, false)},
	"uuid4_rfc4122": {phrase: "must be a UUID of version 4", pattern: uuidPattern(hex, `4`+hex+`{3}`, `[89abAB]`+hex+`{3}`), format: "uuid", short: true, ok: uuidCheck('4', false, true)},
	"uuid5_rfc4122": {phrase: "must be a UUID of version 5", pattern: uuidPattern(hex, `5`+hex+`{3}`, `[89abAB]`+hex+`{3}`), format: "uuid", short: true, ok: uuidCheck('5', false, true)},
	// Validator ignores case as Unicode folds it, which takes two more letters.
	"ulid": {phrase: "must be a ULID", pattern: `^[0-7][0-9A-HJKMNP-TV-Za-hjkmnp-tv-z` + "\u017F\u212A" + `]{25}$`, short: true},

	"md4":       {phrase: "must be an MD4 hash in lower case", pattern: `^[0-9a-f]{32}$`, short: true},
	"md5":       {phrase: "must be an MD5 hash in lower case", pattern: `^[0-9a-f]{32}$`, short: true},
	"sha256":    {phrase: "must be a SHA-256 hash in lower case", pattern: `^[0-9a-f]{64}$`, short: true},
	"sha384":    {phrase: "must be a SHA-384 hash in lower case", pattern: `^[0-9a-f]{96}$`, short: true},
	"sha512":    {phrase: "must be a SHA-512 hash in lower case", pattern: `^[0-9a-f]{128}$`, short: true},
	"ripemd128": {phrase: "must be a RIPEMD-128 hash in lower case", pattern: `^[0-9a-f]{32}$`, short: true},
	"ripemd160": {phrase: "must be a RIPEMD-160 hash in lower case", pattern: `^[0-9a-f]{40}$`, short: true},
	"tiger128":  {phrase: "must be a Tiger-128 hash in lower case", pattern: `^[0-9a-f]{32}$`, short: true},
	"tiger160":  {phrase: "must be a Tiger-160 hash in lower case", pattern: `^[0-9a-f]{40}$`, short: true},
	"tiger192":  {phrase: "must be a Tiger-192 hash in lower case", pattern: `^[0-9a-f]{48}$`, short: true},

	"ip":     {phrase: "must be an IP address", short: true},
	"ipv4":   {phrase: "must be an IPv4 address", pattern: `^` + ipv4Octets + `$`, format: "ipv4", short: true},
	"ipv6":   {phrase: "must be an IPv6 address", format: "ipv6", short: true},
	"cidr":   {phrase: "must be a network in CIDR notation"},
	"cidrv4": {phrase: "must be an IPv4 network in CIDR notation, without bits beyond its prefix", pattern: `^` + ipv4Octets + ipv4Prefix + `$`, wider: true},
	"cidrv6": {phrase: "must be an IPv6 network in CIDR notation"},
	"mac": {phrase: "must be a MAC address", short: true, pattern: `^(` + pairs(":") + `|` + pairs("-") +
		`|` + hex + `{4}(\.` + hex + `{4}){2}(\.` + hex + `{4}((\.` + hex + `{4}){6})?)?)$`},

	"hostname":          {phrase: "must be a host name that begins with a letter", pattern: `^[a-zA-Z]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(\.` + label + `)*$`},
	"hostname_rfc1123":  {phrase: "must be a host name", pattern: `^` + label + `(\.` + label + `)*$`},
	"hostname_label":    {phrase: "must be one label of a host name", pattern: `^` + label + `$`, short: true},
	"dns_rfc1035_label": {phrase: "must be one label of a host name in lower case", pattern: `^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`, short: true},
	"fqdn": {
		phrase: "must be a fully qualified domain name", short: true,
		pattern: `^([a-zA-Z0-9][a-zA-Z0-9-]{0,62}\.)+[a-zA-Z][a-zA-Z0-9-]{0,62}\.?$`, within: `^[^ ]{0,253}\.?$`,
	},
	"hostname_port": {
		phrase: "must be a host name and a port", within: `^(\[[^:]*\]|[^\[\]]*):`,
		pattern: `^\[?(` + label + `(\.` + label + `)*)?\]?:\+?0*` + portNumber + `$`,
	},

	"e164":      {phrase: "must be a telephone number with its country code, as in +33123456789", pattern: `^\+?[1-9]\d{7,14}$`, short: true},
	"duration":  {phrase: "must be a duration, as in 1h30m", pattern: `^[-+]?(0|((\d+\.?\d*|\.\d+)([nuµμm]s|[smh]))+)$`, wider: true},
	"latitude":  {phrase: "must be a latitude in degrees", pattern: `^[-+]?([1-8]?\d(\.\d+)?|90(\.0+)?)$`},
	"longitude": {phrase: "must be a longitude in degrees", pattern: `^[-+]?((1[0-7]\d|[1-9]?\d)(\.\d+)?|180(\.0+)?)$`},
	"semver": {phrase: "must be a semantic version", pattern: `^` + semverNumber + `(\.` + semverNumber + `){2}(-` + semverPart + `(\.` + semverPart + `)*)?` +
		`(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?$`},
	"cron": {phrase: "must be a cron expression", pattern: `^(@(annually|yearly|monthly|weekly|daily|hourly|reboot)|@every (\d+([nuµm]s|[smh]))+|` +
		cronField + `( +` + cronField + `){4,6})$`},

	"ssn": {phrase: "must be a US social security number, as in 123-45-6789", pattern: `^\d{3}[ -](0[1-9]|[1-9]\d)[ -]([1-9]\d{3}|0([1-9]\d\d|0([1-9]\d|0[1-9])))$`, short: true},
	"ein": {phrase: "must be a US employer identification number, as in 12-3456789", pattern: `^\d\d-\d{7}$`, short: true},
	"bic": {phrase: "must be a bank identifier code (BIC)", pattern: `^[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?$`, short: true},

	"bic_iso_9362_2014": {phrase: "must be a bank identifier code (BIC) of 2014", pattern: `^[A-Za-z]{6}[A-Za-z0-9]{2}([A-Za-z0-9]{3})?$`, short: true},
	"cve":               {phrase: "must be a CVE identifier, as in CVE-2021-44228", pattern: `^CVE-(1999|2\d{3})-(0([^0]\d\d|\d[^0]\d|\d\d[^0])|[1-9]\d{3,})$`},
	"mongodb":           {phrase: "must be a MongoDB object identifier", pattern: `^[a-f\d]{24}$`, short: true},
	"mongodb_connection_string": {
		phrase: "must be a MongoDB connection string",
		pattern: `^mongodb(\+srv)?://([a-zA-Z\d]+:[a-zA-Z\d$:/?#\[\]@]+@)?[a-z\d.-]+(:\d+)?(,[a-z\d.-]+(:\d+)?)*` +
			`(/[a-zA-Z_-]{1,64})?(\?[a-zA-Z]+=[a-zA-Z\d]+(&([a-zA-Z\d]+=[a-zA-Z\d]+)?)*)?$`,
	},

	"isbn":              {phrase: "must be an ISBN with a right check digit"},
	"isbn10":            {phrase: "must be an ISBN of ten digits with a right check digit"},
	"isbn13":            {phrase: "must be an ISBN of thirteen digits with a right check digit"},
	"issn":              {phrase: "must be an ISSN with a right check digit", pattern: `^\d{4}-\d{3}[\dX]$`, wider: true, short: true},
	"credit_card":       {phrase: "must be a card number with a right check digit", pattern: `^\d{3,}( \d{3,})*$`, wider: true, short: true},
	"luhn_checksum":     {phrase: "must be digits of which the last is a right check digit (Luhn)", pattern: `^\d{2,}$`, wider: true},
	"eth_addr":          {phrase: "must be an Ethereum address", pattern: `^0x` + hex + `{40}$`, short: true},
	"eth_addr_checksum": {phrase: "must be an Ethereum address with its checksum in upper and lower case", pattern: `^0x` + hex + `{40}$`, wider: true, short: true},
	"btc_addr":          {phrase: "must be a Bitcoin address", pattern: `^[13][a-km-zA-HJ-NP-Z1-9]{25,34}$`, wider: true, short: true},
	"btc_addr_bech32":   {phrase: "must be a Bitcoin address in bech32", pattern: `^(BC1[02-9AC-HJ-NP-Z]{7,76}|bc1[02-9ac-hj-np-z]{7,76})$`, wider: true, short: true},

	"iso3166_1_alpha2":           {phrase: "must be a country code of two letters", short: true},
	"iso3166_1_alpha2_eu":        {phrase: "must be the country code, of two letters, of a member of the European Union", short: true},
	"iso3166_1_alpha3":           {phrase: "must be a country code of three letters", short: true},
	"iso3166_1_alpha3_eu":        {phrase: "must be the country code, of three letters, of a member of the European Union", short: true},
	"iso3166_1_alpha_numeric":    {phrase: "must be a country code of three digits"},
	"iso3166_1_alpha_numeric_eu": {phrase: "must be the country code, of three digits, of a member of the European Union"},
	"iso3166_2":                  {phrase: "must be the code of a country's subdivision, as in FR-75", pattern: `^[A-Z]{2}-[A-Z\d]{1,3}$`, wider: true, short: true},
	"iso4217":                    {phrase: "must be a currency code", short: true},
	"bcp47_language_tag":         {phrase: "must be a language tag"},
	"bcp47_strict_language_tag":  {phrase: "must be a language tag of which each part is registered"},
}

const lowerHex = `[0-9a-f]`

func uuidPattern(digit, version, variant string) string {
	return `^` + digit + `{8}-` + digit + `{4}-` + version + `-` + variant + `-` + digit + `{12}$`
}

// pairs are the 6, 8 or 20 bytes of a hardware address.
func pairs(separator string) string {
	one := separator + hex + `{2}`
	return hex + `{2}(` + one + `){5}((` + one + `){2}((` + one + `){12})?)?`
}
