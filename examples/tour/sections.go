package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/internal/page"
	"github.com/safemcp/safemcp/secrets"
	"github.com/safemcp/safemcp/secrets/agefile"
)

// A guide leads through the tour.
type guide struct {
	page    page.Page
	dir     string
	trail   string // the audit log's directory
	session *mcp.ClientSession
	stderr  bytes.Buffer
	count   int
}

func (g *guide) section(title string) {
	g.count++
	g.page.Section(g.count, title)
}

// call calls a tool and prints both sides. It fails if the answer does not hold what
// the tour promises.
func (g *guide) call(ctx context.Context, tool, arguments string, refused bool, promises ...string) (*mcp.CallToolResult, error) {
	g.page.Labelled("client sends", "2", tool+" "+arguments)
	res, err := g.session.CallTool(ctx, &mcp.CallToolParams{Name: tool, Arguments: json.RawMessage(arguments)})
	if err != nil {
		return nil, fmt.Errorf("calling %s: %w\n%s", tool, err, g.stderr.String())
	}
	var said strings.Builder
	for _, c := range res.Content {
		if text, ok := c.(*mcp.TextContent); ok {
			said.WriteString(text.Text + "\n")
		}
	}
	label, code := "model reads", "32"
	if res.IsError {
		code = "33"
	}
	g.page.Labelled(label, code, said.String())
	if res.IsError != refused {
		return nil, fmt.Errorf("%s: the call was refused: %v, and the tour says %v", tool, res.IsError, refused)
	}
	for _, promise := range promises {
		if !strings.Contains(said.String(), promise) {
			return nil, fmt.Errorf("%s: the answer does not hold %q", tool, promise)
		}
	}
	return res, nil
}

func (g *guide) goodCall(ctx context.Context) error {
	g.section("A good call")
	_, err := g.call(ctx, "get_weather", `{"city":"Paris"}`, false, "Paris")
	if err == nil {
		g.page.Sayf("\nThe handler is an ordinary function of the SDK. Before it ran, the caller was identified, the arguments were decoded and held against the tags of its type, and the intent was on disk.")
	}
	return err
}

func (g *guide) refusedCity(ctx context.Context) error {
	g.section("A city that is not on the list")
	res, err := g.call(ctx, "get_weather", `{"city":"Atlantis","units":"kelvin"}`, true, "Paris, London, Tokyo, Nairobi, Lima", "metric, imperial")
	if err != nil {
		return err
	}
	raw, err := json.Marshal(res.Meta["safemcp/problem"])
	if err != nil {
		return err
	}
	var problem struct{ Code, Category string }
	if err := json.Unmarshal(raw, &problem); err != nil || problem.Code == "" {
		return fmt.Errorf("the answer carries no problem for programs: %s", raw)
	}
	g.page.Labelled("program reads", "2", fmt.Sprintf("code %s, category %s", problem.Code, problem.Category))
	g.page.Sayf("\nEvery wrong field is named at once, with what is allowed, so that the model can correct itself. What was sent is not repeated.")
	return nil
}

func (g *guide) hostileArgument(ctx context.Context) error {
	g.section("A hostile argument")
	const hostile = `{"query":"` + "\u001b]8;;https://evil.example\u0007" + `' OR 1=1 --","limit":1000000,"LIMIT":-1,"is_admin":true}`
	sent := strings.NewReplacer("\x1b", `\u001b`, "\a", `\u0007`).Replace(hostile)
	_, err := g.call(ctx, "search_documents", sent, true, "limit must be at most 20", "not known")
	if err == nil {
		g.page.Sayf("\nNames that the type does not have, in this case one in the wrong case and one that was made up, never reach it. In the log, query is a keyed hash and a length.")
	}
	return err
}

func (g *guide) panics(ctx context.Context) error {
	g.section("A handler that panics")
	_, err := g.call(ctx, "crash", `{}`, true, "could not be completed", "Reference: ")
	if err != nil {
		return err
	}
	if _, err := g.call(ctx, "calculate_tax", `{"income":50000,"country":"JP"}`, false, "tax"); err != nil {
		return err
	}
	g.page.Sayf("\nThe server lives on. The caller learns a reference, and nothing of the inside; the stack is in the log under that reference.")
	return nil
}

func (g *guide) highRisk(ctx context.Context) error {
	g.section("A high-risk call wants a person")
	_, err := g.call(ctx, "delete_document", `{"id":"d1"}`, true, "a person has to approve")
	if err == nil {
		g.page.Sayf("\nIts policy says HighRisk, and this server has nobody to ask: so the answer is no.")
	}
	return err
}

func (g *guide) signedLink(ctx context.Context) error {
	g.section("A link signed with a credential of this one call")
	res, err := g.call(ctx, "share_document", `{"id":"d1","expires_in_minutes":30}`, false, "signature=")
	if err != nil {
		return err
	}
	raw, err := json.Marshal(res)
	if err != nil {
		return err
	}
	shown, err := g.shows(ctx, raw)
	if err != nil {
		return err
	}
	if shown {
		return errors.New("the answer shows the credential")
	}
	g.page.Sayf("\nThe key is not in the environment and not in the code: it lies in an encrypted file, the policy of this one tool names it, and the handler borrowed it for the signature. Had the handler put it into its answer, it would have been redacted.")
	return nil
}

// shows looks for the credential itself in text that has left the server.
func (g *guide) shows(ctx context.Context, text []byte) (shown bool, err error) {
	store, err := agefile.Open(filepath.Join(g.dir, "secrets.age"), nil)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	c, err := store.Issue(ctx, secrets.Request{Binding: secrets.KV("quickstart/share", "key")})
	if err != nil {
		return false, err
	}
	err = c.Secret().Use(func(key []byte) error {
		shown = bytes.Contains(text, key)
		return nil
	})
	return shown, err
}
