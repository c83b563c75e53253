package store

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/audit"
)

// KindEvent is the kind of the records of [Events].
const KindEvent Kind = "event"

const (
	// keepEvents is how long an event can be read here. The lines that
	// internal/audit writes are the record for longer.
	keepEvents = 30 * 24 * time.Hour
	// eventPage is how many events are looked through in one go.
	eventPage = 500
	// mostOfOne is also how many events of one user or bot may come between two calls
	// of [Events.Trim].
	mostOfOne = audit.MostOfOne
)

// Events remembers audit events for administrators, of all replicas. It is an
// [audit.History].
type Events struct {
	backend Backend
	keys    *Keyring

	mu    sync.Mutex
	added map[string]int // by whose they are, since the last Trim
}

var _ audit.History = (*Events)(nil)

// NewEvents makes a history on a backend.
func NewEvents(backend Backend, keys *Keyring) *Events {
	return &Events{backend: backend, keys: keys, added: map[string]int{}}
}

// Add remembers an event, unless there are too many of one user or bot.
func (e *Events) Add(ctx context.Context, event audit.Event) error {
	whose := whoseEvent(event)
	if !e.count(whose) {
		return nil
	}
	clear, err := json.Marshal(event)
	if err != nil {
		return fmt.Errorf("encoding an event: %w", err)
	}
	key := eventKey(event.Time, whose)
	_, err = e.backend.Put(ctx, Record{
		Kind: KindEvent, Key: key, Expires: event.Time.Add(keepEvents), Value: e.keys.Seal(KindEvent, key, clear),
	})
	return err
}

func (e *Events) count(whose string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.added[whose]++
	return e.added[whose] <= mostOfOne
}

// Recent returns up to limit events, the newest first. Of one user or bot there
// are no more than a fifth, unless there are too few of others.
func (e *Events) Recent(ctx context.Context, limit int) ([]audit.Event, error) {
	records, err := e.backend.List(ctx, KindEvent, "", max(limit, eventPage))
	if err != nil {
		return nil, err
	}
	records = fairly(records, limit)
	events := make([]audit.Event, len(records))
	for i, record := range records {
		if events[i], err = e.open(record); err != nil {
			return nil, err
		}
	}
	return events, nil
}

// Each calls do for every event that is remembered, the newest first.
func (e *Events) Each(ctx context.Context, do func(audit.Event)) error {
	return e.walk(ctx, "reading", func(record Record) error {
		event, err := e.open(record)
		if err == nil {
			do(event)
		}
		return err
	})
}

// walk calls do for every record, the newest first, until it fails. doing is what for.
func (e *Events) walk(ctx context.Context, doing string, do func(Record) error) error {
	for after := ""; ; {
		records, err := e.backend.List(ctx, KindEvent, after, eventPage)
		if err != nil {
			return fmt.Errorf("%s the history: %w", doing, err)
		}
		for _, record := range records {
			after = record.Key
			if err := do(record); err != nil {
				return err
			}
		}
		if len(records) < eventPage {
			return nil
		}
	}
}

func (e *Events) open(record Record) (event audit.Event, err error) {
	clear, err := e.keys.Open(record.Kind, record.Key, record.Value)
	if err != nil {
		return event, err
	}
	if err := json.Unmarshal(clear, &event); err != nil {
		return event, fmt.Errorf("decoding an event: %w", err)
	}
	return event, nil
}

// fairly chooses records of events, and keeps their order.
func fairly(records []Record, limit int) []Record {
	var chosen, others []Record
	of := map[string]int{}
	for _, record := range records {
		whose := ofEventKey(record.Key)
		if of[whose]++; of[whose] <= max(limit/5, 1) {
			chosen = append(chosen, record)
		} else {
			others = append(others, record)
		}
	}
	chosen = chosen[:min(len(chosen), limit)]
	chosen = append(chosen, others[:min(len(others), limit-len(chosen))]...)
	slices.SortFunc(chosen, func(a, b Record) int { return cmp.Compare(a.Key, b.Key) })
	return chosen
}

// Trim forgets what is too much: of one user or bot all but the newest mostOfOne
// events, and of all, all but the newest, as many as keep and as take up the given
// bytes.
func (e *Events) Trim(ctx context.Context, keep, bytes int) error {
	e.mu.Lock()
	clear(e.added)
	e.mu.Unlock()
	seen, of := 0, map[string]int{}
	return e.walk(ctx, "trimming", func(record Record) error {
		whose, size := ofEventKey(record.Key), len(record.Key)+len(record.Value)
		if seen < keep && size <= bytes && (whose == "" || of[whose] < mostOfOne) {
			of[whose]++
			seen++
			bytes -= size
			return nil
		}
		err := e.backend.Delete(ctx, KindEvent, record.Key, record.Version)
		if err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrConflict) {
			return fmt.Errorf("trimming the history: %w", err)
		}
		return nil
	})
}

// whoseEvent tells the events of one user or bot from those of others, without a
// name.
func whoseEvent(event audit.Event) string {
	sum := sha256.Sum256([]byte(event.User + "\x00" + event.Caller))
	return hex.EncodeToString(sum[:8])
}

// eventKey sorts the newest first, which is how they are read. What follows the
// time says whose the event is, and tells events of the same moment apart.
func eventKey(at time.Time, whose string) string {
	return fmt.Sprintf("%019d-%s-%s", math.MaxInt64-at.UnixNano(), whose, rand.Text())
}

// ofEventKey is whose an event is; "": an earlier release did not say so.
func ofEventKey(key string) string {
	parts := strings.Split(key, "-")
	if len(parts) != 3 {
		return ""
	}
	return parts[1]
}
