package audit

import (
	"context"
	"slices"
	"sync"

	"github.com/ghscoped/ghscoped-service/internal/flow"
)

// memorySize is how many events a Memory keeps.
const memorySize = 100

// Memory is a [History] of the last 100 events of this process. Safe for
// concurrent use; the zero value is empty.
type Memory struct {
	mu     sync.Mutex
	events []flow.Event // oldest first
}

var _ History = (*Memory)(nil)

// Add remembers an event, and forgets the oldest one when there are too many.
func (m *Memory) Add(_ context.Context, event flow.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.events) == memorySize {
		m.events = slices.Delete(m.events, 0, 1)
	}
	m.events = append(m.events, event)
	return nil
}

// Recent returns up to limit events, the newest first.
func (m *Memory) Recent(_ context.Context, limit int) ([]flow.Event, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	recent := slices.Clone(m.events[max(0, len(m.events)-limit):])
	slices.Reverse(recent)
	return recent, nil
}
