//go:build !race

package validate

// decided is how often a keyword alone decides, at least: so many documents that are
// refused and would not be without it, and so many that are taken and would not be if it
// were the other way around.
const decided = 1000
