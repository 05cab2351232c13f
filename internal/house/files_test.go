package house

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const longest = 400

// A file holds one noun; one that is longer holds more.
func TestNoFileIsTooLongToRead(t *testing.T) {
	t.Parallel()
	files(t, ".go", func(path string, content []byte) {
		if lines := bytes.Count(content, []byte("\n")); lines > longest && !strings.HasSuffix(path, "_test.go") {
			t.Errorf("%s has %d lines, more than %d: find the second noun in it", path, lines, longest)
		}
	})
}

// Only the words that mean "later"; the pattern is put together so that it does
// not find itself.
var unfinished = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b`)

// What is left to do stands in an issue, where somebody finds it.
func TestNothingIsLeftForLaterInTheSource(t *testing.T) {
	t.Parallel()
	files(t, ".go", func(path string, content []byte) {
		if at := unfinished.FindIndex(content); at != nil {
			t.Errorf("%s:%d: %s: open an issue instead", path, 1+bytes.Count(content[:at[0]], []byte("\n")), content[at[0]:at[1]])
		}
	})
}

// What users can import tells them what it does.
func TestNoExportedNameIsUndocumented(t *testing.T) {
	t.Parallel()
	for _, p := range ours(t) {
		fset := token.NewFileSet()
		documented := false
		for _, name := range p.GoFiles {
			file, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			documented = documented || file.Doc != nil
			if p.public() {
				for _, n := range undocumented(file) {
					t.Errorf("%s/%s: %s has no doc comment", p.room(), name, n)
				}
			}
		}
		if !documented {
			t.Errorf("package %s has no doc comment", p.room())
		}
	}
}

// undocumented returns the exported declarations of a file that say nothing.
func undocumented(file *ast.File) []string {
	var bare []string
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Doc == nil && d.Name.IsExported() && (d.Recv == nil || ast.IsExported(receiver(d.Recv.List[0].Type))) {
				bare = append(bare, d.Name.Name)
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				bare = append(bare, undocumentedSpec(d, s)...)
			}
		}
	}
	return bare
}

// undocumentedSpec takes a comment above, beside, or, for constants and variables,
// over the group.
func undocumentedSpec(d *ast.GenDecl, s ast.Spec) []string {
	var bare []string
	switch s := s.(type) {
	case *ast.TypeSpec:
		if s.Name.IsExported() && s.Doc == nil && (d.Doc == nil || d.Lparen.IsValid()) {
			bare = append(bare, s.Name.Name)
		}
	case *ast.ValueSpec:
		for _, n := range s.Names {
			if n.IsExported() && s.Doc == nil && s.Comment == nil && d.Doc == nil {
				bare = append(bare, n.Name)
			}
		}
	}
	return bare
}

func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.IndexListExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}
