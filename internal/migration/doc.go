// Package migration holds a server of a dozen tools as it was written for the SDK, and
// the same server moved: two calls changed, policies added, no handler touched. Its
// test runs one client script against both, in both eras of the protocol.
package migration
