package store

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/audit"
	"github.com/ghscoped/ghscoped-service/internal/flow"
)

// KindEvent is the kind of the records of [Events].
const KindEvent Kind = "event"

// keepEvents is how long an event can be read here. The lines that
// internal/audit writes are the record for longer.
const keepEvents = 30 * 24 * time.Hour

// eventPage is how many events are looked through in one go.
const eventPage = 500

// Events remembers audit events for administrators, of all replicas. It is an
// [audit.History].
type Events struct {
	backend Backend
	keys    *Keyring
}

var _ audit.History = (*Events)(nil)

// NewEvents makes a history on a backend.
func NewEvents(backend Backend, keys *Keyring) *Events { return &Events{backend: backend, keys: keys} }

// Add remembers an event.
func (e *Events) Add(ctx context.Context, event flow.Event) error {
	clear, err := json.Marshal(event)
	if err != nil {
		return fmt.Errorf("encoding an event: %w", err)
	}
	key := eventKey(event.Time)
	_, err = e.backend.Put(ctx, Record{
		Kind: KindEvent, Key: key, Expires: event.Time.Add(keepEvents), Value: e.keys.Seal(KindEvent, key, clear),
	})
	return err
}

// Recent returns up to limit events, the newest first.
func (e *Events) Recent(ctx context.Context, limit int) ([]flow.Event, error) {
	records, err := e.backend.List(ctx, KindEvent, "", limit)
	if err != nil {
		return nil, err
	}
	events := make([]flow.Event, len(records))
	for i, record := range records {
		clear, err := e.keys.Open(record.Kind, record.Key, record.Value)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(clear, &events[i]); err != nil {
			return nil, fmt.Errorf("decoding an event: %w", err)
		}
	}
	return events, nil
}

// Trim forgets all but the newest events, as many as keep, so that whoever makes
// events without end does not fill the store.
func (e *Events) Trim(ctx context.Context, keep int) error {
	for after, seen := "", 0; ; {
		records, err := e.backend.List(ctx, KindEvent, after, eventPage)
		if err != nil {
			return fmt.Errorf("trimming the history: %w", err)
		}
		for _, record := range records {
			after = record.Key
			if seen++; seen <= keep {
				continue
			}
			err := e.backend.Delete(ctx, KindEvent, record.Key, record.Version)
			if err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrConflict) {
				return fmt.Errorf("trimming the history: %w", err)
			}
		}
		if len(records) < eventPage {
			return nil
		}
	}
}

// eventKey sorts the newest first, which is how they are read. What follows
// the time tells events of the same moment apart.
func eventKey(at time.Time) string {
	return fmt.Sprintf("%019d-%s", math.MaxInt64-at.UnixNano(), rand.Text())
}
