package export

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"github.com/safemcp/safemcp/audit"
)

// The class of the events (https://schema.ocsf.io/1.7.0/classes/api_activity). All
// attributes that are used here are in the versions up to 1.9.0 as well.
const (
	ocsfVersion = "1.7.0"
	categoryUID = 6 // Application Activity
	classUID    = 6003
	product     = "safemcp"
)

// An ocsfEvent is one of the class API Activity. Each attribute that the schema requires
// is there whatever the event holds.
type ocsfEvent struct {
	ActivityID   int            `json:"activity_id"`
	ActivityName string         `json:"activity_name"`
	CategoryUID  int            `json:"category_uid"`
	CategoryName string         `json:"category_name"`
	ClassUID     int            `json:"class_uid"`
	ClassName    string         `json:"class_name"`
	TypeUID      int            `json:"type_uid"`
	TypeName     string         `json:"type_name"`
	Time         int64          `json:"time"` // milliseconds
	Duration     int64          `json:"duration,omitempty"`
	SeverityID   int            `json:"severity_id"`
	Severity     string         `json:"severity"`
	StatusID     int            `json:"status_id"`
	Status       string         `json:"status"`
	StatusCode   string         `json:"status_code,omitempty"`
	StatusDetail string         `json:"status_detail,omitempty"`
	Message      string         `json:"message,omitempty"`
	Metadata     ocsfMetadata   `json:"metadata"`
	Actor        ocsfActor      `json:"actor"`
	API          ocsfAPI        `json:"api"`
	SrcEndpoint  ocsfEndpoint   `json:"src_endpoint"`
	Resources    []ocsfResource `json:"resources,omitempty"`
	Trace        *ocsfEntity    `json:"trace,omitempty"`
	Unmapped     ocsfUnmapped   `json:"unmapped"`
}

// An ocsfEntity is one of the objects of which a name, an identifier and a version are
// given.
type ocsfEntity struct {
	Name    string `json:"name,omitempty"`
	UID     string `json:"uid,omitempty"`
	Version string `json:"version,omitempty"`
}

type ocsfMetadata struct {
	Version        string      `json:"version"`
	Product        ocsfProduct `json:"product"`
	Profiles       []string    `json:"profiles,omitempty"`
	UID            string      `json:"uid,omitempty"`
	CorrelationUID string      `json:"correlation_uid,omitempty"`
	EventCode      string      `json:"event_code"`
	LogName        string      `json:"log_name"`
	LogVersion     string      `json:"log_version"`
	OriginalTime   string      `json:"original_time"`
	Sequence       uint64      `json:"sequence"`
	TenantUID      string      `json:"tenant_uid,omitempty"`
}

type ocsfProduct struct {
	Name       string `json:"name"`
	VendorName string `json:"vendor_name"`
}

type ocsfActor struct {
	AppName        string              `json:"app_name,omitempty"`
	AppUID         string              `json:"app_uid,omitempty"`
	User           *ocsfUser           `json:"user,omitempty"`
	Session        *ocsfEntity         `json:"session,omitempty"`
	IDP            *ocsfIDP            `json:"idp,omitempty"`
	Authorizations []ocsfAuthorization `json:"authorizations,omitempty"`
}

type ocsfUser struct {
	Name string      `json:"name,omitempty"`
	UID  string      `json:"uid,omitempty"`
	Org  *ocsfEntity `json:"org,omitempty"`
}

type ocsfIDP struct {
	Issuer string `json:"issuer"`
	Name   string `json:"name"`
}

type ocsfAuthorization struct {
	Decision string      `json:"decision,omitempty"`
	Policy   *ocsfPolicy `json:"policy,omitempty"`
}

type ocsfPolicy struct {
	Name string `json:"name,omitempty"`
	UID  string `json:"uid,omitempty"`
	Desc string `json:"desc,omitempty"`
}

type ocsfAPI struct {
	Operation string        `json:"operation"`
	Version   string        `json:"version,omitempty"`
	Service   *ocsfEntity   `json:"service,omitempty"`
	Request   *ocsfEntity   `json:"request,omitempty"`
	Response  *ocsfResponse `json:"response,omitempty"`
}

type ocsfResponse struct {
	Error        string `json:"error,omitempty"`
	ErrorMessage string `json:"error_message,omitempty"`
}

type ocsfEndpoint struct {
	IP      string `json:"ip,omitempty"`
	Port    int    `json:"port,omitempty"`
	Name    string `json:"name,omitempty"`
	SvcName string `json:"svc_name,omitempty"`
}

type ocsfResource struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// An ocsfUnmapped is the rest of an event, under the names that it has in the log.
type ocsfUnmapped struct {
	Phase       string          `json:"phase"`
	Status      string          `json:"status,omitempty"`
	Transport   string          `json:"transport,omitempty"`
	Roles       []string        `json:"roles,omitempty"`
	Scopes      []string        `json:"scopes,omitempty"`
	Args        json.RawMessage `json:"args,omitempty"`
	Approval    json.RawMessage `json:"approval,omitempty"`
	Credentials json.RawMessage `json:"credentials,omitempty"`
	Egress      json.RawMessage `json:"egress,omitempty"`
	Bytes       int             `json:"bytes,omitempty"`
	Reference   string          `json:"reference,omitempty"`
	Stack       string          `json:"stack,omitempty"`
	Duration    int64           `json:"duration_us,omitempty"`
	SpanID      string          `json:"span_id,omitempty"`
}

func ocsfOf(l audit.Line) (*ocsfEvent, error) {
	e := l.Event
	raw, err := rawOf(l)
	if err != nil {
		return nil, err
	}
	rest := ocsfUnmapped{}
	if err := json.Unmarshal(raw, &struct {
		Args        *json.RawMessage `json:"args"`
		Approval    *json.RawMessage `json:"approval"`
		Credentials *json.RawMessage `json:"credentials"`
		Egress      *json.RawMessage `json:"egress"`
	}{&rest.Args, &rest.Approval, &rest.Credentials, &rest.Egress}); err != nil {
		return nil, fmt.Errorf("this is no event: %w", err)
	}
	rest.Phase, rest.Status, rest.Transport = string(e.Phase), string(e.Outcome.Status), e.MCP.Transport
	rest.Roles, rest.Scopes = e.Caller.Roles, e.Caller.Scopes
	rest.Bytes, rest.Reference, rest.Stack = e.Outcome.Bytes, e.Outcome.Reference, e.Outcome.Stack
	rest.Duration, rest.SpanID = e.Duration.Microseconds(), e.Trace.SpanID

	activity, activityName := activityOf(&e.MCP)
	severity, severityName := severityOf(e)
	status, statusName := statusOf(e)
	o := &ocsfEvent{
		ActivityID: activity, ActivityName: activityName,
		CategoryUID: categoryUID, CategoryName: "Application Activity",
		ClassUID: classUID, ClassName: "API Activity",
		TypeUID: classUID*100 + activity, TypeName: "API Activity: " + activityName,
		Time: e.Time.UnixMilli(), Duration: max(e.Duration.Milliseconds(), 0),
		SeverityID: severity, Severity: severityName,
		StatusID: status, Status: statusName,
		StatusCode: cmp.Or(e.Outcome.Code, string(e.Outcome.Status)), StatusDetail: cmp.Or(e.Outcome.Cause, e.Decision.Reason),
		Metadata: ocsfMetadata{
			Version: ocsfVersion, Product: ocsfProduct{product, product},
			UID: e.ID, CorrelationUID: e.Call, EventCode: known(e.Phase),
			LogName: "audit", LogVersion: strconv.Itoa(e.Version), OriginalTime: e.Time.Format(time.RFC3339Nano),
			Sequence: e.Seq, TenantUID: e.Caller.Tenant,
		},
		Actor: actorOf(e), API: apiOf(e), SrcEndpoint: endpointOf(e), Unmapped: rest,
	}
	if e.Phase == audit.PhaseNotice {
		o.Message = e.Decision.Reason
	}
	if name, kind := subject(&e.MCP); name != "" {
		o.Resources = []ocsfResource{{name, kind}}
	}
	if e.Trace.TraceID != "" {
		o.Trace = &ocsfEntity{UID: e.Trace.TraceID}
		o.Metadata.Profiles = []string{"trace"}
	}
	return o, nil
}

// activityOf says what kind of call it is, as far as the method tells: what a tool does
// is not known.
func activityOf(m *audit.MCP) (id int, name string) {
	switch m.Method {
	case "resources/read", "prompts/get", "tools/list", "prompts/list", "resources/list", "resources/templates/list", "completion/complete":
		return 2, "Read"
	case "":
		return 99, "Other"
	}
	return 99, cmp.Or(m.Method, "Other")
}

func severityOf(e *audit.Event) (id int, name string) {
	if e.Phase == audit.PhaseOrphaned {
		return 4, "High"
	}
	switch e.Outcome.Status {
	case audit.StatusPanic, audit.StatusWithheld:
		return 4, "High"
	case audit.StatusRefused:
		return 3, "Medium"
	case audit.StatusToolError, audit.StatusTimeout, audit.StatusCancelled:
		return 2, "Low"
	}
	return 1, "Informational"
}

// statusOf says how a call ended. What has not ended, or ended in a question, is other
// than a success or a failure.
func statusOf(e *audit.Event) (id int, name string) {
	switch {
	case e.Phase == audit.PhaseOrphaned:
		return 0, "Unknown"
	case e.Outcome.Status == audit.StatusOK:
		return 1, "Success"
	case e.Phase == audit.PhaseIntent, e.Phase == audit.PhaseNotice && e.Outcome.Status == "":
		return 99, known(e.Phase)
	case e.Outcome.Status == audit.StatusInputRequired:
		return 99, string(audit.StatusInputRequired)
	case e.Phase == audit.PhaseRefused:
		return 2, "Failure"
	}
	switch e.Outcome.Status {
	case audit.StatusToolError, audit.StatusRefused, audit.StatusPanic, audit.StatusTimeout, audit.StatusCancelled, audit.StatusWithheld:
		return 2, "Failure"
	}
	return 0, "Unknown"
}

// actorOf says who called: the caller, or where nobody did, the server itself.
func actorOf(e *audit.Event) ocsfActor {
	c := &e.Caller
	a := ocsfActor{AppUID: c.Client}
	if c.ID != "" || c.Subject != "" {
		a.User = &ocsfUser{Name: c.Subject, UID: c.ID}
		if c.Tenant != "" {
			a.User.Org = &ocsfEntity{UID: c.Tenant}
		}
	}
	if e.MCP.Session != "" {
		a.Session = &ocsfEntity{UID: e.MCP.Session}
	}
	if c.Issuer != "" {
		a.IDP = &ocsfIDP{Issuer: c.Issuer, Name: c.Issuer}
	}
	if d := e.Decision; d != (audit.Decision{}) {
		grant := ocsfAuthorization{Decision: string(d.Effect)}
		if d.By != "" || d.Rule != "" {
			grant.Policy = &ocsfPolicy{Name: d.By, UID: d.Rule, Desc: d.Reason}
		}
		if grant != (ocsfAuthorization{}) {
			a.Authorizations = []ocsfAuthorization{grant}
		}
	}
	if a.AppUID == "" && a.User == nil && a.Session == nil {
		a.AppName = cmp.Or(e.Server.Name, product)
	}
	return a
}

func apiOf(e *audit.Event) ocsfAPI {
	a := ocsfAPI{Operation: cmp.Or(e.MCP.Method, e.Decision.Rule, known(e.Phase)), Version: e.MCP.Protocol}
	if s := e.Server; s.Name != "" || s.Instance != "" {
		a.Service = &ocsfEntity{Name: s.Name, UID: s.Instance, Version: s.Version}
	}
	if id := cmp.Or(e.MCP.Request, e.Call); id != "" {
		a.Request = &ocsfEntity{UID: id}
	}
	if e.Outcome.Code != "" || e.Outcome.Cause != "" {
		a.Response = &ocsfResponse{e.Outcome.Code, e.Outcome.Cause}
	}
	return a
}

// endpointOf says where the call came from: an address, or over which transport, or the
// server itself.
func endpointOf(e *audit.Event) ocsfEndpoint {
	address := e.Caller.Address
	if at, err := netip.ParseAddrPort(address); err == nil {
		return ocsfEndpoint{IP: at.Addr().WithZone("").String(), Port: int(at.Port())}
	}
	if ip, err := netip.ParseAddr(address); err == nil {
		return ocsfEndpoint{IP: ip.WithZone("").String()}
	}
	if name := cmp.Or(address, e.MCP.Transport); name != "" {
		return ocsfEndpoint{Name: name}
	}
	return ocsfEndpoint{SvcName: cmp.Or(e.Server.Name, product)}
}
