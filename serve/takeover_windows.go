package serve

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/windows"
)

// streams are the program's standard input and output, kept for the protocol.
type streams struct {
	in, out *os.File
	null    *os.File
}

// takeOver keeps the standard handles for the protocol, and gives everybody else an
// empty input and standard error.
func takeOver() (*streams, error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("opening the empty input: %w", err)
	}
	s := &streams{os.Stdin, os.Stdout, null}
	err = errors.Join(
		windows.SetStdHandle(windows.STD_INPUT_HANDLE, windows.Handle(null.Fd())),
		windows.SetStdHandle(windows.STD_OUTPUT_HANDLE, windows.Handle(os.Stderr.Fd())))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("moving standard input and output: %w", err), s.restore())
	}
	os.Stdin, os.Stdout = null, os.Stderr
	return s, nil
}

// restore puts the handles back.
func (s *streams) restore() error {
	os.Stdin, os.Stdout = s.in, s.out
	return errors.Join(
		windows.SetStdHandle(windows.STD_INPUT_HANDLE, windows.Handle(s.in.Fd())),
		windows.SetStdHandle(windows.STD_OUTPUT_HANDLE, windows.Handle(s.out.Fd())),
		s.null.Close())
}
