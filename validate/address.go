package validate

// IP addresses, as net.ParseIP and net.ParseCIDR read them: without zones and without
// leading zeros. A regular expression of an IPv6 address alone is of a thousand
// characters; several keywords that all have to hold are of a third of that.

const (
	// ipv4Octets are four numbers with dots between: a dot is followed by a digit.
	ipv4Octets = `((25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.?\b){4}`
	ipv4Prefix = `/0*([12]?\d|3[0-2])`
	ipv6Prefix = `/0*(\d\d?|1[01]\d|12[0-8])`
	group      = `\w{1,4}` // of an address that is known to have no other letters
)

// ipv6 are the keywords of an IPv6 address and what follows it.
func ipv6(prefix string) []keyword {
	end := "$"
	if prefix != "" {
		end = "/"
	}
	whole := `^(` + group + `:){7}` + group + end + `|^(` + group + `:){6}\d+\.`
	elided := `^((` + group + `:)*` + group + `)?::((` + group + `:)*(` + group + `|[\d.]+))?` + end
	count := `^:*((\w+:+){0,6}\w*:*` + end + `|(\w+:+){0,5}\d+\.)`
	return []keyword{
		pattern(`^[\da-fA-F:]*:([\da-fA-F]{0,4}|` + ipv4Octets + `)` + prefix + `$`),
		{"anyOf", "[" + members(pattern(whole)) + "," + members(pattern(elided), keyword{"allOf", "[" + members(pattern(count)) + "]"}) + "]"},
	}
}

// mapped matches an address that is known to be one of IPv6 and is one of IPv4, written
// as such: ::ffff:192.0.2.1.
func mapped(end string) string {
	return `^(0+:){5}[fF]{4}:|^[0:]*:[fF]{4}:(\w+:\w+|\d+\.[\d.]+)` + end
}

// addressKeywords are what the schema says of addresses and networks.
func addressKeywords(rule string, n *node) []keyword {
	four := []keyword{pattern(`^` + ipv4Octets + `$`)}
	switch rule {
	case "ip":
		return []keyword{n.either(four, ipv6(""))}
	case "ipv6":
		return append(ipv6(""), n.negated(pattern(mapped("$"))))
	case "cidr":
		return []keyword{n.either([]keyword{pattern(`^` + ipv4Octets + ipv4Prefix + `$`)}, ipv6(ipv6Prefix))}
	case "cidrv6":
		return append(ipv6(ipv6Prefix), n.negated(pattern(mapped("/"))))
	}
	return nil
}
