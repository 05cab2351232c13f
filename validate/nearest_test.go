package validate

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// wholeDistance is optimal string alignment with every cell filled.
func wholeDistance(a, b []rune) int {
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, d[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}

func TestTheBandFindsWhatTheWholeTableDoes(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	word := func() []rune {
		w := make([]rune, r.IntN(12))
		for i := range w {
			w[i] = rune('a' + r.IntN(3))
		}
		return w
	}
	near := 0
	for range 20_000 {
		a, b := word(), word()
		for most := range 4 {
			if d := len(a) - len(b); max(d, -d) > most {
				continue
			}
			work := 1 << 20
			want := min(wholeDistance(a, b), most+1)
			if got := distance(a, b, most, &work); got != want {
				t.Fatalf("%q, %q within %d: %d, not %d", string(a), string(b), most, got, want)
			}
			if want <= most {
				near++
			}
		}
	}
	if near < 1000 {
		t.Errorf("%d pairs were near", near)
	}
}

func TestANearMissNamesTheNearest(t *testing.T) {
	t.Parallel()
	values := []string{"Berlin", "Bern", "Lima", "London", "Londonderry", "Nairobi", "New York", "Oslo", "Paris", "São Paulo", "Tokyo", "a", "b", "id_000001", "id_000002", "id_000003", "id_000011"}
	for s, want := range map[string]string{
		"paris": "Paris", "PARIS": "Paris", "Pairs": "Paris", "Pari": "Paris", "Parris": "Paris", "Lodnon": "London", "Londn": "London",
		"new-york": "New York", "SÃO PAULO": "São Paulo", "Sao Paulo": "São Paulo", "Tokio": "Tokyo", "Brelin": "Berlin", "id_000004": "id_000001, id_000002, id_000003",
		"": "", "c": "", "A": "a", "xx": "", "Madrid": "", "Rome": "", "password": "", strings.Repeat("Paris", 100): "", "hunter2": "", "Paris\x00": "Paris",
	} {
		work := nearWork
		if got := strings.Join(near(values, s, &work), ", "); got != want {
			t.Errorf("%q: %q, not %q", s, got, want)
		}
	}
}

// What a near miss names is a value of the list and never what was sent, in any case.
func TestANearMissNeverEchoes(t *testing.T) {
	t.Parallel()
	values := make([]string, 500)
	r := rand.New(rand.NewPCG(3, 4))
	for i := range values {
		values[i] = fmt.Sprintf("value-%04x", r.IntN(1<<16))
	}
	found := 0
	for range 1000 {
		sent := []rune(values[r.IntN(len(values))])
		for range 1 + r.IntN(4) {
			sent[r.IntN(len(sent))] = rune(unicode.MaxLatin1 - r.IntN(200))
		}
		if slices.Contains(values, string(sent)) {
			continue
		}
		work := nearWork
		got := near(values, string(sent), &work)
		if len(got) > 3 {
			t.Fatalf("%d values", len(got))
		}
		for _, v := range got {
			found++
			if !slices.Contains(values, v) {
				t.Fatalf("named %q, which nobody allows", v)
			}
		}
	}
	if found < 500 {
		t.Errorf("%d were near", found)
	}
}

// However many values are wrong, long, and near to however many that are allowed, the
// work of a call is the same.
func TestTheWorkOfNearMissesIsBounded(t *testing.T) {
	t.Parallel()
	values := make([]string, 100_000)
	for i := range values {
		values[i] = strings.Repeat("a", 50) + fmt.Sprintf("%08d", i)
	}
	sent := strings.Repeat("a", 50) + "0000000x"
	work, spent := nearWork, 0
	for range told {
		before := work
		near(values, sent, &work)
		spent += before - work
	}
	const overrun = (nearRunes + 1) * 9 // the value that the work ran out at
	if spent < nearWork/2 || spent > nearWork+overrun {
		t.Errorf("%d of work was spent, and %d is the bound", spent, nearWork)
	}
	if got := near(values, sent, &work); got != nil {
		t.Errorf("without work left: %q", got)
	}
	one := nearWork
	near(values[:1], sent, &one)
	if cells := nearWork - one - nearBefore - len(sent); cells < 58*4 || cells > 58*7 { // a band of three to each side
		t.Errorf("%d cells are counted for one value", cells)
	}
	short := nearWork
	if got := near(values[:10_000], values[42][:57]+"x", &short); len(got) != 3 {
		t.Errorf("of ten thousand: %q, and %d of work is left", got, short)
	}
}

// In a list of a hundred thousand values, too, what was meant is found wherever it stands, and
// the work stays the same.
func TestWhatWasMeantIsFoundInALongList(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	long := func(value func(i int) string) *snapshot {
		values := make([]string, mostValues)
		for i := range values {
			values[i] = value(i)
		}
		s, err := newSnapshot(values)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	words := long(func(int) string {
		w := make([]byte, 8+r.IntN(8))
		for i := range w {
			w[i] = byte('a' + r.IntN(26))
		}
		return string(w)
	})
	numbers := long(func(i int) string { return fmt.Sprintf("CUST-%07d", i*97) })
	misspelt := func(v string, from int) string {
		at := from + r.IntN(len(v)-from-1)
		return v[:at] + string(v[at+1]) + string(v[at]) + v[at+2:]
	}
	for range 25 {
		for _, c := range []struct {
			of   *snapshot
			from int
		}{{words, 0}, {numbers, 8}} { // of numbers that all are alike the nearest begin alike
			meant := c.of.values[r.IntN(len(c.of.values))]
			sent := misspelt(meant, c.from)
			for _, sent := range []string{sent, strings.ToLower(sent)} {
				work := nearWork
				got := c.of.near(sent, &work)
				further := func(v string) bool {
					away := func(v string) int { return wholeDistance([]rune(strings.ToLower(sent)), []rune(strings.ToLower(v))) }
					return away(v) > away(meant)
				}
				if _, is := c.of.set[sent]; !is && !slices.Contains(got, meant) && (len(got) < nearest || slices.ContainsFunc(got, further)) {
					t.Errorf("%s was sent, %s meant, and %q named; %d of work left", sent, meant, got, work)
				}
				if work < -(nearRunes+1)*9 {
					t.Fatalf("%d of work left", work)
				}
			}
		}
	}
}

// Passing over what has other letters takes nothing away that is near, and a sorted list names
// what any does.
func TestASortedListNamesWhatAnyDoes(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 8))
	letter := []rune("aAbB12é界-_ 😀zZ")
	word := func(n int) string {
		w := make([]rune, n)
		for i := range w {
			w[i] = letter[r.IntN(len(letter))]
		}
		return string(w)
	}
	named := 0
	for range 300 {
		values := make([]string, 60)
		for i := range values {
			values[i] = strings.TrimSpace(word(2 + r.IntN(8)))
		}
		s, err := newSnapshot(values)
		if err != nil {
			continue // an emoji and a letter that joins it, say
		}
		for range 20 {
			sent := word(2 + r.IntN(8))
			one, other := nearWork, nearWork
			want, got := near(s.values, sent, &one), s.near(sent, &other)
			if !slices.Equal(got, want) {
				t.Fatalf("%q: %q, not %q", sent, got, want)
			}
			named += len(got)
		}
	}
	if named < 300 {
		t.Errorf("%d were named", named)
	}
}
