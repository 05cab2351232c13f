package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/serve"
)

// childArg makes this program a server on standard input and output.
const childArg = "-child"

// used is the tool that says what the process has used.
func used(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, usage, error) {
	u, err := own()
	return nil, u, err
}

// serveChild serves the tool, and another that says what the process has used.
func serveChild(which string) error {
	pin()
	tool := &mcp.Tool{Name: "usage"}
	if which == "ours" {
		s, err := guarded(discard{})
		if err != nil {
			return err
		}
		safetool.AddTool(s, tool, safetool.Policy{Risk: safetool.ReadOnly, AnyCaller: true}, used)
		return serve.Stdio(context.Background(), s, nil)
	}
	s, err := typed()
	if err != nil {
		return err
	}
	mcp.AddTool(s, tool, used)
	err = s.Run(context.Background(), &mcp.StdioTransport{})
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// overStdio is a server in a process of its own, driven by lines that were made
// beforehand: the process that is measured is the server's.
func overStdio(which string) func(context.Context) (*side, error) {
	return func(ctx context.Context) (*side, error) {
		cmd, in, out, err := again(ctx, childArg, which)
		if err != nil {
			return nil, err
		}
		c := &child{in: in, out: bufio.NewReaderSize(out, 64<<10)}
		if err := c.greet(); err != nil {
			return nil, errors.Join(err, cmd.Process.Kill(), cmd.Wait())
		}
		return &side{do: c.do, usage: c.usage, close: func() error { return errors.Join(in.Close(), cmd.Wait()) }}, nil
	}
}

// again starts this program again, as a server.
func again(ctx context.Context, as, which string) (cmd *exec.Cmd, in io.WriteCloser, out io.ReadCloser, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, nil, nil, err
	}
	cmd = exec.CommandContext(ctx, self, as, which)
	cmd.Stderr = os.Stderr
	cmd.Env = pinned()
	if in, err = cmd.StdinPipe(); err != nil {
		return nil, nil, nil, err
	}
	if out, err = cmd.StdoutPipe(); err != nil {
		return nil, nil, nil, err
	}
	return cmd, in, out, cmd.Start()
}

// pinned is the environment without what would change Go's defaults.
func pinned() (env []string) {
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "GOGC=") && !strings.HasPrefix(v, "GOMAXPROCS=") && !strings.HasPrefix(v, "GOMEMLIMIT=") && !strings.HasPrefix(v, "GODEBUG=") {
			env = append(env, v)
		}
	}
	return env
}

type child struct {
	in  io.Writer
	out *bufio.Reader
	buf []byte
}

func (c *child) greet() error {
	_, err := c.ask([]byte(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"v1"}}}` + "\n"))
	if err == nil {
		_, err = io.WriteString(c.in, `{"jsonrpc":"2.0","method":"notifications/initialized"}`+"\n")
	}
	return err
}

// ask sends a line and returns the next.
func (c *child) ask(line []byte) ([]byte, error) {
	if _, err := c.in.Write(line); err != nil {
		return nil, err
	}
	return c.out.ReadSlice('\n')
}

func (c *child) do(n int) error {
	for i := range n {
		c.buf = fmt.Appendf(c.buf[:0], `{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"search","arguments":%s}}`+"\n", i+10, arguments)
		answer, err := c.ask(c.buf)
		if err != nil {
			return err
		}
		if !bytes.Contains(answer, []byte(`"structuredContent"`)) || bytes.Contains(answer, []byte(`"isError":true`)) {
			return fmt.Errorf("the server answered %s", answer)
		}
	}
	return nil
}

func (c *child) usage() (u usage, err error) {
	answer, err := c.ask([]byte(`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"usage","arguments":{}}}` + "\n"))
	if err != nil {
		return u, err
	}
	var r struct {
		Result struct {
			StructuredContent usage `json:"structuredContent"`
		} `json:"result"`
	}
	err = json.Unmarshal(answer, &r)
	return r.Result.StructuredContent, err
}
