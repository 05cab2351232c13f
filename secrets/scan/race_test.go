//go:build race

package scan_test

// raceEnabled says that the race detector, which makes sync.Pool drop what it is given
// at random, is on.
const raceEnabled = true
