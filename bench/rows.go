package main

// comparisons are the rows. Their goals are what the project promises.
var comparisons = []*comparison{
	// The handler layer: from the receiving middleware on, guarded in full, against
	// the SDK's typed path with the same constraints in its schema.
	cost("handler/addtool", [3]float64{0.12, 0.10, 0}, ours((*rig).throughHandler), theirs(typed, (*rig).throughHandler)),
	// The same against a handler that reads and writes JSON and checks nothing.
	cost("handler/rawjson", [3]float64{2.5, 0, 0}, ours((*rig).throughHandler), theirs(raw, (*rig).throughHandler)),
	// The same against the other widely used library's typed handler with its input
	// validation. Reading the message's envelope is in its figure, and not in ours.
	cost("handler/mcpgo", [3]float64{}, ours((*rig).throughHandler), another),
	// Decoding the reference arguments with every check, against encoding/json reading them
	// with none, and against the whole of the SDK's typed path; and refusing arguments that
	// break most rules against taking those that break none.
	cost("decode/unmarshal", [3]float64{1.0, 0, 0}, decoding(arguments, false), unmarshalling),
	allocations("decode/count", 20, decoding(arguments, false)),
	processor("decode/addtool", 0.06, decoding(arguments, false), theirs(typed, (*rig).throughHandler)),
	processor("decode/refusing", 3, decoding(wrongArguments, true), decoding(arguments, false)),
	// What a byte costs in large arguments, against one in small ones of the same shape; of
	// wrong ones against those of a size where every mistake is still told.
	flat("items", large, small),
	flat("items", huge, small),
	flat("deep", large, 4*small),
	flat("wide", large, small),
	flat("long", huge, small),
	flat("deepwrong", large, medium),
	flat("nearmiss", large, medium),
	flat("unknown", large, medium),
	// Registering 500 tools, their types compiled, against as many by mcp.AddTool.
	processor("register/500", 1.0, registering(guardedTools), registering(plainTools)),
	// From the client to the server and back, in memory: ours as safetooltest.NewClient
	// connects it, behind the door that standard input and output have, and theirs over
	// the SDK's own transports. The client is the SDK's on both sides.
	cost("memory/addtool", [3]float64{0.85, 0, 0}, ours((*rig).throughClient), theirs(typed, (*rig).throughClient)),
	// A server in a process of its own, over standard input and output.
	cost("stdio/addtool", [3]float64{0.60, 0, 0}, overStdio("ours"), overStdio("theirs")),
	// A server in a process of its own, over HTTP with bearer tokens, 2026-07-28.
	cost("http/addtool", [3]float64{0.90, 0, 0}, overHTTP("ours"), overHTTP("theirs")),
	// The strict parse at the front doors, against one pass of encoding/json that
	// builds nothing.
	cost("parse/350B", [3]float64{1.5, 0, 0}, strict(350), valid(350)),
	cost("parse/4KB", [3]float64{1.5, 0, 0}, strict(4<<10), valid(4<<10)),
	cost("parse/1MB", [3]float64{1.5, 0, 0}, strict(1<<20), valid(1<<20)),
	// A token that was verified before, against one that is verified each time. Ours
	// may take 12 allocations.
	cost("token/remembered", [3]float64{0.10, 0, 0}, remembered, verifiedAnew),
	// A credential that is cached, handed out and given back, against one read of a map
	// behind a lock; and by the clock, on two cores against one.
	cost("secrets/acquire", [3]float64{3, 1, 1}, acquired(1), lockedMap),
	elapsed("secrets/acquire/cores", 1, acquired(2), acquired(1)),
	// What leaves, looked through for 5,000 issued values: against looking for 100, and
	// against SHA-256 over the same bytes.
	processor("secrets/scan5000", 1.3, scanning(5000), scanning(100)),
	processor("secrets/scansha", 6, scanning(5000), hashing),
	// What the log makes of an event before it is written, arguments redacted and the leaf
	// hashed, against slog's JSON handler writing the same members to nowhere; and how often
	// that allocates, against twice.
	processor("audit/event", 1.0, made(few, false), encoded(few, false)),
	allocations("audit/event/allocs", 2, made(few, false)),
	// The same of the two events of a call, whose arguments are redacted once.
	processor("audit/call", 0, made(few, true), encoded(few, true)),
	// And of an event with the eight arguments of the other rows.
	processor("audit/event8", 0, made(many, false), encoded(many, false)),
	// Recording on disk: group commit against a sync for each event, by the clock. From 256
	// writers at once a sync has at least 100 events.
	recorded(1),
	recorded(16),
	recorded(most),
	// Verifying a log, its files read, against SHA-256 over its lines in memory.
	processor("audit/verify", 6, verified, hashed),
	// By the clock, with the log on disk that a server has by default.
	wall("wall/durable", durable, theirs(typed, (*rig).throughClient)),
}
