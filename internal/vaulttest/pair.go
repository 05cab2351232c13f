package vaulttest

import (
	"net/http"

	"github.com/safemcp/safemcp/internal/harness"
)

// StartPair starts two Vaults that are one: the second is a standby, which hands what it
// is asked on to the first, and answers by itself when that is gone.
func StartPair(t harness.T) (active, standby *Server) {
	t.Helper()
	program := Build(t)
	active = prepare(t, program, "a")
	active.begin()
	standby = prepare(t, program, "b") // not before: its port has to be free until it runs
	standby.run()
	standby.key, standby.RootToken = active.key, active.RootToken
	standby.must(http.MethodPost, "sys/storage/raft/join", map[string]any{"leader_api_addr": active.Address}, nil)
	standby.must(http.MethodPut, "sys/unseal", map[string]any{"key": standby.key}, nil)
	standby.Until("the standby hands requests on", func() bool {
		return standby.do(http.MethodGet, "auth/token/lookup-self", nil, nil) == nil
	})
	return active, standby
}

// Revive starts a server of a pair again after Kill and gives it its key, and does not wait
// for the two to agree on which is the active one.
func (s *Server) Revive() {
	s.t.Helper()
	s.run()
	s.must(http.MethodPut, "sys/unseal", map[string]any{"key": s.key}, nil)
}

// Try writes to a path, and says whether that was possible.
func (s *Server) Try(path string, body map[string]any) bool {
	return s.do(http.MethodPost, path, body, nil) == nil
}
