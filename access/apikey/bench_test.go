package apikey

import (
	"fmt"
	"testing"
)

// mostAllocations is what a request with a valid key may cost: the copy of the key
// that is hashed, and nothing of the runtime's that is larger.
const mostAllocations = 2

func TestACheckAllocatesNextToNothing(t *testing.T) {
	s, _ := fresh(t)
	key, _ := create(t, s, ada)
	for name, r := range map[string][]string{"bearer": {"Authorization", "Bearer " + key}, "own": {"X-API-Key", key}} {
		r := with(r...)
		n := testing.AllocsPerRun(100, func() {
			if _, err := s.Authenticate(r, nil); err != nil {
				t.Fatal(err)
			}
		})
		if n > mostAllocations {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	s, _ := fresh(b)
	for i := range 100 {
		create(b, s, Grant{Name: fmt.Sprint("caller ", i)})
	}
	key, _ := create(b, s, ada)
	_, unknown := newKey()
	for name, key := range map[string]string{"valid": key, "unknown": unknown, "malformed": key[1:]} {
		b.Run(name, func(b *testing.B) {
			r := with("X-API-Key", key)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Authenticate(r, nil); (err == nil) != (name == "valid") {
					b.Fatal(err)
				}
			}
		})
	}
}

// A server asks the time of the machine, and looks at the file each second.
func BenchmarkAuthenticateByTheClock(b *testing.B) {
	s, _ := fresh(b)
	key, _ := create(b, s, ada)
	served, err := Open(s.state().path, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		r := with("Authorization", "Bearer "+key)
		for p.Next() {
			if _, err := served.Authenticate(r, nil); err != nil {
				b.Error(err)
			}
		}
	})
}
