package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/safemcp/safemcp/secrets"
)

type sickly struct {
	*fixed
	answer func() error
}

func (s sickly) Healthy(context.Context) error { return s.answer() }

// What a provider says of its health shows no value, and takes nobody along.
func TestWhatIsSaidOfHealthShowsNothing(t *testing.T) {
	t.Parallel()
	var answer func() error
	b := secrets.NewBroker(sickly{&fixed{values: map[string]string{binding.Path(): canary}}, func() error { return answer() }}, nil)
	use(t, b, secrets.Request{Binding: binding})
	for name, f := range map[string]func() error{
		"an error":        func() error { return fmt.Errorf("GET ?token=%s: %w", canary, secrets.ErrUnavailable) },
		"a panic":         func() error { panic(canary) },
		"a hostile error": func() error { return hostile{canary} },
	} {
		answer = f
		err := b.Healthy(t.Context())
		if err == nil || (name == "an error" && !errors.Is(err, secrets.ErrUnavailable)) {
			t.Errorf("%s: %v", name, err)
		}
		shown(t, name, fmt.Sprintf("%v %+v %#v", err, err, err))
	}
	answer = func() error { return nil }
	if err := b.Healthy(t.Context()); err != nil {
		t.Error(err)
	}
	if err := (*secrets.Broker)(nil).Healthy(t.Context()); err != nil {
		t.Error(err)
	}
	_ = b.Close(t.Context())
	if err := b.Healthy(t.Context()); !errors.Is(err, secrets.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}
