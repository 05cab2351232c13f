package arg

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// A Dialect is an SQL that an [Identifier] is quoted for: [PostgreSQL], [MySQL],
// [SQLite] or [SQLServer].
type Dialect interface{ dialect() dialect }

// PostgreSQL quotes with double quotes; names have at most 63 bytes, since a server would
// cut what is longer and so take two names for one (NAMEDATALEN).
type PostgreSQL struct{}

// MySQL quotes with backticks, which holds in every sql_mode, and in MariaDB; names have at
// most 64 characters of the Basic Multilingual Plane, and do not end in a space. The
// connection's character set is utf8mb4 or another in which no character ends in the
// byte of a backtick, as some do in GBK and Big5.
type MySQL struct{}

// SQLite quotes with backticks: it takes a name in double quotes that there is no column
// for as a text, so that WHERE "a" = 'a' would hold for every row. Names have at most 255
// bytes here; SQLite has no bound of its own.
type SQLite struct{}

// SQLServer quotes with brackets; names have at most 128 units of UTF-16 (sysname).
type SQLServer struct{}

func (PostgreSQL) dialect() dialect {
	return dialect{"PostgreSQL", '"', '"', 63, "bytes", func(s string) int { return len(s) }, utf8.MaxRune}
}

func (MySQL) dialect() dialect {
	return dialect{"MySQL", '`', '`', 64, "characters", utf8.RuneCountInString, 0xffff}
}

func (SQLite) dialect() dialect {
	return dialect{"SQLite", '`', '`', 255, "bytes", func(s string) int { return len(s) }, utf8.MaxRune}
}

func (SQLServer) dialect() dialect {
	return dialect{"SQL Server", '[', ']', 128, "units of UTF-16", func(s string) int { return len(utf16.Encode([]rune(s))) }, utf8.MaxRune}
}

// A dialect is how names are written in an SQL.
type dialect struct {
	name        string
	open, close byte
	most        int
	unit        string
	length      func(string) int
	last        rune // the last character that a name may hold
}

// quote writes a name so that it is one identifier: the closing quote within is doubled,
// and nothing else means anything between quotes in any of the four.
func (d *dialect) quote(name string) string {
	end := string(d.close)
	return string(d.open) + strings.ReplaceAll(name, end, end+end) + end
}
