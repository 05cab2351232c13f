package oauth

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/safemcp/safemcp/access"
)

func TestARememberedTokenCostsNothingAndStopsWhenItEnds(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	token := b.token(map[string]any{"exp": b.now().Add(time.Minute).Unix()})
	first := b.takes(t, token)
	b.forward(time.Minute + 29*time.Second)
	if again := b.takes(t, token); again.ID != first.ID || !again.Expires.Equal(first.Expires) {
		t.Errorf("%+v", again)
	}
	if n := b.spent.Load(); n != 1 {
		t.Errorf("spent %d times", n)
	}
	b.forward(time.Second)
	b.refuses(t, token, errExpired)
	if n := len(b.server.verifier.cache.entries); n != 0 {
		t.Errorf("%d tokens are remembered", n)
	}
}

func TestNothingIsDoneForWhoMayNotSpend(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	poor := errors.New("too many")
	token := b.token(nil)
	if _, err := b.server.Authenticate(request(t, token), func() error { return poor }); !errors.Is(err, poor) {
		t.Errorf("%v", err)
	}
	b.wantFetches(t, 0)
	b.takes(t, token)
	if _, err := b.server.Authenticate(request(t, token), func() error { return poor }); err != nil {
		t.Errorf("a remembered token: %v", err)
	}
	spent := b.spent.Load()
	b.refuses(t, swapHeader(token, `{"alg":"none"}`), errAlgorithm)
	if b.spent.Load() != spent {
		t.Error("spent for a token that is refused by its header")
	}
	b.refuses(t, signer{"ec", "ES256", ecOther}.sign(defaultKey.header(), b.claims(nil)), errSignature)
	if b.spent.Load() != spent+1 {
		t.Error("a signature was checked without asking")
	}
}

func TestARefusedTokenIsNotRemembered(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	early := b.token(map[string]any{"nbf": b.now().Add(time.Minute).Unix()})
	b.refuses(t, early, errNotYet)
	b.forward(time.Minute)
	b.takes(t, early)
	if n := len(b.server.verifier.cache.entries); n != 1 {
		t.Errorf("%d tokens are remembered", n)
	}
}

func numbered(i int) (d digest) {
	binary.BigEndian.PutUint64(d[:], uint64(i))
	return sha256.Sum256(d[:])
}

func TestTheCacheDoesNotGrowBeyondItsBounds(t *testing.T) {
	t.Parallel()
	now := newClock().now()
	c := newCache()
	for i := range 2*maxCached + 7 {
		c.put(numbered(i), &cached{until: now.Add(time.Hour), size: 100}, now)
		if c.get(numbered(i)) == nil {
			t.Fatalf("token %d is not there at once", i)
		}
	}
	if len(c.entries) != maxCached || c.bytes != 100*maxCached {
		t.Errorf("%d tokens of %d bytes", len(c.entries), c.bytes)
	}
	for i := range 5000 {
		c.put(numbered(-i), &cached{until: now.Add(time.Hour), size: mostBytes}, now)
	}
	if c.bytes > maxCachedBytes {
		t.Errorf("%d bytes", c.bytes)
	}
	for range 3 { // the same token again is not another one
		c.put(numbered(1), &cached{until: now.Add(time.Hour), size: 7}, now)
	}
	for d := range c.entries {
		c.drop(d, c.get(d))
	}
	if len(c.entries) != 0 || c.bytes != 0 {
		t.Errorf("%d tokens of %d bytes are left", len(c.entries), c.bytes)
	}
}

// What has expired makes room before what has not: of a full cache that has expired,
// new tokens push each other out hardly ever.
func TestExpiredTokensMakeRoomFirst(t *testing.T) {
	t.Parallel()
	now := newClock().now()
	c := newCache()
	for i := range maxCached {
		c.put(numbered(i), &cached{until: now, size: 1}, now)
	}
	for i := range 100 {
		c.put(numbered(-1-i), &cached{until: now.Add(time.Hour), size: 1}, now)
	}
	for i := range 100 {
		if c.get(numbered(-1-i)) == nil {
			t.Errorf("token %d was pushed out", i)
		}
	}
}

func TestARememberedTokenIsTakenWithFewAllocations(t *testing.T) {
	b := newBench(t, func(o *Options) { o.RolesClaim = "roles" })
	token := b.token(map[string]any{"roles": []string{"a", "b"}, "act": map[string]any{"sub": "x"}})
	r := request(t, token)
	spend := func() error { return errors.New("spent") }
	b.takes(t, token)
	n := testing.AllocsPerRun(100, func() {
		if p, err := b.server.Authenticate(r, spend); err != nil || !p.Known() {
			t.Fatal(err)
		}
	})
	if n > 12 {
		t.Errorf("%v allocations", n)
	}
	t.Logf("%v allocations", n)
}

// Callers of many names at once, while keys come and go: nobody is taken for another.
func TestNobodyIsTakenForAnotherUnderLoad(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, defaultKey, second)
	tokens := make([]string, 40)
	for i := range tokens {
		s := []signer{defaultKey, second}[i%2]
		tokens[i] = s.sign(s.header(), b.claims(map[string]any{"sub": fmt.Sprint("user", i), "exp": b.now().Add(time.Hour).Unix()}))
	}
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for n := range 200 {
				i := (w*31 + n) % len(tokens)
				p, err := b.server.Authenticate(request(t, tokens[i]), nil)
				switch {
				case err == nil && p.Subject != fmt.Sprint("user", i):
					t.Errorf("%s is taken for user%d", p.Subject, i)
				case err != nil && (i%2 == 0 || !errors.Is(err, errUnknownKey)):
					t.Errorf("user%d: %v", i, err)
				}
			}
		})
	}
	wg.Go(func() {
		for n := range 20 {
			if n%2 == 0 {
				b.publish(defaultKey)
			} else {
				b.publish(defaultKey, second)
			}
			b.forward(time.Minute)
		}
	})
	wg.Wait()
}

func BenchmarkRemembered(b *testing.B) {
	clock := newClock()
	v := &verifier{maxBytes: defaultBytes, cache: newCache(), now: clock.now, keys: &keySet{now: clock.now, maxStale: defaultMaxStale}}
	v.keys.held.Store(newKeys([]*key{{}}, clock.now()))
	token := string(make([]byte, 1000))
	v.cache.put(sha256.Sum256([]byte(token)), &cached{principal: access.NewPrincipal("i", "s"), until: clock.now().Add(time.Hour)}, clock.now())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.verify(b.Context(), token, nil); err != nil {
			b.Fatal(err)
		}
	}
}
