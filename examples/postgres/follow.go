//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A joined is one call as three logs have it: ours, that of Vault's audit device, and
// PostgreSQL's.
type joined struct {
	Call, Tool string // of our event
	Request    string // Vault's name for its request, in our event and in its log
	Path       string // that was asked for, in Vault's log
	Hash       string // of the user's name, in Vault's log
	Role       string // the user's name, in PostgreSQL's log
	Statements []string
}

// follow joins the last call of our log that had a credential with the other two. Vault's
// log has no name of a user but its HMAC, so that Vault is asked for those of the roles
// that PostgreSQL has seen. The error says where the trace ends; where our event does not
// name Vault's request, it is errUnnamed.
func (s *stage) follow(trail string) (*joined, error) {
	j, err := lastCall(trail)
	if err != nil {
		return nil, err
	}
	for _, line := range s.vault.Audit() {
		request, _ := line["request"].(map[string]any)
		if line["type"] != "response" || request["id"] != j.Request {
			continue
		}
		response, _ := line["response"].(map[string]any)
		data, _ := response["data"].(map[string]any)
		j.Path, _ = request["path"].(string)
		j.Hash, _ = data["username"].(string)
	}
	if j.Hash == "" {
		return nil, fmt.Errorf("the log of Vault's audit device has no user that was made by the request %s", j.Request)
	}
	seen := s.statements()
	for role, statements := range seen {
		if field(s.vault.Write("sys/audit-hash/file", map[string]any{"input": role}), "hash") == j.Hash {
			j.Role, j.Statements = role, statements
		}
	}
	if j.Role == "" {
		return nil, fmt.Errorf("none of the %d roles that PostgreSQL's log has is the one of the request %s", len(seen), j.Request)
	}
	return j, nil
}

// errUnnamed says that our events do not have Vault's name for its request.
var errUnnamed = fmt.Errorf("the event has no request_id")

// lastCall reads our log as anybody would, line by line.
func lastCall(trail string) (*joined, error) {
	segments, err := filepath.Glob(filepath.Join(trail, "*.jsonl"))
	if err != nil {
		return nil, err
	}
	slices.Sort(segments)
	var last *joined
	for _, segment := range segments {
		content, err := os.ReadFile(segment)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(content)) {
			var event struct {
				Call        string
				MCP         struct{ Tool string }
				Credentials []struct {
					Request string `json:"request_id"`
				}
			}
			if err := json.Unmarshal([]byte(line), &event); err != nil {
				return nil, err
			}
			if len(event.Credentials) > 0 {
				last = &joined{Call: event.Call, Tool: event.MCP.Tool, Request: event.Credentials[0].Request}
			}
		}
	}
	switch {
	case last == nil:
		return nil, fmt.Errorf("no event in %s has a credential", trail)
	case last.Request == "":
		return nil, errUnnamed
	}
	return last, nil
}

// statements are what PostgreSQL's log says that the users of Vault's have run, the
// callers' alone, by user.
func (s *stage) statements() map[string][]string {
	all := map[string][]string{}
	for line := range strings.Lines(s.postgres.Log()) {
		user, rest, _ := strings.Cut(line, " ")
		if !strings.HasPrefix(user, "v-") {
			continue
		}
		if _, there := all[user]; !there {
			all[user] = nil
		}
		if _, sql, ours := strings.Cut(rest, declare); ours && strings.Contains(rest, "execute") {
			all[user] = append(all[user], strings.TrimSpace(sql))
		}
	}
	return all
}
