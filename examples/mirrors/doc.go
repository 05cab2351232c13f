// Package mirrors holds recipes: handlers that take copies of an audit log's events to
// where they are looked at. Each stands in a file of its own, to be copied into a program
// and changed there; docs/mirrors.md shows how they are used. It is a module of its own,
// so that the clients of OTLP, Kafka and NATS are in nobody's go.sum who does not want
// them.
//
// Every handler returns an error when an event has not arrived, which is what an
// [audit.Log] counts and reports, and gives up after some seconds, so that a target which
// hangs is told from one that is slow.
package mirrors
