package serve

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/access"
	"github.com/safemcp/safemcp/internal/bridge"
)

var updateDocs = flag.Bool("update", false, "write docs/attacks.md anew")

// An attack is a good call of the tool "open" with something changed.
type attack struct {
	name   string
	body   string            // instead of the good one
	edit   [2]string         // of the good body: old, new
	header map[string]string // set, or with "" left out
	raw    []string          // header lines that are added
	first  string            // instead of the request line's method and path
	host   string
	long   int // announced length, where it is not the body's
	http   bool
}

const (
	attackMeta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"c","version":"1"}}`
	goodCall   = `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"open","arguments":{"city":"Paris"},` + attackMeta + `}}`
	marker     = "S3CR3T"
)

var attacks = []attack{
	{name: "none: the good call"},

	{name: "Origin of another site", header: map[string]string{"Origin": "https://evil.example"}, http: true},
	{name: "Origin null", header: map[string]string{"Origin": "null"}, http: true},
	{name: "Origin that begins like the server's", header: map[string]string{"Origin": "http://HOST.evil.example"}, http: true},
	{name: "Origin with the server as its user", header: map[string]string{"Origin": "http://HOST@evil.example"}, http: true},
	{name: "Origin of another port of this machine", header: map[string]string{"Origin": "http://localhost:1"}, http: true},
	{name: "two Origins, the first good", raw: []string{"Origin: http://HOST", "Origin: https://evil.example"}, http: true},
	{name: "Sec-Fetch-Site: cross-site", header: map[string]string{"Sec-Fetch-Site": "cross-site"}, http: true},
	{name: "Sec-Fetch-Site: same-site", header: map[string]string{"Sec-Fetch-Site": "same-site"}, http: true},
	{name: "Host of another site (DNS rebinding)", host: "evil.example", http: true},
	{name: "Host that begins with localhost", host: "localhost.evil.example", http: true},
	{name: "Content-Type text/plain", header: map[string]string{"Content-Type": "text/plain"}, http: true},
	{name: "Content-Type of a form", header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, http: true},
	{name: "Content-Type missing", header: map[string]string{"Content-Type": ""}, http: true},
	{name: "Content-Type with another charset", header: map[string]string{"Content-Type": "application/json; charset=utf-16"}, http: true},
	{name: "two Content-Types", raw: []string{"Content-Type: text/plain"}, http: true},
	{name: "Content-Encoding gzip", header: map[string]string{"Content-Encoding": "gzip"}, http: true},
	{name: "Accept without event streams", header: map[string]string{"Accept": "application/json"}, http: true},
	{name: "method PUT", first: "PUT /mcp", http: true},
	{name: "method TRACE", first: "TRACE /mcp", http: true},
	{name: "path with a suffix", first: "POST /mcp/../mcp/x", http: true},
	{name: "version header missing", header: map[string]string{"MCP-Protocol-Version": ""}, http: true},
	{name: "version header of another version", header: map[string]string{"MCP-Protocol-Version": "2025-11-25"}, http: true},
	{name: "version header that does not exist", header: map[string]string{"MCP-Protocol-Version": "2099-" + marker}, http: true},
	{name: "Mcp-Method of another method", header: map[string]string{"Mcp-Method": "tools/list"}, http: true},
	{name: "Mcp-Method missing", header: map[string]string{"Mcp-Method": ""}, http: true},
	{name: "Mcp-Name of another tool", header: map[string]string{"Mcp-Name": "hidden"}, http: true},
	{name: "Mcp-Name missing", header: map[string]string{"Mcp-Name": ""}, http: true},
	{name: "two Mcp-Names, the first good", raw: []string{"Mcp-Name: hidden"}, http: true},
	{name: "two Mcp-Methods, the first good", raw: []string{"Mcp-Method: tools/list"}, http: true},
	{name: "two version headers", raw: []string{"MCP-Protocol-Version: 2025-11-25"}, http: true},
	{name: "Mcp-Param of another value", edit: [2]string{`"name":"open"`, `"name":"zoned"`}, header: map[string]string{"Mcp-Name": "zoned", "Mcp-Param-Zone": "b"}, http: true},
	{name: "Mcp-Param missing", edit: [2]string{`"name":"open"`, `"name":"zoned"`}, header: map[string]string{"Mcp-Name": "zoned"}, http: true},
	{
		name: "a session made up", header: map[string]string{"Mcp-Session-Id": "AAAA", "MCP-Protocol-Version": "2025-11-25", "Mcp-Method": "", "Mcp-Name": ""},
		body: `{"jsonrpc":"2.0","id":7,"method":"tools/list"}`, http: true,
	},
	{
		name: "an old version without a session", header: map[string]string{"MCP-Protocol-Version": "2025-11-25", "Mcp-Method": "", "Mcp-Name": ""},
		body: `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"open","arguments":{"city":"Paris"}}}`, http: true,
	},
	{name: "200 headers", raw: manyHeaders(200), http: true},
	{name: "a header of 100 KB", raw: []string{"X-Long: " + strings.Repeat("a", 100<<10)}, http: true},
	{name: "50 MB announced", long: 50 << 20, http: true},
	{name: "body empty", body: " ", http: true},
	{name: "5 MB", edit: [2]string{"Paris", strings.Repeat("a", 5<<20)}, http: true},
	{name: "an answer that nobody asked for", body: `{"jsonrpc":"2.0","id":99,"result":{"a":"` + marker + `"}}`, http: true},
	{name: "a second request in the body's place", body: "POST /mcp HTTP/1.1", http: true},

	{name: "member method twice", edit: [2]string{`"method":"tools/call"`, `"method":"tools/list","method":"tools/call"`}},
	{name: "member method twice, once escaped", edit: [2]string{`"method":"tools/call"`, `"\u006dethod":"tools/list","method":"tools/call"`}},
	{name: "member id twice", edit: [2]string{`"id":7`, `"id":6,"id":7`}},
	{name: "member params twice", edit: [2]string{`"params":`, `"params":{},"params":`}},
	{name: "tool's name twice", edit: [2]string{`"name":"open"`, `"name":"hidden","name":"open"`}},
	{name: "argument twice", edit: [2]string{`"city":"Paris"`, `"city":"Lima","city":"Paris"`}},
	{name: "member of _meta twice", edit: [2]string{`"_meta":{`, `"_meta":{"a":1,"a":2,`}},
	{name: "bytes after the message", body: goodCall + `x`},
	{name: "a second message after the first", body: goodCall + goodCall},
	{name: "a bracket too many", body: goodCall + `}`},
	{name: "invalid UTF-8", edit: [2]string{"Paris", "Par\xffis"}},
	{name: "overlong UTF-8", edit: [2]string{"Paris", "Par\xc0\xafis"}},
	{name: "half a surrogate pair", edit: [2]string{"Paris", `Par\ud800is`}},
	{name: "surrogates in the wrong order", edit: [2]string{"Paris", `\udc00\ud800`}},
	{name: "a byte order mark", body: "\xef\xbb\xbf" + goodCall},
	{name: "UTF-16", body: "\xff\xfe{\x00}\x00"},
	{name: "a batch", body: "[" + goodCall + "]"},
	{name: "an empty batch", body: "[]"},
	{name: "member Method", edit: [2]string{`"method"`, `"Method"`}},
	{name: "member PARAMS", edit: [2]string{`"params"`, `"PARAMS"`}},
	{name: "member Name beside name", edit: [2]string{`"name":"open"`, `"name":"open","Name":"hidden"`}},
	{name: "member that JSON-RPC does not know", edit: [2]string{`"id":7`, `"id":7,"auth":"` + marker + `"`}},
	{name: "jsonrpc missing", edit: [2]string{`"jsonrpc":"2.0",`, ``}},
	{name: "jsonrpc 1.0", edit: [2]string{`"2.0"`, `"1.0"`}},
	{name: "id null", edit: [2]string{`"id":7`, `"id":null`}},
	{name: "id a fraction", edit: [2]string{`"id":7`, `"id":7.5`}},
	{name: "id an object", edit: [2]string{`"id":7`, `"id":{}`}},
	{name: "id beyond 53 bits", edit: [2]string{`"id":7`, `"id":9007199254740993`}},
	{name: "id of 100 KB", edit: [2]string{`"id":7`, `"id":"` + strings.Repeat("a", 100<<10) + `"`}},
	{name: "params an array", body: `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":["` + marker + `"]}`},
	{name: "tool's name a number", edit: [2]string{`"name":"open","arguments":{"city":"Paris"}`, `"name":7,"arguments":{"password":"` + marker + `"}`}},
	{name: "arguments a text", edit: [2]string{`{"city":"Paris"}`, `"` + marker + `"`}},
	{name: "a tool that there is not", edit: [2]string{`"name":"open"`, `"name":"` + marker + `"`}, header: map[string]string{"Mcp-Name": marker}},
	{name: "a method that there is not", edit: [2]string{`tools/call`, marker + `/call`}, header: map[string]string{"Mcp-Method": marker + "/call", "Mcp-Name": ""}},
	{name: "an argument that there is not", edit: [2]string{`"city":"Paris"`, `"city":"Paris","password":"` + marker + `"`}},
	{name: "a value that is not allowed", edit: [2]string{"Paris", marker}},
	{name: "a call without an id", edit: [2]string{`"id":7,`, ``}},
	{name: "nested 1,000 deep", edit: [2]string{`"Paris"`, strings.Repeat("[", 1000) + strings.Repeat("]", 1000)}},
	{name: "nested 100,000 deep", edit: [2]string{`"Paris"`, strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000)}},
	{name: "NaN", edit: [2]string{`"Paris"`, "NaN"}},
	{name: "a comment", edit: [2]string{`"id":7`, `/* */"id":7`}},
	{name: "single quotes", body: strings.ReplaceAll(goodCall, `"`, `'`)},
	{name: "a NUL byte in a text", edit: [2]string{"Paris", "Par\x00is"}},
	{name: "a comma too many", edit: [2]string{`"city":"Paris"`, `"city":"Paris",`}},
	{name: "a result and an error", body: `{"jsonrpc":"2.0","id":99,"result":{},"error":{"code":1,"message":"` + marker + `"}}`},
	{name: "a request and a result", edit: [2]string{`"id":7`, `"id":7,"result":{}`}},
}

func manyHeaders(n int) (lines []string) {
	for i := range n {
		lines = append(lines, fmt.Sprintf("X-%d: a", i))
	}
	return lines
}

func (a *attack) message() string {
	switch {
	case a.body != "":
		return a.body
	case a.edit[0] != "":
		return strings.Replace(goodCall, a.edit[0], a.edit[1], 1)
	}
	return goodCall
}

// request is the attack in bytes.
func (a *attack) request(host string) []byte {
	body := a.message()
	first, length := "POST /mcp", len(body)
	if a.first != "" {
		first = a.first
	}
	if a.long > 0 {
		length = a.long
	}
	lines := []string{first + " HTTP/1.1", "Host: " + zeroAs(a.host, host)}
	header := map[string]string{
		"Content-Type": "application/json", "Accept": "application/json, text/event-stream",
		"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "open",
	}
	maps.Copy(header, a.header)
	for _, name := range []string{"Content-Type", "Accept", "MCP-Protocol-Version", "Mcp-Method", "Mcp-Name", "Origin", "Sec-Fetch-Site", "Content-Encoding", "Mcp-Session-Id", "Mcp-Param-Zone"} {
		if value := header[name]; value != "" {
			lines = append(lines, name+": "+strings.ReplaceAll(value, "HOST", host))
		}
	}
	for _, line := range a.raw {
		lines = append(lines, strings.ReplaceAll(line, "HOST", host))
	}
	lines = append(lines, fmt.Sprintf("Content-Length: %d", length), "Connection: close", "", body)
	return []byte(strings.Join(lines, "\r\n"))
}

// overHTTP makes the attack, and says in short what came of it.
func (a *attack) overHTTP(t *testing.T, address string) string {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	go func() {
		_, _ = c.Write(a.request(address))
		if half, ok := c.(*net.TCPConn); ok && a.long > 0 {
			_ = half.CloseWrite() // what was announced does not come
		}
	}()
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return "connection closed"
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(res.Body, 1<<20)) // closed early, where the server refuses the rest
	return fmt.Sprint(res.StatusCode, " ", gist(body))
}

// overStdio makes the attack on a session of its own.
func (a *attack) overStdio(t *testing.T, connect func(context.Context, io.Reader, io.WriteCloser)) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	in, toServer := io.Pipe()
	fromServer, out := io.Pipe()
	go connect(ctx, in, out)
	after := strings.Replace(goodCall, `"id":7`, `"id":"after"`, 1) + "\n" // so that there is an end to wait for
	go func() {
		_, _ = io.WriteString(toServer, a.message()+"\n")
		_, _ = io.WriteString(toServer, after)
	}()
	timeout := time.AfterFunc(20*time.Second, func() { _ = fromServer.CloseWithError(errors.New("no answer")) })
	defer timeout.Stop()
	defer fromServer.Close()
	answer, trips := "no answer", 0
	lines := bufio.NewReader(fromServer)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			if answer == "no answer" {
				answer = "session ends"
			} else {
				answer += ", session ends"
			}
			return answer
		}
		if bytes.Contains(line, []byte(`"id":"after"`)) {
			// Calls run side by side, so an answer may still be on its way.
			if trips++; trips == 100 || answer != "no answer" {
				return answer
			}
			go func() { _, _ = io.WriteString(toServer, after) }()
			continue
		}
		answer = gist(line)
	}
}

// gist says in short what a body or line holds.
func gist(body []byte) string {
	leak := ""
	if bytes.Contains(body, []byte(marker)) {
		leak = ", repeats what was sent"
	}
	for line := range bytes.SplitSeq(body, []byte("\n")) {
		line = bytes.TrimPrefix(line, []byte("data: "))
		var m struct {
			Result *struct {
				IsError bool `json:"isError"`
			} `json:"result"`
			Error *struct {
				Code int `json:"code"`
			} `json:"error"`
		}
		if json.Unmarshal(line, &m) != nil {
			continue
		}
		switch {
		case m.Error != nil:
			return fmt.Sprintf("error %d%s", m.Error.Code, leak)
		case m.Result != nil && m.Result.IsError:
			return "refused by the tool" + leak
		case m.Result != nil:
			return "**answered**" + leak
		}
	}
	return strings.TrimPrefix("text"+leak, ", ")
}

// stock is what a server of the SDK's alone makes of the same tools.
func stock() *mcp.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "stock", Version: "v1"}, nil)
	type open struct {
		City string `json:"city"`
	}
	mcp.AddTool(s, &mcp.Tool{Name: "open", InputSchema: json.RawMessage(`{"type":"object","properties":{"city":{"type":"string","enum":["Paris","London"]}},"required":["city"],"additionalProperties":false}`)},
		func(context.Context, *mcp.CallToolRequest, open) (*mcp.CallToolResult, any, error) {
			return &mcp.CallToolResult{}, nil, nil
		})
	s.AddTool(&mcp.Tool{Name: "zoned", InputSchema: json.RawMessage(zonedSchema)},
		func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return &mcp.CallToolResult{}, nil
		})
	return s
}

const zonedSchema = `{"type":"object","properties":{"city":{"type":"string","x-mcp-header":"Zone"}},"required":["city"],"additionalProperties":false}`

// TestAttacksOnTheFrontDoor makes every attack on a stock server and on ours, over TCP
// and over stdio, and keeps what came of it in docs/attacks.md. Ours answers the good
// call and no attack, before and after.
func TestAttacksOnTheFrontDoor(t *testing.T) {
	t.Parallel()
	ours, trail := weather(t)
	addZoned(ours)
	endpoint, url := serveOn(t, ours, &HTTPOptions{InsecureAnonymous: "a test"})
	endpoint.flood.now = func() time.Time { return time.Now().Add(time.Duration(len(trail.Events())) * time.Hour) } // each by itself
	bare := stock()
	theirs := httptest.NewServer(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return bare }, &mcp.StreamableHTTPOptions{Stateless: true}))
	defer theirs.Close()

	onStock := func(ctx context.Context, in io.Reader, out io.WriteCloser) {
		session, err := bare.Connect(ctx, &mcp.IOTransport{Reader: io.NopCloser(in), Writer: out}, nil)
		if err == nil {
			_ = session.Wait()
		}
		_ = out.Close()
	}
	onOurs := func(ctx context.Context, in io.Reader, out io.WriteCloser) {
		options, err := (&StdioOptions{}).complete()
		if err != nil {
			panic(err)
		}
		caller := bridge.Caller{Principal: access.NewPrincipal("os", "somebody"), Transport: "stdio"}
		session, err := bridge.Open(ours).SDK.Connect(ctx, newConn(in, out, caller, bridge.Open(ours), options), nil)
		if err == nil {
			_ = session.Wait()
		}
		_ = out.Close()
	}

	var table strings.Builder
	table.WriteString(attacksHead)
	refusals := 0
	for i := range append(attacks, attacks[0]) {
		a := &attacks[i%len(attacks)]
		good := i%len(attacks) == 0
		before := len(trail.Events())
		row := []string{a.name, a.overHTTP(t, strings.TrimPrefix(theirs.URL, "http://")), a.overHTTP(t, strings.TrimPrefix(url, "http://")), "", ""}
		if strings.Contains(row[2], "answered") != good {
			t.Errorf("%s: over HTTP ours: %s", a.name, row[2])
		}
		if strings.Contains(row[2], "repeats") || strings.Contains(row[2], "text") {
			t.Errorf("%s: over HTTP ours: %s", a.name, row[2])
		}
		if !good && len(trail.Events()) == before {
			t.Errorf("%s: the refusal over HTTP is not recorded", a.name)
		}
		if !a.http {
			row[3], row[4] = a.overStdio(t, onStock), a.overStdio(t, onOurs)
			if strings.Contains(row[4], "answered") != good || strings.Contains(row[4], "ends") || strings.Contains(row[4], "repeats") {
				t.Errorf("%s: over stdio ours: %s", a.name, row[4])
			}
		}
		if i < len(attacks) {
			fmt.Fprintf(&table, "| %s |\n", strings.Join(row, " | "))
			refusals++
		}
	}
	if refusals < 40 {
		t.Errorf("%d attacks only", refusals)
	}
	const path = "../docs/attacks.md"
	if *updateDocs {
		if err := os.WriteFile(path, []byte(table.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if kept, err := os.ReadFile(path); err != nil || string(kept) != table.String() {
		t.Errorf("docs/attacks.md does not say what happens now (%v): go test ./serve -run TestAttacksOnTheFrontDoor -update", err)
	}
}

const attacksHead = `# Attacks on the front door

Each row is a good tool call with one thing changed, sent as raw bytes to a server of the MCP SDK alone and to one of
this library with the same tools: over HTTP (the SDK's handler, stateless) and as a line over stdio. It says what came
back: the HTTP status, and whether the call was answered, refused by the tool, or refused with a JSON-RPC error. Ours
has to answer the first row, before and after all others, and no other; no answer of ours repeats what was sent, no
session ends, and every refusal is in the audit log. (What is no HTTP at all, and under serve.HTTP headers of more than
32 KB, net/http refuses before any handler sees it.) The table is made by the test that checks it: ` + "`go test ./serve -run TestAttacksOnTheFrontDoor -update`" + `.

| attack | stock, HTTP | ours, HTTP | stock, stdio | ours, stdio |
|---|---|---|---|---|
`
