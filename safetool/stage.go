package safetool

import "fmt"

// The stages of a pass, each with a deadline. Recording has its own, for a recorder that
// does not keep to its context; each of the others may take the timeout of the policy.
type stage int32

const (
	stageBefore  stage = iota + 1 // the guards, and middleware
	stageIntent                   // the intent is being recorded
	stageHandler                  // credentials and the handler
	stageAfter                    // middleware again, and what makes the answer
	stageOutcome                  // how it ended can no longer change, and is being recorded
	stageOver                     // nobody waits for it any more
)

// timedOut is what to say of a pass that is given up at this stage.
func (s stage) timedOut() error {
	switch s {
	case stageBefore:
		return fmt.Errorf("%w: what comes before the handler", errTimedOut)
	case stageAfter:
		return fmt.Errorf("%w: what comes after the handler", errTimedOut)
	}
	return fmt.Errorf("%w: the handler", errTimedOut)
}

// late is what to say of a pass that was given up at this stage and has ended.
func (s stage) late() string {
	switch s {
	case stageBefore:
		return "what comes before the handler returned after its caller had been answered; the handler was not called"
	case stageAfter:
		return "what comes after the handler returned after its caller had been answered; what it made went to nobody"
	case stageOutcome:
		return "the recorder returned after its caller had been answered, with nothing but that the outcome could not be recorded"
	}
	return "the handler returned after its caller had been answered; what it returned went to nobody"
}
