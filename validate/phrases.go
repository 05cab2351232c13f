package validate

import "strings"

// phrases say validator's rules in words; %s is the parameter. A rule that is not
// here is said by its name.
var phrases = map[string]string{ //nolint:gosec // none of these is a credential
	"email": "must be an e-mail address", "url": "must be a URL", "http_url": "must be an http or https URL",
	"https_url": "must be an https URL", "uri": "must be a URI", "origin": "must be an origin, as in https://example.org",
	"urn_rfc2141": "must be a URN", "urn_rfc8141": "must be a URN",
	"uuid": "must be a UUID", "uuid3": "must be a UUID of version 3", "uuid4": "must be a UUID of version 4",
	"uuid5": "must be a UUID of version 5", "uuid7": "must be a UUID of version 7", "ulid": "must be a ULID",
	"alpha": "must be letters a to z", "alphaspace": "must be letters a to z and spaces", "alphanum": "must be letters a to z and digits",
	"alphanumspace": "must be letters a to z, digits and spaces", "alphaunicode": "must be letters", "alphanumunicode": "must be letters and digits",
	"numeric": "must be a number written as text", "number": "must be digits", "hexadecimal": "must be hexadecimal digits",
	"boolean": "must be true or false, written as text", "lowercase": "must be in lower case", "uppercase": "must be in upper case",
	"ascii": "must be ASCII", "printascii": "must be printable ASCII", "multibyte": "must have characters beyond ASCII",
	"ip": "must be an IP address", "ipv4": "must be an IPv4 address", "ipv6": "must be an IPv6 address",
	"cidr": "must be a network in CIDR notation", "cidrv4": "must be an IPv4 network in CIDR notation", "cidrv6": "must be an IPv6 network in CIDR notation",
	"mac": "must be a MAC address", "hostname": "must be a host name", "hostname_rfc1123": "must be a host name",
	"hostname_label": "must be one label of a host name", "fqdn": "must be a fully qualified domain name",
	"hostname_port": "must be a host name and a port", "port": "must be a port number",
	"e164": "must be a telephone number with its country code, as in +33123456789", "datetime": "must be a time in the layout %s",
	"duration": "must be a duration, as in 1h30m", "json": "must be a JSON text", "jwt": "must be a JWT", "base64": "must be base64",
	"base64url": "must be base64 for URLs", "base64rawurl": "must be base64 for URLs without padding", "base32": "must be base32",
	"datauri": "must be a data URI", "hexcolor": "must be a colour, as in #aabbcc", "semver": "must be a semantic version",
	"iso3166_1_alpha2": "must be a country code of two letters", "iso3166_1_alpha3": "must be a country code of three letters",
	"iso4217": "must be a currency code", "bcp47_language_tag": "must be a language tag", "credit_card": "must be a card number",
	"latitude": "must be a latitude", "longitude": "must be a longitude", "cron": "must be a cron expression",
	"contains": "must contain %s", "containsany": "must contain one of the characters %s", "containsrune": "must contain %s",
	"excludes": "must not contain %s", "excludesall": "must contain none of the characters %s", "excludesrune": "must not contain %s",
	"startswith": "must begin with %s", "endswith": "must end with %s", "startsnotwith": "must not begin with %s", "endsnotwith": "must not end with %s",
	"unique": "must have no element twice", "noneof": "must be none of %s", "noneofci": "must be none of %s in any case",
	"oneofci": "must be one of %s in any case", "eq_ignore_case": "must be %s in any case", "ne_ignore_case": "must not be %s in any case",
	"isdefault": "must be left empty",
	"min":       "must be at least %s", "gte": "must be at least %s", "max": "must be at most %s", "lte": "must be at most %s",
	"gt": "must be more than %s", "lt": "must be less than %s", "len": "must have the length %s", "eq": "must be %s", "ne": "must not be %s",
}

// phrase says a rule that validator runs.
func phrase(name, param string) string {
	if strings.Contains(name, "|") {
		return "must meet one of the rules " + strings.ReplaceAll(name, "|", ", ")
	}
	p, known := phrases[name]
	switch {
	case known:
		return strings.ReplaceAll(p, "%s", param)
	case param != "":
		return "must meet the rule " + name + "=" + param
	}
	return "must meet the rule " + name
}

// formats are the rules of validator that JSON Schema has a format for.
var formats = map[string]string{
	"email": "email", "url": "uri", "uri": "uri", "http_url": "uri", "https_url": "uri", "uuid": "uuid", "uuid4": "uuid", "uuid7": "uuid",
	"ipv4": "ipv4", "ipv6": "ipv6", "hostname_rfc1123": "hostname", "fqdn": "hostname",
}

// short are the rules of validator that leave no room for a long value.
var short = map[string]bool{
	"uuid": true, "uuid3": true, "uuid4": true, "uuid5": true, "uuid7": true, "ulid": true, "ip": true, "ipv4": true, "ipv6": true,
	"cidr": true, "cidrv4": true, "cidrv6": true, "mac": true, "port": true, "e164": true, "hexcolor": true, "iso3166_1_alpha2": true,
	"iso3166_1_alpha3": true, "iso4217": true, "fqdn": true, "hostname_label": true, "boolean": true, "isdefault": true, "datetime": true,
}
