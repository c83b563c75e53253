package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// KindOnce is the kind of the records of [Once]. The key is what was seen; the record
// has no value, so nothing is sealed.
const KindOnce Kind = "once"

// Once remembers for a time what has been seen, for all that share the store.
type Once struct{ backend Backend }

// NewOnce makes a memory on a backend.
func NewOnce(backend Backend) *Once { return &Once{backend: backend} }

// First reports whether an id is new, and remembers it until then.
func (o *Once) First(ctx context.Context, id string, until time.Time) (bool, error) {
	_, err := o.backend.Put(ctx, Record{Kind: KindOnce, Key: id, Expires: until})
	if errors.Is(err, ErrConflict) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("remembering what was seen: %w", err)
	}
	return true, nil
}
