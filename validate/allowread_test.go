package validate

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// A changing file is another one when it is looked at again.
type changing struct {
	fs.File
	after fs.FileInfo
}

func (c changing) Stat() (fs.FileInfo, error) { return c.after, nil }

func TestAFileThatChangesWhileItIsReadIsNotTaken(t *testing.T) {
	t.Parallel()
	now := time.Now()
	disk := fstest.MapFS{
		"f": {Data: []byte("Paris\n"), ModTime: now}, "later": {Data: []byte("Paris\n"), ModTime: now.Add(1)},
		"longer": {Data: []byte("Paris\nOslo\n"), ModTime: now}, "same": {Data: []byte("Paris\n"), ModTime: now},
	}
	stat := func(name string) fs.FileInfo {
		info, err := disk.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	for _, c := range []struct{ before, after, want string }{
		{"same", "same", ""}, {"same", "later", "was changed"}, {"same", "longer", "was changed"}, {"longer", "longer", "was changed"},
	} {
		f, err := disk.Open("f")
		if err != nil {
			t.Fatal(err)
		}
		text, err := whole(changing{f, stat(c.after)}, stat(c.before))
		if c.want == "" && (err != nil || text != "Paris\n") || c.want != "" && (err == nil || text != "" || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: %q, %v", c, text, err)
		}
	}
}
