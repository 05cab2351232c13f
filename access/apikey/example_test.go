package apikey_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/safemcp/safemcp/access/apikey"
)

// An operator makes a key, and a server knows its caller by it.
func Example() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	keys, err := apikey.Open(filepath.Join(dir, "keys.json"), &apikey.Options{Create: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	key, _, err := keys.Create(context.Background(), apikey.Grant{Name: "nightly build", Scopes: []string{"weather:read"}, Expires: time.Now().Add(720 * time.Hour)})
	if err != nil {
		fmt.Println(err)
		return
	}

	r := &http.Request{Header: http.Header{"Authorization": {"Bearer " + key}}}
	caller, err := keys.Authenticate(r, nil)
	fmt.Println(caller.ID, caller.Scopes, err)

	r.Header.Set("Authorization", "Bearer "+key[:len(key)-1])
	_, err = keys.Authenticate(r, nil)
	fmt.Println(err)
	// Output:
	// apikey|nightly build [weather:read] <nil>
	// apikey: the key is refused: it does not have the form of one
}
