package serve

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

// What an endpoint says of itself, to anybody.

// health answers a probe: whether the process serves, or is ready to.
func (v *visit) health() *turned {
	if v.r.Method != http.MethodGet && v.r.Method != http.MethodHead {
		t := turn(http.StatusMethodNotAllowed, "method", "A probe is a GET.")
		t.allow = "GET, HEAD"
		return t
	}
	h := v.w.ResponseWriter.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	status, text := http.StatusOK, "ok\n"
	if v.r.URL.Path == readyPath {
		text = "ready\n"
		if err := v.readyNow(v.r.Context()); err != nil {
			status, text = http.StatusServiceUnavailable, "not ready\n" // why is not for strangers
		}
	}
	v.w.ResponseWriter.WriteHeader(status)
	_, _ = io.WriteString(v.w.ResponseWriter, text)
	return nil
}

// describe answers with the metadata of the resource (RFC 9728), which any page may
// read.
func (v *visit) describe() *turned {
	rest := strings.TrimPrefix(v.r.URL.Path, wellKnownPath)
	if rest != "" && rest != v.o.Path {
		return nothingHere()
	}
	h := v.w.ResponseWriter.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	switch v.r.Method {
	case http.MethodOptions:
		h.Set("Access-Control-Allow-Methods", "GET")
		h.Set("Access-Control-Allow-Headers", "MCP-Protocol-Version")
		v.w.ResponseWriter.WriteHeader(http.StatusNoContent)
		return nil
	case http.MethodGet, http.MethodHead:
	default:
		t := turn(http.StatusMethodNotAllowed, "method", "The metadata is read with GET.")
		t.allow = "GET, HEAD, OPTIONS"
		return t
	}
	raw, err := json.Marshal(v.metadata)
	if err != nil { // strings and slices of them always marshal
		return turn(http.StatusInternalServerError, "metadata", "The metadata cannot be told.").because(err)
	}
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "max-age=300")
	_, _ = v.w.ResponseWriter.Write(raw)
	return nil
}

// metadataURL is where the metadata is: beside the resource that it describes.
func (v *visit) metadataURL() string {
	scheme, rest, ok := strings.Cut(v.metadata.Resource, "://")
	if !ok {
		return ""
	}
	host, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + host + wellKnownPath + v.o.Path
}
