package secrets

import (
	"context"
	"fmt"
)

// Healthy says why credentials cannot be issued at the moment, as far as that can be
// said without issuing one; nil where nothing is known to be wrong, and on a nil
// Broker. A provider that has a method Healthy(context.Context) error is asked, and ends
// with ctx. The error shows no value that was issued.
func (b *Broker) Healthy(ctx context.Context) (err error) {
	in := b.inner()
	if in == nil {
		return nil
	}
	if in.leases.isClosed() {
		return ErrClosed
	}
	checker, ok := in.provider.(interface{ Healthy(context.Context) error })
	if !ok {
		return nil
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("secrets: the provider panicked when it was asked how it is")
		}
	}()
	if err := checker.Healthy(ctx); err != nil {
		return in.hide(err)
	}
	return nil
}
