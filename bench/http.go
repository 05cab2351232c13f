package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/access"
	"github.com/safemcp/safemcp/limit"
	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/serve"
)

// httpChildArg makes this program a server over HTTP, which says where on standard
// output and ends with its standard input.
const httpChildArg = "-http-child"

// bearer is the one token, which both sides look up.
const bearer = "3a0f6fa6b1d84a01a6a4b2f7c9d0e1f2"

// holder takes the token for its holder.
type holder struct{}

func (holder) Authenticate(r *http.Request, _ func() error) (access.Principal, error) {
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok && token == bearer {
		return access.NewPrincipal("bench", "holder"), nil
	}
	return access.Principal{}, access.ErrNoCredentials
}

func (holder) CredentialHeaders() []string { return []string{"Authorization"} }

func serveHTTPChild(which string) error {
	pin()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	tool := &mcp.Tool{Name: "usage"}
	if which == "ours" {
		s, err := guarded(discard{})
		if err != nil {
			return err
		}
		safetool.AddTool(s, tool, safetool.Policy{Risk: safetool.ReadOnly, AnyCaller: true}, used)
		return serve.HTTP(ctx, s, &serve.HTTPOptions{
			Address: "127.0.0.1:0", Authenticators: []access.Authenticator{holder{}},
			CallerRate: limit.Rate{Count: 1 << 30, Per: time.Hour}, // counted, and never exceeded
			Listening:  func(at net.Addr) { fmt.Println(at) },
		})
	}
	s, err := typed()
	if err != nil {
		return err
	}
	mcp.AddTool(s, tool, used)
	verify := func(_ context.Context, token string, _ *http.Request) (*auth.TokenInfo, error) {
		if token != bearer {
			return nil, auth.ErrInvalidToken
		}
		return &auth.TokenInfo{UserID: "holder", Expiration: time.Now().Add(time.Hour)}, nil
	}
	h := &http.Server{ReadHeaderTimeout: time.Minute, Handler: auth.RequireBearerToken(verify, nil)(
		mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s }, &mcp.StreamableHTTPOptions{Stateless: true}))}
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() {
		<-ctx.Done()
		_ = h.Close()
	}()
	fmt.Println(l.Addr())
	if err := h.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// overHTTP is a server in a process of its own, driven over one connection by requests
// that were made beforehand: the process that is measured is the server's.
func overHTTP(which string) func(context.Context) (*side, error) {
	return func(ctx context.Context) (*side, error) {
		cmd, in, out, err := again(ctx, httpChildArg, which)
		if err != nil {
			return nil, err
		}
		at, err := bufio.NewReader(out).ReadString('\n')
		if err != nil {
			return nil, errors.Join(err, cmd.Process.Kill(), cmd.Wait())
		}
		var dialer net.Dialer
		c, err := dialer.DialContext(ctx, "tcp", strings.TrimSpace(at))
		if err != nil {
			return nil, errors.Join(err, cmd.Process.Kill(), cmd.Wait())
		}
		w := &webClient{conn: c, in: bufio.NewReaderSize(c, 64<<10), host: strings.TrimSpace(at)}
		return &side{do: w.do, usage: w.usage, close: func() error { return errors.Join(c.Close(), in.Close(), cmd.Wait()) }}, nil
	}
}

type webClient struct {
	conn net.Conn
	in   *bufio.Reader
	host string
	buf  []byte
}

const webMeta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`

// ask calls a tool and returns the body of the answer.
func (w *webClient) ask(id int, tool, arguments string) ([]byte, error) {
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":%q,"arguments":%s,%s}}`, id, tool, arguments, webMeta)
	w.buf = fmt.Appendf(w.buf[:0], "POST /mcp HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n"+
		"Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: %s\r\nContent-Length: %d\r\n\r\n%s",
		w.host, bearer, tool, len(body), body)
	if _, err := w.conn.Write(w.buf); err != nil {
		return nil, err
	}
	res, err := http.ReadResponse(w.in, nil)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	return io.ReadAll(res.Body)
}

func (w *webClient) do(n int) error {
	for i := range n {
		answer, err := w.ask(i+10, "search", string(arguments))
		if err != nil {
			return err
		}
		if !bytes.Contains(answer, []byte(`"structuredContent"`)) || bytes.Contains(answer, []byte(`"isError":true`)) {
			return fmt.Errorf("the server answered %s", answer)
		}
	}
	return nil
}

func (w *webClient) usage() (u usage, err error) {
	answer, err := w.ask(2, "usage", "{}")
	if err != nil {
		return u, err
	}
	var r struct {
		Result struct {
			StructuredContent usage `json:"structuredContent"`
		} `json:"result"`
	}
	for line := range bytes.Lines(answer) {
		if json.Unmarshal(bytes.TrimPrefix(line, []byte("data: ")), &r) == nil && r.Result.StructuredContent != (usage{}) {
			return r.Result.StructuredContent, nil
		}
	}
	return u, fmt.Errorf("the server answered %s", answer)
}
