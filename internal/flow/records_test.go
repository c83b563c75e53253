package flow_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/audit"
	"github.com/ghscoped/ghscoped-service/internal/flow"
)

// faultyStore fails when told to; answers says what a Save that was carried out
// answers all the same.
type faultyStore struct {
	flow.Store
	mu                        sync.Mutex
	load, save, answer, claim func() error
}

func (s *faultyStore) mend() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.load, s.save, s.answer, s.claim = nil, nil, nil, nil
}

func (s *faultyStore) fault(which *func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if *which == nil {
		return nil
	}
	return (*which)()
}

func (s *faultyStore) Claim(ctx context.Context, hold time.Duration, limit int) ([]*flow.User, error) {
	if err := s.fault(&s.claim); err != nil {
		return nil, err
	}
	return s.Store.Claim(ctx, hold, limit)
}

func (s *faultyStore) Load(ctx context.Context, name string) (*flow.User, error) {
	if err := s.fault(&s.load); err != nil {
		return nil, err
	}
	return s.Store.Load(ctx, name)
}

func (s *faultyStore) Save(ctx context.Context, user *flow.User) error {
	if err := s.fault(&s.save); err != nil {
		return err
	}
	if err := s.Store.Save(ctx, user); err != nil {
		return err
	}
	return s.fault(&s.answer)
}

// times answers err n times, then nil.
func times(n int, err error) func() error {
	return func() error {
		if n--; n >= 0 {
			return err
		}
		return nil
	}
}

var errStore = errors.New("the disk is full")

type auditLog struct {
	mu     sync.Mutex
	events []audit.Event
}

func (a *auditLog) Record(_ context.Context, event audit.Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.events = append(a.events, event)
}

func (a *auditLog) Keep(ctx context.Context, event audit.Event) error {
	a.Record(ctx, event)
	return nil
}

// all are the events of one action.
func (a *auditLog) all(action string) []audit.Event {
	a.mu.Lock()
	defer a.mu.Unlock()
	var found []audit.Event
	for _, event := range a.events {
		if event.Action == action {
			found = append(found, event)
		}
	}
	return found
}

func (a *auditLog) text(t *testing.T) string {
	encoded, err := json.Marshal(a.events)
	require.NoError(t, err)
	return string(encoded)
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
