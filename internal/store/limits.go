package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// KindLimit is the kind of the records of [Limits].
//
// The key is the limit's name. The record says by being there that the limit is
// shut, and by its expiry until when; it has no value, so nothing is sealed.
const KindLimit Kind = "limit"

// Limits remembers until when calls to GitHub are to rest, for all replicas and
// across restarts. It is a github.Limits.
type Limits struct{ backend Backend }

// NewLimits makes a memory of limits on a backend.
func NewLimits(backend Backend) *Limits { return &Limits{backend: backend} }

// Until is when a limit opens again; the zero time: it is open.
func (l *Limits) Until(ctx context.Context, limit string) (time.Time, error) {
	record, err := l.backend.Get(ctx, KindLimit, limit)
	if errors.Is(err, ErrNotFound) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("reading a limit: %w", err)
	}
	return record.Expires, nil
}

// Shut shuts a limit until a time, unless it is shut for longer already,
// whoever else shuts it at the same moment.
func (l *Limits) Shut(ctx context.Context, limit string, until time.Time) error {
	for {
		record, err := l.backend.Get(ctx, KindLimit, limit)
		switch {
		case errors.Is(err, ErrNotFound):
			record = Record{Kind: KindLimit, Key: limit}
		case err != nil:
			return fmt.Errorf("shutting a limit: %w", err)
		case !record.Expires.Before(until):
			return nil
		}
		record.Expires = until
		_, err = l.backend.Put(ctx, record)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, ErrConflict):
			return fmt.Errorf("shutting a limit: %w", err)
		}
	}
}
