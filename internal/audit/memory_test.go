package audit_test

import (
	"context"
	"slices"
	"sync"

	"github.com/ghscoped/ghscoped-service/internal/audit"
)

// memorySize is how many events a memory keeps.
const memorySize = 100

// memory is a history of the last 100 events of this process.
type memory struct {
	mu     sync.Mutex
	events []audit.Event // oldest first
}

var _ audit.History = (*memory)(nil)

// Add remembers an event, and forgets the oldest one when there are too many.
func (m *memory) Add(ctx context.Context, event audit.Event) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.events) == memorySize {
		m.events = slices.Delete(m.events, 0, 1)
	}
	m.events = append(m.events, event)
	return nil
}

// Recent returns up to limit events, the newest first.
func (m *memory) Recent(_ context.Context, limit int) ([]audit.Event, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	recent := slices.Clone(m.events[max(0, len(m.events)-limit):])
	slices.Reverse(recent)
	return recent, nil
}
