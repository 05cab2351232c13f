package serve

import (
	"io"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/internal/bridge"
)

// The door of standard input and output can be put in front of any pair of streams:
// safetooltest puts it in front of a client in memory, so that a user's tests meet what
// their clients will.
func init() {
	bridge.Door = func(gate bridge.Gate, streams io.ReadWriter, caller bridge.Caller) (mcp.Transport, func()) {
		o, err := (*StdioOptions)(nil).complete()
		if err != nil { // the defaults are complete
			panic(err)
		}
		c := newConn(streams, streams, caller, gate, o)
		return c, c.flood.flush
	}
}
