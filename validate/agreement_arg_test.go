package validate_test

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/safemcp/safemcp/validate"
	"github.com/safemcp/safemcp/validate/arg"
)

// agreeDir is a directory, which is asked for a root alone: nothing in it is opened.
type agreeDir struct{}

func (agreeDir) Path() arg.PathOptions { return arg.PathOptions{Root: new(os.Root), Name: "files"} }

type agreeHosts struct{}

func (agreeHosts) URL() arg.URLOptions {
	return arg.URLOptions{Hosts: []string{"api.example.org", "example.com"}}
}

// Types that read themselves take less than their schema says, and never more.
func TestAgreementOfTypesThatReadThemselves(t *testing.T) {
	t.Parallel()
	type arguments struct {
		Path    arg.Path[agreeDir]             `json:"path,omitzero"`
		Link    arg.URL[agreeHosts]            `json:"link,omitzero"`
		Name    arg.Identifier[arg.PostgreSQL] `json:"name,omitzero"`
		Option  arg.Option                     `json:"option,omitzero"`
		Pattern *arg.Pattern                   `json:"pattern,omitempty"`
		Options []arg.Option                   `json:"options,omitempty" validate:"max=2"`
	}
	validate.AgreeOn(t, reflect.TypeFor[arguments](), map[string][]string{
		"path":      {"a.txt", "a/b/c", "."},
		"link":      {"https://api.example.org/a?b#c", "https://example.com", "https://API.example.org/a/../b"},
		"name":      {"a", "created at", "naïve"},
		"option":    {"a", "file name", "a=b"},
		"pattern":   {"^a+$", "[a-z]{2,3}", "(a|b)*"},
		"options[]": {"a", "file name"},
	}, map[string][]string{
		"path":      {"a/../b", "con", "a/aux.txt", "a/COM1", "a:b", `a\b`},
		"link":      {"https://api.example.org:8080/", "https://a.example.org/", "https://example.com/%zz", "https://127.0.0.1/", "https://example.com/" + strings.Repeat("a", 9000)},
		"name":      {"éééééééééééééééééééééééééééééééééééééééééé", "漢漢漢漢漢漢漢漢漢漢漢漢漢漢漢漢漢漢漢漢漢漢"},
		"option":    {"\u207ba", "\ufe63a", "\uff0da", "\u2e3aa"},
		"pattern":   {"(", "[a", "a{1000}{1000}", "a**", `\1`, "(?=a)"},
		"options[]": {"\ufe58a", "\uff0da"},
	})
}
