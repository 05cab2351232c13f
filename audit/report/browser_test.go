package report

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/safemcp/safemcp/audit"
)

//go:embed testdata/measure.html
var measure []byte

// seen is what a browser makes of a page.
type seen struct {
	Widths []struct {
		Width, Scroll     int
		Outside, Overlaps []string
		Texts             int
	}
	Title, Text, Styled, Paper, Ink     string
	Charts, Active, Handlers, Resources []string
	Icon                                float64
	Dark                                bool
	console                             []string
}

// chromium is the path of a browser. Where there is none the test is skipped, but never
// in CI.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "/Applications/Chromium.app/Contents/MacOS/Chromium", "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	const missing = "Chromium is needed and was not found. On Debian: apt-get install -y chromium; on macOS: brew install --cask chromium"
	if os.Getenv("CI") != "" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}

var (
	measured = regexp.MustCompile(`(?s)<pre id="out">(.*?)</pre>`)
	console  = regexp.MustCompile(`(?m)^.*:CONSOLE.*$`)
)

// opened opens a page in a browser that reaches no network, in a frame whose page
// measures it.
func opened(t *testing.T, page string, flags ...string) seen {
	t.Helper()
	program := chromium(t)
	dir := t.TempDir()
	for name, content := range map[string][]byte{"page.html": []byte(page), "measure.html": measure} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, append([]string{
		"--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars",
		"--disable-background-networking", "--disable-component-update", "--host-resolver-rules=MAP * ~NOTFOUND",
		"--allow-file-access-from-files", "--user-data-dir=" + filepath.Join(dir, "profile"),
		"--enable-logging=stderr", "--v=0", "--window-size=1400,1000", "--dump-dom",
	}, append(flags, "file://"+filepath.ToSlash(filepath.Join(dir, "measure.html")))...)...)
	cmd.WaitDelay = 10 * time.Second
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	m := measured.FindSubmatch(out.Bytes())
	if m == nil || len(m[1]) == 0 {
		t.Fatalf("nothing was measured:\n%s", errs.String())
	}
	var s seen
	if err := json.Unmarshal([]byte(html.UnescapeString(string(m[1]))), &s); err != nil {
		t.Fatal(err)
	}
	s.console = console.FindAllString(errs.String(), -1)
	return s
}

// fits holds a page against what every page keeps to.
func (s seen) fits(t *testing.T) {
	t.Helper()
	for _, w := range s.Widths {
		if w.Scroll > w.Width || len(w.Outside) > 0 {
			t.Errorf("at %d pixels the page is %d wide; outside are %q", w.Width, w.Scroll, w.Outside)
		}
		if len(w.Overlaps) > 0 {
			t.Errorf("at %d pixels texts lie over each other: %q", w.Width, w.Overlaps)
		}
	}
	if len(s.Widths) != 5 || s.Styled != "1120px" || s.Icon != 28 {
		t.Errorf("the style sheet is not used: %d widths, %q, an icon of %v pixels", len(s.Widths), s.Styled, s.Icon)
	}
	if len(s.Active) > 0 || len(s.Handlers) > 0 || len(s.Resources) > 0 {
		t.Errorf("the page holds more than text and charts: %q, %q, %q", s.Active, s.Handlers, s.Resources)
	}
	if len(s.console) > 0 {
		t.Errorf("the browser complains: %q", s.console)
	}
}

func TestABrowserShowsThePageInLightAndDarkAndOnAPhone(t *testing.T) {
	t.Parallel()
	events := sample()
	found := foundIn(events)
	found.CannotKnow = limits
	page := pageOf(t, events, found)
	light, dark := opened(t, page, "--blink-settings=preferredColorScheme=1"), opened(t, page, "--blink-settings=preferredColorScheme=0")
	for _, s := range []seen{light, dark} {
		s.fits(t)
		for _, want := range []string{
			"No fault was found in the log", "What cannot be known", limits[0], limits[1],
			"Calls over time", "33 tool errors", "Refusals by reason", "Slowest tools", "139 ms", "Who called what", "anna@example.com", "tenant finance",
			"State of the log", found.Checkpoint, "secrets of the binding weather/share were redacted", "The scope documents:write is needed.",
		} {
			if !strings.Contains(s.Text, want) {
				t.Errorf("no %q in\n%s", want, s.Text)
			}
		}
		if len(s.Charts) < 4 || s.Widths[0].Texts < 40 {
			t.Errorf("%d charts with %d texts: %q", len(s.Charts), s.Widths[0].Texts, s.Charts)
		}
	}
	if light.Dark || !dark.Dark || light.Paper == dark.Paper || light.Ink == dark.Ink {
		t.Errorf("light is %s on %s and dark %s on %s", light.Ink, light.Paper, dark.Ink, dark.Paper)
	}
}

func TestABrowserTakesNothingInALogForMoreThanText(t *testing.T) {
	t.Parallel()
	backwards := slices.Clone(hostileNames) // charts show those that are seen most often
	slices.Reverse(backwards)
	for _, names := range [][]string{hostileNames, backwards} {
		events := hostile(names)
		s := opened(t, pageOf(t, events, foundIn(events)))
		s.fits(t)
		if s.Title != "Audit report" {
			t.Errorf("the title became %q", s.Title)
		}
		for _, want := range []string{`<script>document.title="owned"</script>`, "admin⟨U+202E⟩gnp.exe", "a⟨U+200B⟩b⟨U+FEFF⟩c⟨U+00AD⟩", "x⟨U+000D⟩⟨U+000A⟩WRONG⟨U+001B⟩[2J⟨U+0000⟩", "ad ␣min", "admin␣", "{{.Title}}", "&lt;b&gt;"} {
			if !strings.Contains(s.Text, want) {
				t.Errorf("no %q in\n%s", want, s.Text)
			}
		}
	}
}

func TestABrowserShowsPagesOfAlmostNothing(t *testing.T) {
	t.Parallel()
	some := sample()[:40]
	for name, events := range map[string][]*audit.Event{"No event has been recorded": nil, "7:00": some, "2 Mar 2026": some[:3]} {
		s := opened(t, pageOf(t, events, foundIn(events)))
		s.fits(t)
		if !strings.Contains(s.Text, name) {
			t.Errorf("no %q in\n%s", name, s.Text)
		}
	}
}

func TestABrowserSaysFirstThatALogIsWrong(t *testing.T) {
	t.Parallel()
	events := sample()
	found := foundIn(events)
	found.Events = 811
	found.Bad = &audit.BadRecord{File: "audit-00000001.jsonl", Line: 812, Seq: 812, Reason: "it is not as it was written"}
	s := opened(t, pageOf(t, events, found))
	s.fits(t)
	wrong, counts := strings.Index(s.Text, "The log is wrong"), strings.Index(s.Text, "Calls over time")
	if wrong < 0 || wrong > counts || !strings.HasPrefix(s.Title, "WRONG") || !strings.Contains(s.Text, "audit-00000001.jsonl, line 812, event 812") ||
		!strings.Contains(s.Text, "4,786 events from there on. Nothing vouches for them.") || strings.Contains(s.Text, found.Checkpoint) {
		t.Errorf("%s:\n%s", s.Title, s.Text)
	}
}

// What would be got into a page all the same does nothing, and this test would see it.
func TestABrowserObeysThePolicyOfThePage(t *testing.T) {
	t.Parallel()
	page := strings.Replace(pageOf(t, nil, foundIn(nil)), "</main>",
		`<script>document.title="owned"</script><img src="http://192.0.2.1/x" onerror='document.title="owned"'><style>main { max-width: 7px; }</style><p style="width:3000px">wide</p></main>`, 1)
	s := opened(t, page)
	if s.Title != "Audit report" || s.Styled != "1120px" {
		t.Errorf("the title is %q, and the width %s", s.Title, s.Styled)
	}
	if len(s.Active) != 2 || len(s.Handlers) != 3 || len(s.console) < 4 {
		t.Errorf("it was not noticed: %q, %q, %q", s.Active, s.Handlers, s.console)
	}
}
