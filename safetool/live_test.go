package safetool_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/safetool/safetooltest"
	"github.com/safemcp/safemcp/validate"
)

type toCity struct {
	City string `json:"city" validate:"required,allow=cities"`
}

func addTravel(s *safetool.Server, p safetool.Policy, names ...string) {
	for _, name := range names {
		safetool.AddTool(s, &mcp.Tool{Name: name}, p, func(context.Context, *mcp.CallToolRequest, toCity) (*mcp.CallToolResult, any, error) {
			return &mcp.CallToolResult{}, nil, nil
		})
	}
}

// enumOf is what a client sees that a tool's city may be.
func enumOf(t *testing.T, c *mcp.ClientSession, tool string) string {
	t.Helper()
	res, err := c.ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(res.Tools, func(l *mcp.Tool) bool { return l.Name == tool })
	if i < 0 {
		t.Fatalf("%s is not listed", tool)
	}
	var schema struct {
		Properties struct{ City struct{ Enum []string } }
	}
	if err := json.Unmarshal([]byte(dump(res.Tools[i].InputSchema)), &schema); err != nil {
		t.Fatal(err)
	}
	return strings.Join(schema.Properties.City.Enum, " ")
}

// A listener is a client that counts what it is told.
type listener struct {
	*mcp.ClientSession
	told *atomic.Int64
}

func listen(t *testing.T, server *safetool.Server, version string) listener {
	t.Helper()
	told := new(atomic.Int64)
	return listener{safetooltest.NewClient(t, server, &safetooltest.ClientOptions{ProtocolVersion: version, SDK: &mcp.ClientOptions{
		ToolListChangedHandler: func(context.Context, *mcp.ToolListChangedRequest) { told.Add(1) },
	}}), told}
}

// A list of allowed values that changes is listed anew, by every tool that has it, and
// every client is told, also one that has asked before anybody noticed; nobody is told
// of what has not changed.
func TestClientsAreToldWhenWhatIsAllowedChanges(t *testing.T) {
	t.Parallel()
	eachEra(t, func(t *testing.T, version string) {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			values, fail, asked := []string{"Paris", "Oslo"}, error(nil), 0
			set := func(err error, v ...string) {
				mu.Lock()
				defer mu.Unlock()
				values, fail = v, err
			}
			server, _ := newServer(t, func(o *safetool.Options) {
				o.Allow = map[string]validate.Allowlist{"cities": validate.Cached(validate.AllowFunc(func(context.Context) ([]string, error) {
					mu.Lock()
					defer mu.Unlock()
					asked++
					return values, fail
				}), &validate.CacheOptions{Lifetime: 2500 * time.Millisecond})}
			})
			addTravel(server, open, "fly", "ride")
			one, two := listen(t, server, version), listen(t, server, version)
			is := func(want string, told int64) {
				t.Helper()
				for _, c := range []listener{one, two} {
					if n := c.told.Load(); n != told {
						t.Errorf("told %d times, not %d", n, told)
					}
				}
				for _, tool := range []string{"fly", "ride"} {
					if got := enumOf(t, one.ClientSession, tool); got != want {
						t.Errorf("%s: listed %s, not %s", tool, got, want)
					}
				}
			}
			settle := func() { time.Sleep(10 * time.Second); synctest.Wait() }
			time.Sleep(time.Second / 2)
			synctest.Wait()
			told := one.told.Load() // of the tools themselves, perhaps
			is("Oslo Paris", told)
			mu.Lock()
			if asked != 1 {
				t.Errorf("asked %d times in one lifetime", asked)
			}
			mu.Unlock()
			settle()
			is("Oslo Paris", told)
			if res := call(t, two.ClientSession, "fly", map[string]any{"city": "Rome"}); !res.IsError {
				t.Error("Rome is taken")
			}

			set(nil, "Rome", "Oslo")
			settle()
			is("Oslo Rome", told+1)
			if res := call(t, two.ClientSession, "fly", map[string]any{"city": "Rome"}); res.IsError {
				t.Errorf("Rome: %s", textOf(res))
			}
			if res := call(t, two.ClientSession, "fly", map[string]any{"city": "Paris"}); !strings.Contains(textOf(res), "city must be one of those that are allowed at the moment: Oslo, Rome.") {
				t.Errorf("Paris: %s", textOf(res))
			}

			set(nil, "Lima")
			for enumOf(t, one.ClientSession, "fly") != "Lima" { // between two looks: this one lists, and the other has to be told
				time.Sleep(100 * time.Millisecond)
			}
			settle()
			told += 2
			is("Lima", told)

			set(errors.New("db.internal is down"))
			settle()
			is("", told+1)
			if res := call(t, two.ClientSession, "fly", map[string]any{"city": "Lima"}); !res.IsError || strings.Contains(dump(res), "db.internal") {
				t.Errorf("Lima: %s", dump(res))
			}
			set(nil, "Lima")
			settle()
			is("Lima", told+2)

			one.Close()
			two.Close()
			synctest.Wait()
			mu.Lock()
			before := asked
			mu.Unlock()
			time.Sleep(time.Hour)
			if asked != before {
				t.Errorf("asked %d times while nobody was connected", asked-before)
			}
		})
	})
}

// What one tool lists another enforces: they share what a source said.
func TestToolsShareWhatASourceSaid(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		server, _ := newServer(t, func(o *safetool.Options) {
			o.Allow = map[string]validate.Allowlist{"cities": validate.AllowFunc(func(context.Context) ([]string, error) {
				return []string{fmt.Sprintf("City%d", asked.Add(1))}, nil // another one each time
			})}
		})
		addTravel(server, open, "fly", "ride")
		client := safetooltest.NewClient(t, server)
		fly, ride := enumOf(t, client, "fly"), enumOf(t, client, "ride")
		if fly != ride || asked.Load() != 1 {
			t.Errorf("listed %s and %s, and asked %d times", fly, ride, asked.Load())
		}
	})
}

// A file that is replaced reaches clients of both eras at once.
func TestAFileOfAllowedValuesReachesClientsOfBothErasWhenItIsReplaced(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "cities")
	write := func(text string) {
		if err := os.WriteFile(path+".next", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".next", path); err != nil {
			t.Fatal(err)
		}
	}
	write("# where to\nParis\n")
	server, _ := newServer(t, func(o *safetool.Options) {
		o.Allow = map[string]validate.Allowlist{"cities": validate.Cached(validate.AllowFile(path), &validate.CacheOptions{Lifetime: 10 * time.Millisecond})}
	})
	addTravel(server, open, "fly")
	told := make(chan string, 100)
	clients := map[string]*mcp.ClientSession{}
	for _, version := range []string{"2026-07-28", "2025-11-25"} {
		clients[version] = safetooltest.NewClient(t, server, &safetooltest.ClientOptions{ProtocolVersion: version, SDK: &mcp.ClientOptions{
			ToolListChangedHandler: func(context.Context, *mcp.ToolListChangedRequest) { told <- version },
		}})
		if got := enumOf(t, clients[version], "fly"); got != "Paris" {
			t.Errorf("%s: listed %s", version, got)
		}
	}
	write("# where to\nParis\nOslo\n")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for seen := map[string]bool{}; len(seen) < 2; {
		select {
		case version := <-told:
			if enumOf(t, clients[version], "fly") == "Oslo Paris" { // else it was told of something before
				seen[version] = true
			}
		case <-ctx.Done():
			t.Fatalf("told only %v", seen)
		}
	}
}

// What is near to what was sent may be an issued secret, and is never in the audit log,
// where it would say what was sent.
func TestANearMissNeverLeaks(t *testing.T) {
	t.Parallel()
	values := []string{issued}
	for i := range 60 {
		values = append(values, fmt.Sprintf("city-%03d-of-many", i))
	}
	server, trail, policy := withSecret(t, func(o *safetool.Options) {
		o.Allow = map[string]validate.Allowlist{"cities": validate.AllowFunc(func(context.Context) ([]string, error) { return values, nil })}
	})
	addTravel(server, open, "fly")
	safetool.AddTool(server, &mcp.Tool{Name: "take"}, policy, func(ctx context.Context, _ *mcp.CallToolRequest, _ nothing) (*mcp.CallToolResult, any, error) {
		lent(ctx, t)
		return &mcp.CallToolResult{}, nil, nil
	})
	client := safetooltest.NewClient(t, server)
	call(t, client, "take", nil) // it is issued now
	res := call(t, client, "fly", map[string]any{"city": issued[1:]})
	if !strings.Contains(dump(res), `\"nearest\"`) && !strings.Contains(dump(res), `"nearest"`) {
		t.Errorf("nothing is near: %s", dump(res))
	}
	unleaked(t, res, nil)
	unleaked(t, trail.Events(), nil)

	const typed, meant = "city-o59-of-many", "city-059-of-many"
	if res = call(t, client, "fly", map[string]any{"city": typed}); !strings.Contains(textOf(res), "Nearest to what was sent: "+meant+", ") || strings.Contains(dump(res), typed) {
		t.Errorf("answered %s", textOf(res))
	}
	if log := dump(trail.Events()); strings.Contains(log, meant) || strings.Contains(log, typed) {
		t.Errorf("recorded %s", log)
	}
}

type checkedArgs struct {
	From string `json:"from" validate:"required,max=9,rule=open_account"`
	To   string `json:"to"   validate:"required,max=9"`
}

func (c checkedArgs) Validate(context.Context) error {
	switch c.To {
	case c.From:
		return validate.Reject("to", "must not be the account that the money comes from")
	case "broken":
		return errors.New("ledger at 10.0.0.7: relation accounts does not exist")
	case "panics":
		panic("10.0.0.7")
	}
	return nil
}

// A rule of the program's is told in its words, and nothing else that it says.
func TestNothingButTheWordsOfARuleReachesTheCaller(t *testing.T) {
	t.Parallel()
	eachEra(t, func(t *testing.T, version string) {
		ran := 0
		server, trail := newServer(t, func(o *safetool.Options) {
			o.InsecureObserve = "a test" // which lets through what is broken, and nothing that could not be told
			o.Rules = map[string]validate.Rule{"open_account": {Message: "must be the number of an open account", Check: validate.RuleFor(func(_ context.Context, n string) (bool, error) {
				if n == "down" {
					return true, errors.New("dial 10.0.0.7: refused")
				}
				return n != "closed", nil
			})}}
		})
		safetool.AddTool(server, &mcp.Tool{Name: "pay"}, open, func(context.Context, *mcp.CallToolRequest, checkedArgs) (*mcp.CallToolResult, any, error) {
			ran++
			return &mcp.CallToolResult{}, nil, nil
		})
		client := safetooltest.NewClient(t, server, &safetooltest.ClientOptions{ProtocolVersion: version})
		for _, c := range []struct{ from, to, code, cause string }{
			{"a", "b", "", ""},
			{"closed", "b", "observed", ""},
			{"a", "a", "observed", ""},
			{"down", "b", safetool.CodeCheckUnavailable, "dial 10.0.0.7"},
			{"a", "broken", safetool.CodeCheckUnavailable, "ledger at 10.0.0.7"},
			{"a", "panics", safetool.CodeInternal, "panicked"},
		} {
			before := ran
			res := call(t, client, "pay", map[string]any{"from": c.from, "to": c.to})
			events := trail.Calls()
			last := events[len(events)-1].Outcome
			if passed := c.code == "" || c.code == "observed"; res.IsError == passed || (ran == before+1) != passed {
				t.Errorf("%+v: %s", c, dump(res))
			} else if !passed && (last.Code != c.code || !strings.Contains(last.Cause, c.cause) || strings.Contains(dump(res), "10.0.0.7")) {
				t.Errorf("%+v: recorded %+v, answered %s", c, last, dump(res))
			}
		}
		if log := dump(trail.Calls()); !strings.Contains(log, "from must be the number of an open account.") || !strings.Contains(log, "to must not be the account that the money comes from.") {
			t.Errorf("recorded %s", log)
		}
	})
}
