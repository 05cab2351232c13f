package mirrors_test

import (
	"compress/gzip"
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	collector "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/protobuf/proto"

	"github.com/safemcp/safemcp/examples/mirrors"
)

func otlpTo(t *testing.T, url string) slog.Handler {
	t.Helper()
	exporter, err := otlploghttp.New(t.Context(), otlploghttp.WithEndpointURL(url), otlploghttp.WithRetry(otlploghttp.RetryConfig{}))
	if err != nil {
		t.Fatal(err)
	}
	return mirrors.OTLP("weather", exporter)
}

// member returns the value at a path of names.
func member(members []*common.KeyValue, path ...string) *common.AnyValue {
	for _, m := range members {
		if m.GetKey() == path[0] {
			if len(path) == 1 {
				return m.GetValue()
			}
			return member(m.GetValue().GetKvlistValue().GetValues(), path[1:]...)
		}
	}
	return nil
}

func TestAnEventArrivesByOTLPInItsTrace(t *testing.T) {
	t.Parallel()
	var answer atomic.Int32
	answer.Store(http.StatusOK)
	requests := make(chan *collector.ExportLogsServiceRequest, 9)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body io.Reader = r.Body
		if r.Header.Get("Content-Encoding") == "gzip" {
			body, _ = gzip.NewReader(r.Body)
		}
		content, err := io.ReadAll(body)
		request := new(collector.ExportLogsServiceRequest)
		if err != nil || proto.Unmarshal(content, request) != nil || r.URL.Path != "/v1/logs" {
			t.Errorf("%v, %s", err, r.URL)
		}
		requests <- request
		w.Header().Set("Content-Type", "application/x-protobuf")
		w.WriteHeader(int(answer.Load()))
	}))
	defer server.Close()
	h := otlpTo(t, server.URL+"/v1/logs")
	arrives(t, h)
	group := (<-requests).GetResourceLogs()[0]
	if got := member(group.GetResource().GetAttributes(), "service.name").GetStringValue(); got != "weather" {
		t.Errorf("the service is %q", got)
	}
	r := group.GetScopeLogs()[0].GetLogRecords()[0]
	got := func(path ...string) *common.AnyValue { return member(r.GetAttributes(), path...) }
	if hex.EncodeToString(r.GetTraceId()) != traceID || hex.EncodeToString(r.GetSpanId()) != spanID {
		t.Errorf("its trace is %x, %x", r.GetTraceId(), r.GetSpanId())
	}
	if r.GetBody().GetStringValue() != "audit" || r.GetSeverityNumber() != logs.SeverityNumber_SEVERITY_NUMBER_WARN || time.Since(time.Unix(0, int64(r.GetTimeUnixNano()))) > time.Hour {
		t.Errorf("got %v", r)
	}
	if got("call").GetStringValue() != "call-1" || got("mcp", "tool").GetStringValue() != "delete_document" || got("decision", "effect").GetStringValue() != "deny" ||
		got("args", "bytes").GetIntValue() != 12 || got("args", "fields", "id", "hmac").GetStringValue() != "h" ||
		got("caller", "roles").GetArrayValue().GetValues()[0].GetStringValue() != "reader" || got("trace", "trace_id").GetStringValue() != traceID {
		t.Errorf("got %v", r.GetAttributes())
	}
	for _, status := range []int32{http.StatusBadRequest, http.StatusServiceUnavailable} {
		answer.Store(status)
		isLost(t, h)
		for len(requests) > 0 {
			<-requests
		}
	}
}

func TestAnOTLPReceiverThatIsDownOrHangsIsCounted(t *testing.T) {
	t.Parallel()
	isLost(t, otlpTo(t, "http://"+nobody(t)))
	isLost(t, otlpTo(t, "http://"+tarpit(t)))
}
