package report

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"io"
	"strings"

	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/audit/tally"
)

//go:embed page.html
var pageText string

//go:embed style.css
var styleText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// policy is what the page allows itself: its own style sheet, by its hash, and nothing
// else.
func policy(style string) string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'"
}

// A page is what the template shows: texts that have been made visible, and lengths.
type page struct {
	Title     string
	Heading   string // of the window: the title, and that the log is wrong
	Policy    string
	Style     template.CSS
	Made      string
	Directory string
	Servers   []label
	State     state
	Tiles     []tile

	Over      columns
	OverTable table
	Slot      string
	From, To  string
	Failures  string

	Reasons       bars
	ReasonsMore   string
	ReasonsTable  table
	Floods        uint64
	Observed      string
	ObservedTable table

	Tools      spans
	ToolsMore  string
	ToolsTable table

	Callers      []callerCard
	CallersMore  string
	CallersTable table
}

// A tile is a number that stands by itself.
type tile struct {
	Name, Value, Note string
	Class             string // of calls that ended so
}

func newPage(f *figures, found audit.Report, o *Options) *page {
	p := &page{
		Title: visible(o.Title, 120), Policy: policy(styleText), Style: template.CSS(styleText), //nolint:gosec // it is ours
		Made: moment(o.Made), State: stateOf(f, found),
	}
	p.Heading = p.Title
	if found.Bad != nil {
		p.Heading = "WRONG: " + p.Title
	}
	servers := f.servers.by(all)
	for _, l := range servers[:min(len(servers), 3)] {
		p.Servers = append(p.Servers, labelOf(l.name, nameless))
	}
	p.tiles(f, found)
	p.over(f)
	p.refusals(f)
	p.slowest(f)
	p.who(f)
	return p
}

func (p *page) tiles(f *figures, found audit.Report) {
	n := f.ends.All()
	calls := tile{Name: "Calls", Value: grouped(n), Note: counted(uint64(len(f.callers.ranks)), "caller", "callers") + ", " + counted(uint64(len(f.tools.ranks)), "tool", "tools")}
	if f.callers.gone || f.tools.gone {
		calls.Note = "more callers or tools than are kept"
	}
	p.Tiles = append(p.Tiles, calls)
	for c, k := range f.ends {
		name := tally.Class(c).String()
		p.Tiles = append(p.Tiles, tile{Name: strings.ToUpper(name[:1]) + name[1:], Value: grouped(k), Note: share(k, n), Class: name})
	}
	long := tile{Name: "Median time", Value: "–", Note: "nothing was timed"}
	if f.took.Count() > 0 {
		long.Value, long.Note = took(f.took.Percentile(50)), "99 % within "+took(f.took.Percentile(99))
	}
	p.Tiles = append(p.Tiles, long)
	var ways []string
	for _, way := range failures {
		if k := f.failures[way.status]; k > 0 {
			ways = append(ways, counted(k, way.one, way.many))
		}
	}
	p.Failures = strings.Join(ways, ", ")
	if k := found.Unfinished; k > 0 {
		p.Tiles[0].Note += ", " + grouped(uint64(k)) + " open"
	}
}

// write writes the page whole, or nothing.
func (p *page) write(w io.Writer) error {
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, p); err != nil {
		return err //nolint:wrapcheck // Write says what it was for
	}
	_, err := w.Write(b.Bytes())
	return err //nolint:wrapcheck // as above
}
