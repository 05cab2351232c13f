//go:build race

package validate

// decided is how often a keyword alone decides, at least, under the race detector: it makes
// each document ten times dearer, and has nothing to see in what one goroutine does. "make
// test" runs the test without it, too.
const decided = 40
