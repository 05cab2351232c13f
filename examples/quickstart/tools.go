package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/safemcp/safemcp/safetool"
	"github.com/safemcp/safemcp/secrets"
)

// addTools declares what the server offers: for each tool what it is, what it may
// do, and the handler.
func addTools(server *safetool.Server) {
	open := safetool.Policy{Risk: safetool.ReadOnly, AnyCaller: true}

	safetool.AddTool(server, &mcp.Tool{Name: "get_weather", Description: "Current weather in a supported city."}, open, getWeather)
	safetool.AddTool(server, &mcp.Tool{Name: "calculate_tax", Description: "Income tax by a country's flat demonstration rate."}, open, calculateTax)
	safetool.AddTool(server, &mcp.Tool{Name: "search_documents", Description: "Search the titles of the documents."}, open, searchDocuments)

	safetool.AddTool(server, &mcp.Tool{Name: "share_document", Description: "A signed link to a document that expires."},
		safetool.Policy{
			Risk: safetool.Write, AnyCaller: true,
			Secrets: map[string]secrets.Binding{"share_key": secrets.KV("quickstart/share", "key")},
		}, shareDocument)

	safetool.AddTool(server, &mcp.Tool{Name: "delete_document", Description: "Delete a document for good."},
		safetool.Policy{Risk: safetool.HighRisk, AnyCaller: true}, deleteDocument)
}

// The weather.

type weatherArgs struct {
	City  string `json:"city"            validate:"required,oneof=Paris London Tokyo Nairobi Lima" jsonschema:"city to look up"`
	Units string `json:"units,omitempty" validate:"omitempty,oneof=metric imperial"                jsonschema:"metric unless said otherwise"`
}

type weather struct {
	City        string  `json:"city"`
	Temperature float64 `json:"temperature"`
	Units       string  `json:"units"`
	Sky         string  `json:"sky"`
}

func getWeather(_ context.Context, _ *mcp.CallToolRequest, in weatherArgs) (*mcp.CallToolResult, weather, error) {
	celsius := map[string]float64{"Paris": 18, "London": 15, "Tokyo": 22, "Nairobi": 24, "Lima": 20}[in.City]
	out := weather{City: in.City, Temperature: celsius, Units: "metric", Sky: "clear"}
	if in.Units == "imperial" {
		out.Temperature, out.Units = celsius*9/5+32, "imperial"
	}
	return nil, out, nil
}

// Taxes.

type taxArgs struct {
	Income  float64 `json:"income"  validate:"required,min=0"                     jsonschema:"yearly income"`
	Country string  `json:"country" validate:"required,oneof=FR GB JP KE PE"      jsonschema:"country whose rate applies"`
}

type tax struct {
	Rate float64 `json:"rate"`
	Tax  float64 `json:"tax"`
}

func calculateTax(_ context.Context, _ *mcp.CallToolRequest, in taxArgs) (*mcp.CallToolResult, tax, error) {
	rate := map[string]float64{"FR": 0.30, "GB": 0.20, "JP": 0.23, "KE": 0.25, "PE": 0.17}[in.Country]
	return nil, tax{Rate: rate, Tax: in.Income * rate}, nil
}

// The documents.

type searchArgs struct {
	Query string `json:"query"           validate:"required,min=1,max=200" jsonschema:"words in the title"`
	Limit int    `json:"limit,omitempty" validate:"omitempty,min=1,max=20" jsonschema:"most documents to return; 10 unless said otherwise"`
}

type found struct {
	Documents []document `json:"documents"`
}

func searchDocuments(_ context.Context, _ *mcp.CallToolRequest, in searchArgs) (*mcp.CallToolResult, found, error) {
	if in.Limit == 0 {
		in.Limit = 10
	}
	return nil, found{Documents: library.search(in.Query, in.Limit)}, nil
}

type shareArgs struct {
	ID               string `json:"id"                           validate:"required,min=1,max=64"           jsonschema:"which document"`
	ExpiresInMinutes int    `json:"expires_in_minutes,omitempty" validate:"omitempty,min=1,max=1440" jsonschema:"60 unless said otherwise"`
}

type link struct {
	URL     string    `json:"url"`
	Expires time.Time `json:"expires"`
}

// shareDocument signs a link with the credential that its policy names. The key
// is lent for the signing alone, and never leaves the process.
func shareDocument(ctx context.Context, _ *mcp.CallToolRequest, in shareArgs) (*mcp.CallToolResult, link, error) {
	if !library.has(in.ID) {
		return nil, link{}, errNoDocument
	}
	if in.ExpiresInMinutes == 0 {
		in.ExpiresInMinutes = 60
	}
	key, err := safetool.CallFrom(ctx).Credential("share_key")
	if err != nil {
		return nil, link{}, err
	}
	expires := time.Now().Add(time.Duration(in.ExpiresInMinutes) * time.Minute).UTC().Truncate(time.Second)
	query := url.Values{"id": {in.ID}, "expires": {strconv.FormatInt(expires.Unix(), 10)}}.Encode()
	var signature string
	err = key.Secret().Use(func(secret []byte) error {
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(query))
		signature = hex.EncodeToString(mac.Sum(nil))
		return nil
	})
	if err != nil {
		return nil, link{}, err
	}
	return nil, link{URL: "https://documents.example/open?" + query + "&signature=" + signature, Expires: expires}, nil
}

type deleteArgs struct {
	ID string `json:"id" validate:"required,min=1,max=64" jsonschema:"which document"`
}

type deleted struct {
	ID string `json:"id"`
}

// deleteDocument runs only after a person has approved the call: its policy says
// HighRisk.
func deleteDocument(_ context.Context, _ *mcp.CallToolRequest, in deleteArgs) (*mcp.CallToolResult, deleted, error) {
	if !library.remove(in.ID) {
		return nil, deleted{}, errNoDocument
	}
	return nil, deleted(in), nil
}

// addCrash adds a tool with a fault, to see what a fault does: nothing to the
// others.
func addCrash(server *safetool.Server) {
	safetool.AddTool(server, &mcp.Tool{Name: "crash", Description: "Panics, to show that the server lives on."},
		safetool.Policy{Risk: safetool.ReadOnly, AnyCaller: true},
		func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
			none := []int{}
			return nil, none[slices.Index(none, 7)], nil
		})
}
