package arg_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/safemcp/safemcp/validate"
	"github.com/safemcp/safemcp/validate/arg"
)

var documents *os.Root

// Documents is where paths of documents lead.
type Documents struct{}

func (Documents) Path() arg.PathOptions {
	return arg.PathOptions{Root: documents, Name: "documents"}
}

// API is where URLs lead.
type API struct{}

func (API) URL() arg.URLOptions { return arg.URLOptions{Hosts: []string{"api.example.org"}} }

// Example reads arguments into types that are bound to a directory, to hosts and to a
// dialect of SQL. A safetool.Server does the same at each call.
func Example() {
	dir, err := os.MkdirTemp("", "documents")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "hello.txt"), []byte("Hello."), 0o600); err != nil {
		panic(err)
	}
	if documents, err = os.OpenRoot(dir); err != nil {
		panic(err)
	}
	defer documents.Close()

	type Arguments struct {
		File arg.Path[Documents]            `json:"file"`
		Link arg.URL[API]                   `json:"link"`
		Sort arg.Identifier[arg.PostgreSQL] `json:"sort"`
	}
	args, err := validate.For[Arguments](nil)
	if err != nil {
		panic(err)
	}
	in, err := args.Decode(context.Background(), []byte(`{"file": "hello.txt", "link": "https://API.example.org/a/../b", "sort": "created at"}`))
	if err != nil {
		panic(err)
	}
	text, err := in.File.ReadFile()
	fmt.Println(in.File, string(text), err)
	fmt.Println(in.Link)
	fmt.Println("SELECT id FROM orders ORDER BY", in.Sort)

	_, err = args.Decode(context.Background(), []byte(`{"file": "../../etc/passwd", "link": "https://127.1/", "sort": ""}`))
	fmt.Println(err != nil)
	// Output:
	// documents:hello.txt Hello. <nil>
	// https://api.example.org/b
	// SELECT id FROM orders ORDER BY "created at"
	// true
}
