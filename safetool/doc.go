// Package safetool puts guards around the tools, resources and prompts of a Model
// Context Protocol server that is written with the official Go SDK. Two calls
// change, mcp.NewServer and mcp.AddTool; handlers stay as they are:
//
//	server, err := safetool.NewServer(
//		&mcp.Implementation{Name: "weather", Version: "v1.2.0"},
//		&safetool.Options{Audit: trail})
//
//	safetool.AddTool(server,
//		&mcp.Tool{Name: "get_weather", Description: "Current weather in a supported city."},
//		safetool.Policy{Risk: safetool.ReadOnly, AnyCaller: true},
//		getWeather)
//
//	err = serve.Stdio(ctx, server, nil)
//
// From then on every call goes this way, with nothing to remember:
//
//	receiving middleware
//	│ 1 recover and audit   a panic, a denial and an unknown tool are recorded
//	│ 2 identify            no principal, no call
//	│ 3 admit               only what was declared, and only to those who may know of it
//	└─ handler chain        on a goroutine of its own, within its time
//	   │ 4 limit            calls at once, bytes, depth: the cheapest refusals first
//	   │ 5 decode, validate the policy's scopes first; then once, strictly, straight into the type
//	   │ 6 authorize        the Authorizer, who sees the arguments; any error denies
//	   │ 7 (yours)          Options.Middleware
//	   │ 8 approve          a high-risk call wants a person
//	   │ 9 intent record    on disk, or nothing runs
//	   │ 10 prepare         deadline, the credentials of this call
//	   │ 11 handler
//	   │ 12 clean           a copy of the answer: encoded, hygienic, redacted, within its size
//	   │ 13 explain         an error becomes a Problem: plain words and a reference
//	   └─ outcome record    on disk, or the answer is withheld
//
// Progress, log and other messages of the server pass step 12 in sending
// middleware. Resources, prompts and completions go the same way without 7 and 8.
//
// # What a guard in the process cannot do
//
// A panic in a handler, in middleware or in anything else of the program's that a
// call reaches is answered, recorded with its stack, and the server lives on; so is
// runtime.Goexit, which testing's FailNow calls. Beyond recover's reach, and so the
// end of the process, are a panic in a goroutine that a handler started itself,
// concurrent writes to a map, exhausted memory or stack, and os.Exit. A handler that
// ignores its context runs on after its caller was answered, and so does an
// Authorizer, middleware or an encoder that takes as long; it keeps its slots until it
// returns, so that such code cannot pile up, and the log says when it did. What
// [Middleware] would make of a handler that is late goes to nobody.
//
// A handler is trusted with what it is given: while it runs it can do whatever the
// process can. The guards bind callers, and they bind the handler's answer.
package safetool
