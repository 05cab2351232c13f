//go:build !windows

package audit

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A pipe in the place of a file keeps Verify for ever.
func TestVerifyEndsBesideAPipe(t *testing.T) {
	t.Parallel()
	for _, name := range []string{publicFile, keyFile} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			apart(t, func() {
				dir := t.TempDir()
				filled(t, dir, nil, 1)
				must(t, os.Remove(filepath.Join(dir, name)))
				must(t, syscall.Mkfifo(filepath.Join(dir, name), 0o600))
				_, _ = Verify(dir, nil)
			})
		})
	}
}
