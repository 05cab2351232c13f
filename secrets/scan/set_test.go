package scan

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func TestExpiredValuesAreForgottenAnHourLater(t *testing.T) {
	t.Parallel()
	w := New(nil)
	now := time.Now()
	add := func(value string, expires, at time.Time) {
		w.now = func() time.Time { return at }
		if err := w.Add([]byte(value), "kv:x#y", expires); err != nil {
			t.Fatal(err)
		}
	}
	found := func(value string) bool {
		clean, _ := w.Redact([]byte("a " + value + " b"))
		return !strings.Contains(string(clean), value)
	}
	add("expires-soon-0001", now.Add(time.Minute), now)
	add("expires-never-001", time.Time{}, now)
	add("issued-twice-0001", now.Add(time.Minute), now)
	add("issued-twice-0001", now.Add(24*time.Hour), now)
	add("issued-thrice-001", time.Time{}, now)
	add("issued-thrice-001", now.Add(time.Minute), now)
	add("in-between-000001", time.Time{}, now.Add(30*time.Minute))
	if !found("expires-soon-0001") {
		t.Error("forgotten within the hour")
	}
	add("much-later-000001", time.Time{}, now.Add(2*time.Hour))
	if found("expires-soon-0001") {
		t.Error("never forgotten")
	}
	for _, value := range []string{"expires-never-001", "issued-twice-0001", "issued-thrice-001", "in-between-000001", "much-later-000001"} {
		if !found(value) {
			t.Errorf("%s was forgotten", value)
		}
	}
	cost := 0
	for _, e := range w.entries {
		cost += e.cost()
	}
	if cost != w.cost {
		t.Errorf("the cost is %d, and %d is counted", cost, w.cost)
	}
}

// Thousands of values are not entered anew, while everybody waits, for the sake of one.
func TestOneValueThatExpiresNeverCostsWhatAllDo(t *testing.T) {
	t.Parallel()
	const n = 2 * quick
	w := New(nil)
	now := time.Now()
	w.now = func() time.Time { return now }
	add := func(from, to int, expires time.Time) {
		for i := from; i < to; i++ {
			if err := w.Add(fmt.Appendf(nil, "value-number-%06d", i), "l", expires); err != nil {
				t.Fatal(err)
			}
		}
	}
	add(0, n/10, now.Add(time.Minute))
	add(n/10, n/4, now.Add(2*time.Hour))
	add(n/4, n, now.Add(24*time.Hour))
	for _, step := range []struct {
		later time.Duration
		left  int
	}{{2 * time.Hour, n + 1}, {4 * time.Hour, n - n/4 + 2}} {
		w.now = func() time.Time { return now.Add(step.later) }
		if err := w.Add(fmt.Appendf(nil, "another-value-%v", step.later), "l", time.Time{}); err != nil {
			t.Fatal(err)
		}
		if len(w.entries) != step.left {
			t.Errorf("after %v there are %d values, not %d", step.later, len(w.entries), step.left)
		}
	}
	if clean, found := w.RedactString(fmt.Sprintf("value-number-%06d", n-1)); len(found) != 1 {
		t.Errorf("one that is left is not found: %s", clean)
	}
}

func TestTheMemoryOfValuesIsBounded(t *testing.T) {
	t.Parallel()
	w := New(nil)
	w.most = 20000
	now := time.Now()
	var err error
	n := 0
	for ; err == nil && n < 1000; n++ {
		err = w.Add(fmt.Appendf(nil, "value-number-%06d", n), "l", now.Add(time.Minute))
	}
	if err == nil || n < 5 || w.cost > w.most {
		t.Fatalf("%d values for %d bytes, %v", n, w.cost, err)
	}
	if strings.Contains(err.Error(), "value-number") {
		t.Errorf("the error shows the value: %v", err)
	}
	w.now = func() time.Time { return now.Add(3 * time.Hour) }
	if err := w.Add([]byte("a-new-value-after"), "l", now); err != nil {
		t.Errorf("after they have expired: %v", err)
	}
}

// A value is found whatever has been added and dropped before it, and however many
// share a window with it.
func TestEveryValueIsFoundAmongMany(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	w := New(nil)
	var values []string
	for n := range 2500 {
		value := fmt.Sprintf("%08x-SAMEWINDOWSAMEWINDOW-%08x", r.Uint32(), r.Uint32())
		if n%2 == 0 {
			value = fmt.Sprintf("%016x%016x", r.Uint64(), r.Uint64())
		}
		if err := w.Add([]byte(value), fmt.Sprint("kv:v#", n), time.Time{}); err != nil {
			t.Fatal(err)
		}
		values = append(values, value)
	}
	for n, value := range values {
		clean, found := w.Redact([]byte("x" + value + "y"))
		if want := fmt.Sprintf("x[redacted:kv:v#%d]y", n); string(clean) != want || len(found) != 1 {
			t.Fatalf("value %d became %s, %v", n, clean, found)
		}
	}
}

// Whoever meets a window looks at every pattern that has it, and a caller may know what
// the users of a database are called: one word of that must not cost as much as all of
// them together.
func TestValuesThatAreMuchAlikeNeverShareTheirWindows(t *testing.T) {
	t.Parallel()
	const n = 2000
	for name, format := range map[string]string{
		"random at the end": "v-kubernete-readonlyap-%08x", "at the beginning": "%08x-readonly-user-of-the-app", "at both": "%[1]04x-readonly-user-of-the-app-%[1]04x",
		"a long beginning": strings.Repeat("the same for all, ", 20) + "%08x", "in the middle of much": strings.Repeat("before ", 9) + "%032x" + strings.Repeat(" after", 30),
	} {
		r := rand.New(rand.NewPCG(5, 6))
		w := New(nil)
		for range n {
			if err := w.Add(fmt.Appendf(nil, format, r.Uint32()), "l", time.Time{}); err != nil {
				t.Fatal(err)
			}
		}
		for _, x := range w.indexes {
			for _, s := range x.slots {
				if s.count > crowd {
					t.Fatalf("%s: %d patterns have one window", name, s.count)
				}
			}
		}
	}
}

// Values that spell each other's names could be redacted for ever.
func TestValuesThatSpellEachOthersNamesEnd(t *testing.T) {
	t.Parallel()
	for name, values := range map[string][][2]string{
		"two":     {{"kv:second-name#f", "first-name"}, {"kv:first-name#f", "second-name"}},
		"many":    {{"kv:" + strings.Repeat("bbbbbbbb.", 55) + "#f", "aaaaaaaa"}, {"kv:" + strings.Repeat("aaaaaaaa.", 55) + "#f", "bbbbbbbb"}},
		"bracket": {{"kv:x#y", "z[redacted:"}, {"kv:u#v", "a value of something"}},
	} {
		w := New(nil)
		for _, v := range values {
			if err := w.Add([]byte(v[1]), v[0], time.Time{}); err != nil {
				t.Fatal(err)
			}
		}
		for _, text := range []string{"the first-name, second-name, aaaaaaaa, bbbbbbbb", strings.Repeat("za value of somethingaaaaaaaa", 20)} {
			clean, found := w.Redact([]byte(text))
			if len(found) == 0 && string(clean) != text || len(clean) > 200*len(text)+1<<20 {
				t.Errorf("%s: %d bytes, %q", name, len(clean), found)
			}
			for _, v := range values {
				if strings.Contains(string(clean), v[1]) {
					t.Errorf("%s: a value is left", name)
				}
			}
		}
	}
}

// The search of a hostile text takes long. Were values locked out meanwhile, everybody
// who looks for them would wait behind the first that is added.
func TestALongTextNeverHoldsUpWhoAddsAValue(t *testing.T) {
	t.Parallel()
	w := New(nil)
	if err := w.Add([]byte("a-value-that-is-not-there"), "l", time.Time{}); err != nil {
		t.Fatal(err)
	}
	text := []byte(strings.Repeat("1, 2, ", 1<<18)) // read in every base
	begun, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		close(begun)
		w.Redact(text)
	}()
	<-begun
	for added := range 50 {
		select {
		case <-done:
			t.Fatalf("%d values were added until the text had been searched", added)
		default:
		}
		if err := w.Add(fmt.Appendf(nil, "value-number-%06d", added), "l", time.Time{}); err != nil {
			t.Fatal(err)
		}
		w.RedactString("somebody else's answer")
	}
	<-done
}
