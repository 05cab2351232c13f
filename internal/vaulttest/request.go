package vaulttest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
)

// Write writes to a path with the root token, and returns what it answered.
func (s *Server) Write(path string, body map[string]any) map[string]any {
	s.t.Helper()
	var out map[string]any
	s.must(http.MethodPost, path, body, &out)
	return out
}

// Wrap writes to a path, and returns a token that gives what it answered, once.
func (s *Server) Wrap(path string) string {
	s.t.Helper()
	return s.WrapOf(path, nil)
}

// WrapOf is Wrap with a body.
func (s *Server) WrapOf(path string, body map[string]any) string {
	s.t.Helper()
	var out struct {
		Info struct {
			Token string `json:"token"`
		} `json:"wrap_info"`
	}
	s.wrap = "5m"
	s.must(http.MethodPost, path, body, &out)
	s.wrap = ""
	return out.Info.Token
}

// Token makes a token with those policies, which no other is the parent of.
func (s *Server) Token(policies ...string) string {
	s.t.Helper()
	var out struct {
		Auth struct {
			Token string `json:"client_token"`
		} `json:"auth"`
	}
	s.must(http.MethodPost, "auth/token/create-orphan", map[string]any{"policies": policies, "ttl": "1h"}, &out)
	return out.Auth.Token
}

// Read reads a path with the root token.
func (s *Server) Read(path string) map[string]any {
	s.t.Helper()
	var out map[string]any
	s.must(http.MethodGet, path, nil, &out)
	return out
}

// List returns the names under a path, none where there are none.
func (s *Server) List(path string) []string {
	s.t.Helper()
	var out struct {
		Data struct {
			Keys []string `json:"keys"`
		} `json:"data"`
	}
	if err := s.do("LIST", path, nil, &out); err != nil && !errors.Is(err, errNothing) {
		s.t.Fatal(err)
	}
	return out.Data.Keys
}

// Delete deletes a path.
func (s *Server) Delete(path string) {
	s.t.Helper()
	s.must(http.MethodDelete, path, nil, nil)
}

// Audit returns the events of its audit device so far.
func (s *Server) Audit() []map[string]any {
	s.t.Helper()
	file, err := os.Open(filepath.Join(s.dir, "audit.log"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	var all []map[string]any
	lines := bufio.NewReader(file)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return all // a line that is not whole is under way
		}
		var event map[string]any
		if err := json.Unmarshal(line, &event); err != nil {
			s.t.Fatal(err)
		}
		all = append(all, event)
	}
}

var errNothing = errors.New("vaulttest: there is nothing")

func (s *Server) must(method, path string, body map[string]any, out any) {
	s.t.Helper()
	if err := s.do(method, path, body, out); err != nil {
		s.t.Fatal(err)
	}
}

func (s *Server) do(method, path string, body map[string]any, out any) error {
	var reader io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("vaulttest: %w", err)
		}
		reader = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(context.Background(), method, s.Address+"/v1/"+path, reader)
	if err != nil {
		return fmt.Errorf("vaulttest: %w", err)
	}
	req.Header.Set("X-Vault-Token", s.RootToken)
	if s.wrap != "" {
		req.Header.Set("X-Vault-Wrap-Ttl", s.wrap)
	}
	res, err := s.client.Do(req)
	if err != nil {
		return fmt.Errorf("vaulttest: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	switch {
	case err != nil:
		return fmt.Errorf("vaulttest: %s %s: %w", method, path, err)
	case res.StatusCode == http.StatusNotFound:
		return errNothing
	case res.StatusCode/100 != 2:
		return fmt.Errorf("vaulttest: %s %s: %s: %s", method, path, res.Status, answer)
	case out == nil || len(answer) == 0:
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("vaulttest: %s %s: %w", method, path, err)
	}
	return nil
}
