package vault

import (
	"bytes"
	"net/http"
	"regexp"
	"testing"
)

// Whatever is in the file of a dead process, what is revoked has the form of a name, and a
// line that is not whole names nothing.
func FuzzAJournal(f *testing.F) {
	head := entry{Vault: "https://vault.example.org/v1/"}
	f.Add([]byte("{\"accessor\":\"abc\"}\n{\"lease\":\"database/creds/r/x\"}\n{\"acc"))
	f.Add([]byte("{\"accessor\":\"../x\"}\n\n{\"accessor\":\"a\",\"lease\":\"b\"}\n[]\n"))
	f.Fuzz(func(t *testing.T, lines []byte) {
		all, mine := parse(append(line(head), lines...), head)
		if !mine || len(all) > bytes.Count(lines, []byte("\n")) {
			t.Fatalf("%v of %q, and it is %v that it is ours", all, lines, mine)
		}
		for _, e := range all {
			if (e.Accessor == "") == (e.Lease == "") || e.Vault != "" || (e.Lease == "" && !accessorForm.MatchString(e.Accessor)) {
				t.Errorf("%+v is to be revoked", e)
			}
		}
		if _, mine := parse(lines, entry{Vault: "https://other.example.org/v1/"}); mine && bytes.Contains(lines, []byte("\n")) {
			first, _, _ := bytes.Cut(lines, []byte("\n"))
			if !bytes.Contains(first, []byte("other.example.org")) {
				t.Errorf("%q is ours", lines)
			}
		}
	})
}

// What Vault says to a refusal is looked at and not repeated.
func FuzzARefusalSaysNothing(f *testing.F) {
	ours := regexp.MustCompile(`^Vault [a-zA-Z ,:-]+( [0-9]{1,10})?$`)
	f.Add(400, "1", []byte(`{"errors":["unknown role: canary"]}`))
	f.Add(403, "x", []byte(`{"errors":["2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"]}`))
	f.Add(500, "-1", []byte(`{"errors":[1],"canary":`))
	f.Fuzz(func(t *testing.T, status int, wait string, body []byte) {
		if status < 0 {
			return
		}
		r := refused(status, http.Header{"Retry-After": {wait}}, body)
		if text := r.Error(); !ours.MatchString(text) || r.wait < 0 {
			t.Errorf("%q, %s", text, r.wait)
		}
	})
}

// Only what has Vault's form is taken apart.
func FuzzOpened(f *testing.F) {
	f.Add("vault:v1:AAAA")
	f.Add("vault:v0:AAAA")
	f.Add("vault:v01:AA==\n")
	f.Fuzz(func(t *testing.T, text string) {
		version, raw, err := opened(text)
		if err == nil && (version < 1 || len(raw) == 0) {
			t.Errorf("%q is version %d of %d bytes", text, version, len(raw))
		}
	})
}
