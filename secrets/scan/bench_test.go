package scan_test

import (
	"bytes"
	"testing"

	"github.com/safemcp/safemcp/secrets/scan"
)

// What redaction costs an answer that holds no secret, which nearly all are.
func BenchmarkRedactWithoutFind(b *testing.B) {
	plain := bytes.Repeat([]byte(`The report of the third quarter is ready. `), 40)
	json := bytes.Repeat([]byte(`{"title":"Report \"Q3\"","body":"first line\nsecond line"},`), 28)
	for _, broker := range []struct {
		name string
		*scan.Set
	}{
		{"nothing issued", scan.New(nil)},
		{"1 value", holding(b, randomValues(1, 32)...)},
		{"1000 values", holding(b, randomValues(1000, 32)...)},
	} {
		for name, text := range map[string][]byte{"plain": plain, "json": json} {
			b.Run(broker.name+"/"+name, func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				for b.Loop() {
					if _, found := broker.Redact(text); found != nil {
						b.Fatal("found one")
					}
				}
			})
		}
	}
}
