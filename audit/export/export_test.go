package export_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/safemcp/safemcp/audit"
	"github.com/safemcp/safemcp/audit/export"
)

var update = flag.Bool("update", false, "write the golden files anew")

// What is exported does not change unnoticed: others have written programs that read it.
func TestNoFormatChangesUnnoticed(t *testing.T) {
	t.Parallel()
	for format, name := range map[export.Format]string{export.OCSF: "ocsf.jsonl", export.CloudEvents: "cloudevents.jsonl", export.CSV: "table.csv"} {
		var out bytes.Buffer
		if err := export.Write(&out, audit.Lines(filepath.Join("testdata", "log")), format); err != nil {
			t.Fatal(err)
		}
		golden := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(golden, out.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(out.Bytes(), want) {
			t.Errorf("%s is not %s: run the test with -update, and look at what changes\n%s", format, golden, out.Bytes())
		}
		check(t, format, out.Bytes(), 8)
	}
}

// check holds what was exported against its format.
func check(t *testing.T, format export.Format, out []byte, events int) {
	t.Helper()
	if !utf8.Valid(out) || bytes.ContainsFunc(out, func(r rune) bool {
		return r != '\n' && (r != '\r' || format != export.CSV) && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029')
	}) {
		t.Errorf("%s: a character that is not seen in %q", format, out)
	}
	lines := bytes.Split(bytes.TrimSuffix(out, []byte("\n")), []byte("\n"))
	if format == export.CSV {
		checkCSV(t, out, events)
		return
	}
	if len(lines) != events {
		t.Fatalf("%s: %d lines of %d events", format, len(lines), events)
	}
	for _, line := range lines {
		var o map[string]any
		dec := json.NewDecoder(bytes.NewReader(line))
		dec.UseNumber() // a number may be beyond what Go holds
		if err := dec.Decode(&o); err != nil || !json.Valid(line) {
			t.Fatalf("%s: %v: %q", format, err, line)
		}
		if format == export.OCSF {
			checkOCSF(t, o)
		} else {
			checkCloudEvent(t, o)
		}
	}
}

func checkCSV(t *testing.T, out []byte, events int) {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(out)).ReadAll()
	if err != nil || len(rows) != events+1 || rows[0][0] != "seq" {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	if lines := strings.Split(string(out), "\r\n"); len(lines) != events+2 {
		t.Errorf("%d lines", len(lines))
	}
	for _, row := range rows[1:] {
		for _, c := range row {
			if c != "" && strings.ContainsRune("=+-@\t\r\n\uff1d", []rune(c)[0]) {
				t.Errorf("a spreadsheet computes %q", c)
			}
		}
	}
}

// ocsf names the attributes of the schema, 1.7.0, that may be there, by where they stand;
// those with an exclamation mark have to be, and of those with a question mark one.
var ocsf = map[string]string{
	"":                            "activity_id! activity_name category_uid! category_name class_uid! class_name type_uid! type_name time! duration severity_id! severity status_id status status_code status_detail message metadata! actor! api! src_endpoint! resources trace unmapped",
	"metadata":                    "version! product! profiles uid correlation_uid event_code log_name log_version original_time sequence tenant_uid",
	"metadata.product":            "name vendor_name",
	"actor":                       "app_name? app_uid? user? session? idp authorizations",
	"actor.user":                  "name? uid? org",
	"actor.user.org":              "name? uid?",
	"actor.session":               "uid issuer",
	"actor.idp":                   "issuer name",
	"actor.authorizations":        "decision? policy?",
	"actor.authorizations.policy": "name? uid? desc",
	"api":                         "operation! version service request response",
	"api.service":                 "name? uid? version",
	"api.request":                 "uid!",
	"api.response":                "error error_message",
	"src_endpoint":                "ip? port name? svc_name?",
	"resources":                   "name? type",
	"trace":                       "uid!",
}

func checkOCSF(t *testing.T, o map[string]any) {
	t.Helper()
	attributes(t, "", o)
	id := whole(t, o["activity_id"])
	if whole(t, o["category_uid"]) != 6 || whole(t, o["class_uid"]) != 6003 || whole(t, o["type_uid"]) != 600300+id || !slices.Contains([]int64{0, 1, 2, 3, 4, 99}, id) {
		t.Errorf("class %v, type %v, activity %v", o["class_uid"], o["type_uid"], id)
	}
	names := map[int64]string{0: "Unknown", 1: "Success", 2: "Failure"}
	status := whole(t, o["status_id"])
	if want, normal := names[status]; normal && o["status"] != want || !normal && status != 99 {
		t.Errorf("the status %v is called %v", status, o["status"])
	}
	whole(t, o["time"])
	whole(t, o["severity_id"])
}

func whole(t *testing.T, value any) int64 {
	t.Helper()
	number, _ := value.(json.Number)
	n, err := number.Int64()
	if err != nil {
		t.Errorf("%v is no whole number", value)
	}
	return n
}

func attributes(t *testing.T, at string, value any) {
	t.Helper()
	switch v := value.(type) {
	case []any:
		for _, element := range v {
			attributes(t, at, element)
		}
	case map[string]any:
		if at == "unmapped" {
			return
		}
		may := map[string]bool{}
		oneOf, has := false, false
		for name := range strings.FieldsSeq(ocsf[at]) {
			plain := strings.TrimRight(name, "!?")
			may[plain] = true
			_, there := v[plain]
			if strings.HasSuffix(name, "!") && !there {
				t.Errorf("%s has no %s", at, plain)
			}
			if strings.HasSuffix(name, "?") {
				oneOf, has = true, has || there
			}
		}
		if oneOf && !has {
			t.Errorf("%s has none of %s", at, ocsf[at])
		}
		for name, member := range v {
			if !may[name] {
				t.Errorf("%s.%s is not in the schema", at, name)
			}
			attributes(t, strings.TrimPrefix(at+"."+name, "."), member)
		}
	}
}

func checkCloudEvent(t *testing.T, o map[string]any) {
	t.Helper()
	for _, name := range []string{"specversion", "id", "source", "type", "time", "datacontenttype"} {
		if s, _ := o[name].(string); s == "" {
			t.Errorf("there is no %s: %v", name, o)
		}
	}
	for name, value := range o {
		if s, is := value.(string); is && strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r >= 0x7f && r <= 0x9f || r == 0xffff || r == 0x1fffe }) {
			t.Errorf("%s is %q", name, s)
		}
	}
	if _, is := o["data"].(map[string]any); !is || o["specversion"] != "1.0" {
		t.Errorf("%v", o)
	}
}

// Whatever a line says that can be read as an event, what is made of it can be read.
func FuzzWhatIsExportedCanBeRead(f *testing.F) {
	content, err := os.ReadFile(filepath.Join("testdata", "log", "audit-00000001.jsonl"))
	if err != nil {
		f.Fatal(err)
	}
	for line := range bytes.SplitSeq(content, []byte("\n")) {
		f.Add(line)
	}
	for _, s := range []string{
		`{}`, `{"x":184e6744073709,"y":1e-999}`, `{"time":"9999-12-31T23:59:59-23:59","args":null,"seq":18446744073709551615,"duration_us":-9223372036854775808}`,
		"{\"mcp\":{\"tool\":\"\uffff\u0085\x7f\"},\"id\":\"\ufdd0\",\"unknown\":\"\u2028\xff\",\r \"egress\":[{\"host\":\"\u202e\"}]}",
		`{"caller":{"address":"fe80::1%eth0","subject":" =1"},"decision":{"by":"\t=1","reason":"x"},"server":{"name":"a:b/c d%","instance":"é"}}`,
		`{"args":{"fields":{"=x":{"clear":{"a":[1,"\u2028"]}}}},"args":{},"ARGS":{"bytes":1},"phase":"outcome","outcome":{"status":"nonsense"}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if bytes.ContainsRune(raw, '\n') {
			return
		}
		e := new(audit.Event)
		if json.Unmarshal(raw, e) != nil {
			return
		}
		for _, l := range []audit.Line{{Event: e, Raw: raw}, {Event: e}} {
			lines := func(yield func(audit.Line, error) bool) {
				for range 2 {
					if !yield(l, nil) {
						return
					}
				}
			}
			for _, format := range []export.Format{export.OCSF, export.CloudEvents, export.CSV} {
				var out bytes.Buffer
				if err := export.Write(&out, lines, format); err != nil {
					t.Fatalf("%s: %v", format, err)
				}
				check(t, format, out.Bytes(), 2)
			}
		}
	})
}

func TestTheDataOfACloudEventIsTheLine(t *testing.T) {
	t.Parallel()
	for l, err := range audit.Lines(filepath.Join("testdata", "log")) {
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := export.Write(&out, func(yield func(audit.Line, error) bool) { yield(l, nil) }, export.CloudEvents); err != nil {
			t.Fatal(err)
		}
		var got struct{ Data any }
		var want any
		if json.Unmarshal(out.Bytes(), &got) != nil || json.Unmarshal(l.Raw, &want) != nil || !reflect.DeepEqual(got.Data, want) {
			t.Errorf("%s\nof %s", out.Bytes(), l.Raw)
		}
	}
}

func TestFormulasAreDefused(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":             "",
		"plain=1":      "plain=1",
		"=1+1":         "'=1+1",
		"+1":           "'+1",
		"-1":           "'-1",
		"@SUM(A1)":     "'@SUM(A1)",
		"\t=1":         "' =1",
		"\tx":          "' x",
		"\rx":          "' x",
		"\nx":          "' x",
		"  =1":         "'  =1",
		"\u00a0=1":     "'\u00a0=1",
		"\u200b=1":     "'\ufffd=1",
		"\uff1d1":      "'\uff1d1",
		"a\r\nb\u202e": "a  b\ufffd",
	} {
		e := &audit.Event{Outcome: audit.Outcome{Cause: in}}
		var out bytes.Buffer
		if err := export.Write(&out, func(yield func(audit.Line, error) bool) { yield(audit.Line{Event: e}, nil) }, export.CSV); err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(&out).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if got := rows[1][slices.Index(rows[0], "cause")]; got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

var errBroken = errors.New("broken")

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestErrorsAreToldAfterWhatCameBefore(t *testing.T) {
	t.Parallel()
	for _, format := range []export.Format{export.OCSF, export.CloudEvents, export.CSV} {
		var out bytes.Buffer
		err := export.Write(&out, func(yield func(audit.Line, error) bool) {
			_ = yield(audit.Line{Event: &audit.Event{}}, nil) && yield(audit.Line{}, errBroken)
		}, format)
		if !errors.Is(err, errBroken) {
			t.Errorf("%s: %v", format, err)
		}
		check(t, format, out.Bytes(), 1)
		endless := func(yield func(audit.Line, error) bool) {
			for yield(audit.Line{Event: &audit.Event{}}, nil) {
				continue
			}
		}
		if err := export.Write(brokenWriter{}, endless, format); !errors.Is(err, errBroken) {
			t.Errorf("%s: %v", format, err)
		}
	}
	if err := export.Write(brokenWriter{}, nil, "xml"); err == nil || !strings.Contains(err.Error(), "xml") {
		t.Errorf("%v", err)
	}
	if f, err := export.ParseFormat("csv"); f != export.CSV || err != nil {
		t.Errorf("%v, %v", f, err)
	}
}
