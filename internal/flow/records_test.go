package flow_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/audit"
	"github.com/ghscoped/ghscoped-service/internal/flow"
)

// formerRecord is one as earlier releases stored it, with something due in each
// minute from the first to the sixth, and a look that is not planned.
const formerRecord = `{
	"name": "ada", "created": "2026-01-05T08:00:00.123456Z",
	"flow": {
		"id": "F", "mode": "device", "state": "pending", "started_at": "2026-11-02T09:00:00Z", "expires_at": "2026-11-02T10:00:00Z",
		"device_code": "device-code-marker", "interval": 5000000000, "due": "2026-11-02T09:01:00Z", "failures": 3, "web_state": "", "code_verifier": ""
	},
	"connection": {
		"account": {"id": 7, "login": "Ada"}, "access": {"state": ""}, "since": "2026-11-02T09:00:00Z",
		"token": {"access": "ghu_former", "expires_at": "2026-11-02T17:00:00Z", "refresh": "ghr_former"},
		"check_due": "2026-11-02T09:02:00Z", "check_failures": 2,
		"refresh_due": "2026-11-02T09:03:00Z", "refresh_failures": 4
	},
	"deliveries": [
		{"server": "lab", "state": "queued", "at": "2026-11-02T09:00:00Z", "due": "2026-11-02T09:04:00Z", "attempts": 5, "hub_failures": 2},
		{"server": "old", "state": "removing", "at": "2026-11-02T09:00:00Z", "due": "2026-11-02T09:05:00Z", "may_hold": true}
	],
	"revocations": [{"token": "ghu_old", "expires_at": "2026-11-02T10:00:00Z", "due": "2026-11-02T09:06:00Z", "attempts": 7, "reason": "replaced"}],
	"hub_token": "hub-token-marker", "hub_token_expires": "2026-11-02T17:00:00Z"
}`

// What is written back can be read by an earlier release, which may run beside
// this one during an update. Of the counts of failures, those of tries at a server
// and of revocations begin again: the next wait is shorter.
func TestUserKeepsTheFormOfEarlierReleases(t *testing.T) {
	t.Parallel()
	var user flow.User
	require.NoError(t, json.Unmarshal([]byte(formerRecord), &user))
	written, err := json.Marshal(&user)
	require.NoError(t, err)
	expected := strings.NewReplacer(`, "attempts": 5`, "", `, "attempts": 7`, "").Replace(formerRecord)
	require.JSONEq(t, expected, string(written))
}

func TestUserOfAnEarlierReleaseLosesNothingThatIsDue(t *testing.T) {
	t.Parallel()
	w := newWorld(t, keepFresh)
	w.hub.runs("lab")
	w.hub.runs("old")
	var user flow.User
	require.NoError(t, json.Unmarshal([]byte(formerRecord), &user))
	require.NoError(t, w.store.Save(w.ctx, &user))

	w.run(59 * time.Second)
	require.Empty(t, w.github.polls, "before it is due")
	w.run(10 * time.Minute)
	require.NotEmpty(t, w.github.polls)
	require.NotZero(t, w.user().Connection.CheckedAt)
	require.Equal(t, []string{"ghr_former"}, w.github.refreshes)
	require.Equal(t, "ghu_fresh1", w.servers.at("lab"))
	require.Nil(t, w.user().Delivery("old"), "taken out")
	require.Equal(t, []string{"ghu_old"}, w.github.revoked)
}

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
