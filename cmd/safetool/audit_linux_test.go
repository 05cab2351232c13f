package main

import (
	"strings"
	"testing"
)

// What is in a log moves no cursor, whichever way it is shown at a terminal; what is
// piped on stays as it is.
func TestNoTerminalIsSteeredByALog(t *testing.T) {
	t.Parallel()
	dir, _ := mixed(t)
	for _, c := range []struct {
		args  []string
		shows []string
	}{
		{[]string{"show", dir}, []string{"\x1b[32m✓ ok", "put�"}},
		{[]string{"show", "--json", dir}, []string{`put\u007f`, `\u202e`}},
		{[]string{"stats", dir}, []string{"put�"}},
		{[]string{"stats", "--json", dir}, []string{`put\u007f`}},
		{[]string{"export", "--format", "ocsf", dir}, []string{`put\u007f`}},
		{[]string{"export", "--format", "csv", dir}, []string{"put�"}},
	} {
		s, terminal := newScreen(t)
		cmd := program(t, "safetool", append([]string{"audit"}, c.args...)...)
		cmd.Env = append(cmd.Env, "TERM=xterm", "NO_COLOR=")
		cmd.Stdout, cmd.Stderr = terminal, terminal
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
		_ = terminal.Close()
		<-s.over
		shown := s.shows()
		for _, want := range c.shows {
			if !strings.Contains(shown, want) {
				t.Errorf("%v: no %q in\n%q", c.args, want, shown)
			}
		}
		if strings.ContainsAny(shown, "\x7f\u202e") || strings.Contains(shown, "\x1b[K") {
			t.Errorf("%v: %q", c.args, shown)
		}
	}
}
