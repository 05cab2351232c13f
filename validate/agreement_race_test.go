//go:build race

package validate

// decided is how often a keyword alone decides, at least, where the race detector, which
// has nothing to see here, makes each document ten times dearer.
const decided = 40
