//go:build unix

package serve

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// streams are the program's standard input and output, kept for the protocol.
type streams struct{ in, out *os.File }

// takeOver moves descriptors 0 and 1 to where only the protocol uses them. In their
// place come an empty input and standard error, so that neither a handler's print
// statement nor a C library's or a child's gets between two messages.
func takeOver() (*streams, error) {
	in, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, fmt.Errorf("standard input is not open: %w", err)
	}
	out, err := unix.FcntlInt(1, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("standard output is not open: %w", err), unix.Close(in))
	}
	s := &streams{os.NewFile(uintptr(in), "stdin"), os.NewFile(uintptr(out), "stdout")}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	defer null.Close()
	err = duplicate(int(null.Fd()), 0)
	if err == nil && duplicate(2, 1) != nil { // no standard error either
		err = duplicate(int(null.Fd()), 1)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("moving standard input and output: %w", err), s.restore())
	}
	return s, nil
}

// restore puts the descriptors back.
func (s *streams) restore() error {
	return errors.Join(duplicate(int(s.in.Fd()), 0), duplicate(int(s.out.Fd()), 1), s.close())
}

func (s *streams) close() error { return errors.Join(s.in.Close(), s.out.Close()) }
