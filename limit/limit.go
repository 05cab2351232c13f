// Package limit bounds what a caller may use: bytes, depth, time, how many calls at
// once and how many in a while.
//
// [Limits] is a value that a server sets for all its tools and a tool's policy
// narrows or widens; zero fields mean the safe defaults of [Defaults]:
//
//	safetool.Policy{Risk: safetool.ReadOnly, AnyCaller: true, Limits: limit.Limits{Timeout: 5 * time.Second}}
package limit

import "time"

// Limits bounds one call. A zero field takes the value of the server's limits,
// and there the value of [Defaults]; a negative field is a wiring mistake that
// [Limits.Check] reports.
type Limits struct {
	// ArgumentBytes bounds the arguments of a call as sent, in bytes.
	ArgumentBytes int
	// ArgumentDepth bounds how deep arrays and objects may be nested in the
	// arguments.
	ArgumentDepth int
	// ArgumentValues bounds the members and elements of the arguments in all,
	// ArgumentElements those of one object or list, and ArgumentString one text or
	// name, in bytes as it is written. What exceeds them is refused before it is
	// decoded.
	ArgumentValues, ArgumentElements, ArgumentString int
	// ResultBytes bounds the answer as encoded, in bytes.
	ResultBytes int
	// Timeout bounds how long the handler may take before the caller is answered
	// without it. What the program's code does before the handler, and after it,
	// may take as long each: an authorizer, middleware, encoding the answer.
	Timeout time.Duration
	// Concurrency bounds how many calls of this tool may run at once.
	Concurrency int
	// CallerConcurrency bounds how many calls, of any tool, one caller may have
	// running at once. It is read from the server's limits only.
	CallerConcurrency int
	// Rate bounds how often one caller may call this tool; zero is as often as
	// CallerRate lets it.
	Rate Rate
	// CallerRate bounds how often one caller may call anything. It is read from the
	// server's limits only.
	CallerRate Rate
}

// Defaults returns the limits that apply where nothing else is said.
func Defaults() Limits {
	return Limits{
		ArgumentBytes:     1 << 20,
		ArgumentDepth:     64,
		ArgumentValues:    50_000,
		ArgumentElements:  10_000,
		ArgumentString:    512 << 10,
		ResultBytes:       4 << 20,
		Timeout:           time.Minute,
		Concurrency:       64,
		CallerConcurrency: 128,
		CallerRate:        Rate{Count: 1000, Per: 10 * time.Second},
	}
}

// Or returns l with each zero field taken from base.
func (l Limits) Or(base Limits) Limits {
	or(&l.ArgumentBytes, base.ArgumentBytes)
	or(&l.ArgumentDepth, base.ArgumentDepth)
	or(&l.ArgumentValues, base.ArgumentValues)
	or(&l.ArgumentElements, base.ArgumentElements)
	or(&l.ArgumentString, base.ArgumentString)
	or(&l.ResultBytes, base.ResultBytes)
	or(&l.Timeout, base.Timeout)
	or(&l.Concurrency, base.Concurrency)
	or(&l.CallerConcurrency, base.CallerConcurrency)
	or(&l.Rate, base.Rate)
	or(&l.CallerRate, base.CallerRate)
	return l
}

// Shape returns the bounds of what arguments may be made of.
func (l Limits) Shape() Shape {
	return Shape{Depth: l.ArgumentDepth, Values: l.ArgumentValues, Elements: l.ArgumentElements, String: l.ArgumentString}
}

func or[T comparable](field *T, base T) {
	var zero T
	if *field == zero {
		*field = base
	}
}

// Check returns the name of the first field that is negative, or a rate that is half
// set, or "".
func (l Limits) Check() string {
	switch {
	case l.ArgumentBytes < 0:
		return "ArgumentBytes"
	case l.ArgumentDepth < 0:
		return "ArgumentDepth"
	case l.ArgumentValues < 0:
		return "ArgumentValues"
	case l.ArgumentElements < 0:
		return "ArgumentElements"
	case l.ArgumentString < 0:
		return "ArgumentString"
	case l.ResultBytes < 0:
		return "ResultBytes"
	case l.Timeout < 0:
		return "Timeout"
	case l.Concurrency < 0:
		return "Concurrency"
	case l.CallerConcurrency < 0:
		return "CallerConcurrency"
	case l.Rate.wrong():
		return "Rate"
	case l.CallerRate.wrong():
		return "CallerRate"
	}
	return ""
}
