package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// KindOnce is the kind of the records of [Once]: there is nothing in them, and the key
// is what was seen.
const KindOnce Kind = "once"

// Once remembers for a time what has been seen, for all that share the store.
type Once struct {
	backend Backend
	keys    *Keyring
}

// NewOnce makes a memory on a backend.
func NewOnce(backend Backend, keys *Keyring) *Once { return &Once{backend: backend, keys: keys} }

// First reports whether an id is new, and remembers it until then.
func (o *Once) First(ctx context.Context, id string, until time.Time) (bool, error) {
	_, err := o.backend.Put(ctx, Record{Kind: KindOnce, Key: id, Expires: until, Value: o.keys.Seal(KindOnce, id, nil)})
	if errors.Is(err, ErrConflict) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("remembering what was seen: %w", err)
	}
	return true, nil
}
