// Command faults plants each fault of a list in a copy of the tree, and says how long the
// fuzz target that is named for it takes to find it: fuzz targets are guards, too, and one
// that finds nothing has to be known for it.
//
// The list is validate/testdata/faults.json. A fault is what a person does wrong: a check
// that is left out, a bound that is off by one, a shorter way that is not the same. It is
// data, not code: what stands in a file and what would stand there instead. A test holds
// the list against the tree, since a fault that no longer applies shows nothing.
//
// Run it from the module's root, as "make faults" does:
//
//	go run ./internal/faults -time 3m -parallel 2 -runs 1 -run Path
//
// It fails if a fault does not apply, does not compile, or is not found in that time. One
// that the target's seeds find by themselves is said to be, and is counted as found.
package main
