package agefile_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/safemcp/safemcp/secrets"
	"github.com/safemcp/safemcp/secrets/agefile"
)

// A server issues what an operator stores; when the operator changes it, the version is
// another one.
func Example() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "weather", "secrets.age")

	operator, err := agefile.Open(path, nil) // safetool secrets set does the same
	if err != nil {
		fmt.Println(err)
		return
	}
	defer operator.Close()
	set := func(value string) {
		if err := operator.Set(context.Background(), "weather/share", "key", secrets.NewSecret([]byte(value))); err != nil {
			fmt.Println(err)
		}
	}
	set("the first of two keys")

	server, err := agefile.Open(path, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	broker := secrets.NewBroker(server, nil) // asks again every 30 seconds
	defer func() { _ = broker.Close(context.Background()) }()
	request := secrets.Request{Tool: "share_document", Binding: secrets.KV("weather/share", "key")}

	first, err := broker.Acquire(context.Background(), request)
	fmt.Println(first.Binding(), first.Secret(), err)
	broker.Release(first)
	set("the second of two keys")
	second, err := server.Issue(context.Background(), request)
	fmt.Println(second.Version() != first.Version(), err)
	// Output:
	// kv:weather/share#key [redacted] <nil>
	// true <nil>
}
