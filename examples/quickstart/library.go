package main

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/safemcp/safemcp/safetool"
)

// library holds the documents that the tools are about.
var library = &shelf{titles: map[string]string{
	"d1": "Minutes of the spring meeting",
	"d2": "Budget for the new library",
	"d3": "Library opening hours",
}}

// errNoDocument is meant for the caller, so it is said.
var errNoDocument = safetool.Say("There is no document of that id; search_documents finds them.")

type document struct {
	ID    string `json:"id"`
	Title string `json:"title"`
}

// A shelf holds documents; it is safe for concurrent use, as whatever handlers
// share has to be.
type shelf struct {
	mu     sync.Mutex
	titles map[string]string // by id
}

func (s *shelf) search(words string, most int) []document {
	s.mu.Lock()
	defer s.mu.Unlock()
	hits := []document{}
	for _, id := range slices.Sorted(maps.Keys(s.titles)) {
		if len(hits) < most && strings.Contains(strings.ToLower(s.titles[id]), strings.ToLower(words)) {
			hits = append(hits, document{id, s.titles[id]})
		}
	}
	return hits
}

func (s *shelf) has(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.titles[id]
	return ok
}

func (s *shelf) remove(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.titles[id]
	delete(s.titles, id)
	return ok
}
