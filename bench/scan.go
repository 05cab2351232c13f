package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/safemcp/safemcp/secrets/scan"
)

// scanned is about 64 KB of what tools answer: JSON with escapes, identifiers, times
// and addresses, and prose.
func scanned() []byte {
	r := rand.New(rand.NewPCG(1, 2))
	words := strings.Fields("the report of third quarter is ready and its figures were checked by two people before café naïve they went to board who asked for another table with costs per region")
	var b strings.Builder
	b.WriteString(`{"items":[`)
	for i := 0; b.Len() < 60<<10; i++ {
		var text []string
		for range 60 {
			text = append(text, words[r.IntN(len(words))])
		}
		text[20], text[40] = `\n`+text[20], `\"`+text[40]+`\"`
		fmt.Fprintf(&b, `{"id":"%08x-%04x","n":%d,"created":"2026-07-28T10:%02d:00Z","url":"https://docs.example/d/%d?q=a%%20b&page=%d",`+"\n  "+`"body":"%s"},`,
			r.Uint32(), r.IntN(1<<16), r.IntN(1e6), i%60, i, i%9, strings.Join(text, " "))
	}
	b.WriteString(`{"id":"last"}]}` + "\n\n")
	for b.Len() < 64<<10 {
		b.WriteString(words[r.IntN(len(words))])
		b.WriteString([]string{" ", " ", " ", " ", ", ", ".\n"}[r.IntN(6)])
	}
	return []byte(b.String())
}

// scanning is scanning the text against so many issued values, n times.
func scanning(values int) func(context.Context) (*side, error) {
	return func(context.Context) (*side, error) {
		r := rand.New(rand.NewPCG(3, 4))
		set, text := scan.New(nil), scanned()
		for i := range values {
			value := make([]byte, 12+r.IntN(28))
			for j := range value {
				value[j] = byte(r.Uint32())
			}
			if err := set.Add([]byte(base64.RawURLEncoding.EncodeToString(value)), fmt.Sprint("kv:app/", i, "#key"), time.Time{}); err != nil {
				return nil, err
			}
		}
		return &side{
			do: func(n int) error {
				for range n {
					if _, found := set.Redact(text); found != nil {
						return errors.New("a value is found that is not there")
					}
				}
				return nil
			},
			close: func() error { return nil },
		}, nil
	}
}

// hashing is SHA-256 over the same text.
func hashing(context.Context) (*side, error) {
	text := scanned()
	want := sha256.Sum256(text)
	return &side{
		do: func(n int) error {
			for range n {
				if sha256.Sum256(text) != want {
					return errors.New("the hash is another")
				}
			}
			return nil
		},
		close: func() error { return nil },
	}, nil
}
