// Package safemcp is the tour of this module, and holds no code. The module puts
// guards around a Model Context Protocol server that is written with the official
// Go SDK (github.com/modelcontextprotocol/go-sdk): its tools, resources and prompts
// are called only by callers who are known, with arguments that are allowed, on
// record, and they are answered in words that say nothing of the inside.
//
// # Two calls change
//
//	server, err := safetool.NewServer(                                            // was mcp.NewServer
//		&mcp.Implementation{Name: "weather", Version: "v1.2.0"},
//		&safetool.Options{Audit: trail})
//
//	safetool.AddTool(server,                                                      // was mcp.AddTool
//		&mcp.Tool{Name: "get_weather", Description: "Current weather in a supported city."},
//		safetool.Policy{Risk: safetool.ReadOnly, AnyCaller: true},
//		getWeather)                                                               // unchanged
//
//	err = serve.Stdio(ctx, server, nil)
//
// What is allowed stands in the tags of the handler's own argument type. They are
// the schema that the model reads and the rules that are enforced:
//
//	type WeatherArgs struct {
//		City  string `json:"city"            validate:"required,oneof=Paris London"      jsonschema:"city to look up"`
//		Units string `json:"units,omitempty" validate:"omitempty,oneof=metric imperial"`
//	}
//
// # The rooms
//
//	safetool   the server, its tools and their policies: composes everything below
//	serve      the front doors: stdio and HTTP, with strict framing and an orderly end
//	access     who calls, and what they may do; access/oauth and access/apikey say who
//	limit      bytes, depth, time, rates, and how many calls at once
//	validate   strict decoding, rules, allowlists, and the schema that says the same
//	secrets    credentials that a handler gets from its policy and nothing prints
//	audit      an event before and one after each call, in a log that shows changes
//
// Tests of one's own tools use safetool/safetooltest. The encrypted file that is
// the embedded credential store is secrets/agefile, which only programs import. To
// see all of it at work, in a clone of the repository:
//
//	go run ./examples/tour
//
// # The life of a call
//
// A call passes the guards from the outside in, and its answer from the inside out.
// The order is the library's and cannot be changed; Options.Middleware has one place
// in it.
//
//	serve      over HTTP: Host, Origin, rates, credentials; then the message: size,
//	│          UTF-8, JSON, envelope, shape of params, headers that agree with it
//	└─ receiving middleware of the SDK's server
//	   │  recover and audit   a panic, a denial and an unknown tool are recorded
//	   │  identify            no principal, no call
//	   │  admit               what was declared, to those whose roles let them see it
//	   │
//	   └─ the one tool that the SDK knows
//	      │  limit            rates, calls at once, bytes, depth
//	      │  decode, validate the policy's scopes first; then once, straight into the handler's type
//	      │  authorize        the program's Authorizer, who sees the arguments; an error denies
//	      │
//	      └─ Options.Middleware, the first outermost
//	         │  approve       a high-risk tool is refused while nobody can be asked
//	         │  record intent durable, or the handler does not run
//	         │  prepare       the deadline, and the credentials that the policy names
//	         │
//	         └─ your handler
//	         │
//	      clean               a copy of the answer: encoded, bounded, free of control
//	      │                   and invisible characters and of issued secrets
//	      explain             an error becomes a Problem: plain words and a reference
//	      record outcome      durable, or the answer is withheld
//
// Progress, log and other messages that a handler sends meanwhile are cleaned in the
// same way. Resources, prompts and completions go through the same guards, without
// the middleware of tools.
//
// # What a guard in the process cannot do
//
// The guards bind callers and answers, not the handler: while it runs it can do what
// the process can do. A panic in it is answered and recorded. What Go's recover does
// not reach still ends the process: a panic in a goroutine that the handler started
// itself, fatal errors of the runtime such as concurrent writes to a map, a stack
// overflow or exhausted memory, and os.Exit.
//
// The reasons behind the larger decisions are in docs/decisions of the repository.
package safemcp
