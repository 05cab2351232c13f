package house

import (
	"fmt"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"strings"
	"testing"
)

// sdk is whose types users hold already.
const sdk = "github.com/modelcontextprotocol/go-sdk/"

// A third party's type in an exported signature ties every user to that party's
// next major version.
func TestNoExportedSignatureNamesAThirdParty(t *testing.T) {
	t.Parallel()
	all, err := packages()
	if err != nil {
		t.Fatal(err)
	}
	exports := make(map[string]string, len(all))
	for _, p := range all {
		exports[p.ImportPath] = p.Export
	}
	imports := importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, fmt.Errorf("no export data of %s", path)
		}
		return os.Open(exports[path])
	})
	for _, p := range ours(t) {
		if !p.public() {
			continue
		}
		pkg, err := imports.Import(p.ImportPath)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range pkg.Scope().Names() {
			if !token.IsExported(name) {
				continue
			}
			w := walker{seen: map[types.Type]bool{}}
			w.object(pkg.Scope().Lookup(name))
			for _, f := range w.foreign {
				t.Errorf("%s.%s names %s: wrap it in a type of this module", p.room(), name, f)
			}
		}
	}
}

// A walker collects the third parties' types that users of an object see.
type walker struct {
	seen    map[types.Type]bool
	foreign []string
}

func (w *walker) object(o types.Object) {
	named, isType := o.Type().(*types.Named)
	if _, declared := o.(*types.TypeName); !declared || !isType {
		w.visit(o.Type())
		return
	}
	w.visit(named.Underlying())
	for m := range named.Methods() {
		if m.Exported() {
			w.visit(m.Type())
		}
	}
	w.params(named.TypeParams())
}

func (w *walker) visit(t types.Type) {
	if t == nil || w.seen[t] {
		return
	}
	w.seen[t] = true
	switch t := t.(type) {
	case *types.Alias:
		w.name(t.Obj(), t.TypeArgs())
	case *types.Named:
		w.name(t.Obj(), t.TypeArgs())
	case *types.Pointer:
		w.visit(t.Elem())
	case *types.Slice:
		w.visit(t.Elem())
	case *types.Array:
		w.visit(t.Elem())
	case *types.Chan:
		w.visit(t.Elem())
	case *types.Map:
		w.visit(t.Key())
		w.visit(t.Elem())
	case *types.Tuple:
		for v := range t.Variables() {
			w.visit(v.Type())
		}
	case *types.Signature:
		w.params(t.TypeParams())
		w.visit(t.Params())
		w.visit(t.Results())
	case *types.Struct:
		for f := range t.Fields() {
			if f.Exported() || f.Embedded() {
				w.visit(f.Type())
			}
		}
	case *types.Interface:
		for m := range t.Methods() {
			w.visit(m.Type())
		}
		for e := range t.EmbeddedTypes() {
			w.visit(e)
		}
	case *types.Union:
		for term := range t.Terms() {
			w.visit(term.Type())
		}
	}
}

func (w *walker) params(list *types.TypeParamList) {
	for p := range list.TypeParams() {
		w.visit(p.Constraint())
	}
}

// name judges a type that has a name. One of ours that users cannot name shows
// them what it is made of.
func (w *walker) name(o *types.TypeName, args *types.TypeList) {
	for a := range args.Types() {
		w.visit(a)
	}
	if o.Pkg() == nil { // error, comparable
		return
	}
	path := o.Pkg().Path()
	first, _, _ := strings.Cut(path, "/")
	switch {
	case roomOf(path) != "":
		if !o.Exported() {
			w.object(o)
		}
	case !strings.Contains(first, "."), strings.HasPrefix(path, sdk):
	default:
		w.foreign = append(w.foreign, path+"."+o.Name())
	}
}
