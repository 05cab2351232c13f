package audit_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/safemcp/safemcp/audit"
)

func BenchmarkRecord(b *testing.B) {
	for _, writers := range []int{1, 16, 256} {
		for _, mode := range []audit.Commit{audit.GroupCommit, audit.SyncEach} {
			b.Run(fmt.Sprintf("%d/%d", writers, mode), func(b *testing.B) {
				l, err := audit.Open(b.TempDir(), &audit.Options{Commit: mode})
				if err != nil {
					b.Fatal(err)
				}
				e := full()
				b.ReportAllocs()
				var group sync.WaitGroup
				for w := range writers {
					group.Go(func() {
						for i := w; i < b.N; i += writers {
							if err := l.Record(b.Context(), e); err != nil {
								b.Error(err)
							}
						}
					})
				}
				group.Wait()
				b.StopTimer()
				if err := l.Close(); err != nil {
					b.Fatal(err)
				}
			})
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	dir := b.TempDir()
	l, err := audit.Open(dir, nil)
	if err != nil {
		b.Fatal(err)
	}
	var group sync.WaitGroup
	for range 256 {
		group.Go(func() {
			for range 100 {
				if err := l.Record(b.Context(), full()); err != nil {
					b.Error(err)
				}
			}
		})
	}
	group.Wait()
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	var all []byte
	paths, _ := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	for _, p := range paths {
		text, err := os.ReadFile(p)
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, text...)
	}
	b.Run("verify", func(b *testing.B) {
		b.SetBytes(int64(len(all)))
		for range b.N {
			if r, err := audit.Verify(dir, nil); err != nil || r.Bad != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("sha256", func(b *testing.B) {
		b.SetBytes(int64(len(all)))
		for range b.N {
			_ = sha256.Sum256(all)
		}
	})
}
