package harness_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/safemcp/safemcp/internal/harness"
)

var _ harness.T = (*testing.T)(nil)

// Whatever ends the program's part, everything is cleaned up, and nothing that went wrong
// is lost.
func TestNothingIsLeftAndNothingIsLost(t *testing.T) {
	t.Parallel()
	sick := errors.New("it returned this")
	for name, f := range map[string]func(*harness.Stage) error{
		"it returned this": func(*harness.Stage) error { return sick },
		"it was fatal":     func(s *harness.Stage) error { s.Fatal("it was ", "fatal"); return nil },
		"it was 7":         func(s *harness.Stage) error { s.Fatalf("it was %d", 7); return nil },
		"it went on":       func(s *harness.Stage) error { s.Errorf("it went on"); return nil },
		"panic: it broke":  func(*harness.Stage) error { panic("it broke") },
	} {
		var dir string
		var order []string
		err := harness.Run(t.Context(), func(s *harness.Stage) error {
			dir = s.TempDir()
			s.Cleanup(func() { order = append(order, "first") })
			s.Cleanup(func() { order = append(order, "second"); s.Fatal("the end failed") })
			s.Cleanup(func() {
				if s.Context().Err() == nil {
					t.Error("its context has not ended")
				}
			})
			return f(s)
		})
		if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "the end failed") {
			t.Errorf("%s: got %v", name, err)
		}
		if strings.Join(order, " ") != "second first" {
			t.Errorf("%s: cleaned up: %v", name, order)
		}
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %s is there", name, dir)
		}
	}
	if err := harness.Run(context.Background(), func(*harness.Stage) error { return nil }); err != nil {
		t.Error(err)
	}
}
