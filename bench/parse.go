package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/safemcp/safemcp/internal/bridge"
	_ "github.com/safemcp/safemcp/serve" // whose parse it is
)

// message returns a tool call of about size bytes, dense with numbers, names and short
// texts as data is.
func message(size int) []byte {
	const head, tail = `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"search","arguments":{"items":[`, `]},` + webMeta + `}}`
	const item = `{"id":12345,"name":"some name","tags":["a","b"],"ok":true,"v":1.5}`
	n := max((size-len(head)-len(tail))/(len(item)+1), 1)
	return []byte(head + strings.TrimSuffix(strings.Repeat(item+",", n), ",") + tail)
}

// strict parses a message as the front doors do, and valid as one pass of
// encoding/json does: each n times.
func strict(size int) func(context.Context) (*side, error) {
	return parser(size, func(raw []byte) bool { return bridge.Strict(raw) })
}

func valid(size int) func(context.Context) (*side, error) { return parser(size, json.Valid) }

func parser(size int, good func([]byte) bool) func(context.Context) (*side, error) {
	return func(context.Context) (*side, error) {
		raw := message(size)
		return &side{
			do: func(n int) error {
				for range n {
					if !good(raw) {
						return errors.New("a good message is refused")
					}
				}
				return nil
			},
			close: func() error { return nil },
		}, nil
	}
}
