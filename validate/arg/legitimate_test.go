package arg_test

import (
	"testing"

	"github.com/safemcp/safemcp/validate/arg"
)

var goodPaths = []string{
	".", "a", "README.md", "notes.txt", "reports/2024.txt", "reports/2024/q1.pdf", "src/main.go", "src/pkg/deep/er/still/file.go", ".gitignore", ".github/workflows/ci.yml",
	".env.example", "a.b.c", "archive.tar.gz", "a..b.txt", "..hidden", "...three", "file with spaces.txt", "My Documents/Letter to Ann.docx", "Invoice #42 (final).pdf", "100% done.md",
	"it's here.txt", "O'Brien/contract.pdf", "a+b=c.txt", "x,y;z.csv", "price $5.txt", "user@example.com.eml", "[draft] plan.md", "{template}.html", "a&b.txt", "tilde~backup~",
	"~draft.md", "-dash-first.txt", "--help", "_private/_x", "Größe.txt", "café/menu.txt", "cafe\u0301/menu.txt", "naïve.txt", "Ελλάδα/αρχείο.txt", "Россия/отчёт.docx",
	"日本語/ファイル.txt", "中文/报告.pdf", "한국어/보고서.hwp", "हिन्दी/रिपोर्ट.txt", "فارسی/می\u200cخواهم.txt", "עברית/דוח.txt", "ไทย/รายงาน.txt", "emoji 👩\u200d💻.md", "❤\ufe0f.txt", "☕.txt",
	"console.log", "communication.txt", "com/example/App.java", "auxiliary.txt", "nullable.go", "connect.sh", "lpt", "com10.txt", "COMMIT_EDITMSG", "printer.cfg",
	"node_modules/@types/node/index.d.ts", "vendor/github.com/a/b/c.go", "2024-01-31T10.30.00Z.log", "Screenshot 2024-01-31 at 3.00\u202fPM.png", "My%20File.pdf", "a^b`c.txt", "what?.txt", "star*.txt", "a|b.txt", "<tag>.xml",
	"\"quoted\".txt", "v1.2.3-rc.1+build.5", "Makefile", "Dockerfile.dev", "LICENSE", "etc/passwd", "data/2024/01/31/events.jsonl", "IMG_0001.JPG", "index.html", "a/b/c/d/e/f/g/h/i/j/k/l/m/n",
}

var goodURLs = []string{
	"https://example.com", "https://example.com/", "http://example.com/", "https://www.example.com/a/b/c.html", "https://example.com/?q=a", "https://example.com?q=a", "https://example.com/#top", "https://example.com/a?b=c&d=e#f", "HTTPS://EXAMPLE.COM/A", "https://example.com:443/",
	"http://example.com:80/", "https://example.com:8080/", "wss://stream.example.com/socket", "ws://stream.example.com/", "https://sub.sub2.example.co.uk/", "https://xn--bcher-kva.example.com/", "https://example.xn--p1ai/", "https://1.1.1.1/dns-query", "https://8.8.8.8:443/resolve?name=a", "https://[2606:4700:4700::1111]/",
	"https://[2001:4860:4860::8888]:8080/a", "https://9to5.example.com/", "https://1and1.example/", "https://a-b-c.example.com/", "https://_dmarc.example.com/", "https://example.com/a%20b", "https://example.com/%E2%82%AC", "https://example.com/caf\u00e9", "https://fr.wikipedia.org/wiki/Élysée", "https://ja.wikipedia.org/wiki/日本",
	"https://example.com/a/./b/../c", "https://example.com/a//b", "https://example.com/a;v=1/b", "https://example.com/a,b", "https://example.com/@user/post", "https://example.com/a:b", "https://example.com/~user/", "https://example.com/$metadata", "https://example.com/it's", "https://example.com/(x)",
	"https://example.com/a+b", "https://example.com/a=b", "https://example.com/!x*", "https://example.com/?filter[name]=x", "https://example.com/?u=https%3A%2F%2Fexample.org%2F", "https://example.com/?u=https://example.org/a", "https://example.com/?a=1&a=2&b=", "https://example.com/?", "https://example.com/#", "https://example.com/#/route/a?b",
	"https://example.com/?t=a%0Ab", "https://example.com/?q=caf%C3%A9+ol%C3%A9", "https://example.com/?q=日本語", "https://api.example.com/v1/users/42", "https://raw.githubusercontent.com/a/b/main/README.md", "https://cdn.example.com/lib@1.2.3/dist/lib.min.js", "https://example.com/%2Fencoded", "https://example.com/..", "https://example.com/index.php?page=../../x", "https://localhost.example.com/",
	"https://internal.example.com/", "https://test.example.com/", "https://10.example.com/", "https://127.0.0.1.example.com/", "https://0xbeef.example.com/",
}

var goodNames = []string{
	"id", "users", "created_at", "userId", "UserID", "order", "select", "table", "Order Details", "First Name",
	"user-id", "user.name", "schema.table", "a$b", "#temp", "@var", "_x", "1st", "2024", "Größe",
	"prénom", "名前", "имя", "اسم", "नाम", "% of total", "price (€)", "it's", `say "hi"`, "a`b",
	"[bracketed]", "a]b", `back\slash`, "a;b", "a--b", "/*x*/", "a,b", "a=b", "x'y'z", "NULL",
	"pg_catalog", "t1", "col_with_a_long_name_but_not_too_long_for_any_dialect", "Straße", "e\u0301", "a  b", "?", ":p", "$1", "A&B",
}

var goodArguments = []string{
	"a", "hello", "hello world", "two  spaces", "file.txt", "./file.txt", "/var/log/syslog", "dir/file", "a-b", "a--b",
	"x=1", "key=value", "HEAD~3", "origin/main", "v1.2.3", "feature/new-thing", "user@example.com", "https://example.com/?a=b&c=d", "10:30", "2024-01-31",
	"1", "0", "+1", "3.14", "1e9", "50%", "#42", "$HOME", "~", "*.go",
	"[a-z]+", "^start", "end$", "a|b", "a;b", "a&b", "it's", `say "hi"`, "`code`", "(x)",
	"{a,b}", "<tag>", "!important", "@file", "a\\b", "?", " leading", "trailing ", "Ünïcödé", "日本語",
	"Привет, мир", "مرحبا", "नमस्ते", "می\u200cخواهم", "👍", "👩\u200d💻", "café", "e\u0301", "1 - 2", "a—b",
}

var goodPatterns = []string{
	"a", "abc", "^abc$", "a.*b", "a+b?", "(a|b)+", "[a-z0-9_]+", `\d{4}-\d{2}-\d{2}`, `\bword\b`, `(?i)error|warning`, `(?m)^\s*$`, `[^,]*`, `\p{Greek}+`, `[\pL\pN]+`, `^(\w+)@(\w+)\.com$`,
	`a{1,100}`, `(?P<year>\d+)`, `(a+)+$`, `\$\d+\.\d{2}`, `日本|中国`, ` `, `\\`, `\x41`, `x*?`, `(?s).+`,
}

// At least two hundred that people use, each also taken by the schema that the model reads.
func TestNothingLegitimateIsRefused(t *testing.T) {
	bind(t, t.TempDir(), arg.PathOptions{})
	n := each[arg.Path[Tree]](t, goodPaths) + each[arg.URL[anywhere]](t, goodURLs) + each[arg.Identifier[arg.PostgreSQL]](t, goodNames) +
		each[arg.Option](t, goodArguments) + each[arg.Pattern](t, goodPatterns)
	each[arg.Identifier[arg.MySQL]](t, goodNames)
	each[arg.Identifier[arg.SQLite]](t, goodNames)
	each[arg.Identifier[arg.SQLServer]](t, goodNames)
	if n < 200 {
		t.Errorf("only %d are looked at", n)
	}
	t.Logf("%d are taken", n)
}

func each[T any](t *testing.T, good []string) int {
	t.Helper()
	decode, schema := decoder[T](t)
	for _, s := range good {
		if _, err := decode(s); err != nil {
			t.Errorf("%T: %q is refused: %v", *new(T), s, err)
		}
		if err := schema.takes(t, s); err != nil {
			t.Errorf("%T: %q is not taken by the schema: %v", *new(T), s, err)
		}
	}
	return len(good)
}
