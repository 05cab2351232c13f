// Package house holds the tests that keep the rules of this repository: who may
// import whom, what exported signatures may name, how long a file may be, that
// every exported name is documented, and that what the README shows is true. It
// has no code of its own.
package house
