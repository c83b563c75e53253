package store_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/audit"
	"github.com/ghscoped/ghscoped-service/internal/hubauth"
	"github.com/ghscoped/ghscoped-service/internal/store"
)

// memory is a quick backend for many records of one kind.
type memory struct {
	store.Backend
	records map[string]store.Record
}

func newMemory() memory { return memory{records: map[string]store.Record{}} }

func (m memory) Put(_ context.Context, record store.Record) (uint64, error) {
	record.Version++
	m.records[record.Key] = record
	return record.Version, nil
}

func (m memory) Get(_ context.Context, _ store.Kind, key string) (store.Record, error) {
	record, found := m.records[key]
	if !found {
		return store.Record{}, store.ErrNotFound
	}
	return record, nil
}

func (m memory) Delete(_ context.Context, _ store.Kind, key string, _ uint64) error {
	delete(m.records, key)
	return nil
}

func (m memory) List(_ context.Context, _ store.Kind, after string, limit int) (page []store.Record, err error) {
	for _, key := range slices.Sorted(maps.Keys(m.records)) {
		if key > after && len(page) < limit {
			page = append(page, m.records[key])
		}
	}
	return page, nil
}

// Sessions of users whose names begin like another's lie among that one's own.
func TestCreateEndsTheOldestSessionsOnEveryPage(t *testing.T) {
	t.Parallel()
	backend, clock := newMemory(), time.Now()
	sessions := store.NewSessions(backend, newKeyring(t))
	create := func(user string) string {
		clock = clock.Add(time.Second)
		id, err := sessions.Create(t.Context(), hubauth.Session{User: user, ExpiresAt: clock})
		require.NoError(t, err)
		return id
	}
	for _, other := range []string{"ann/0", "ann/1", "ann/2"} {
		for range 20 {
			create(other)
		}
	}
	var ids []string
	for range 50 {
		ids = append(ids, create("ann"))
	}
	for i, id := range ids {
		_, err := sessions.Session(t.Context(), id)
		if i < 30 {
			require.ErrorIs(t, err, hubauth.ErrNoSession, i)
			continue
		}
		require.NoError(t, err, i)
	}
	require.Len(t, backend.records, 60+20)
}

func TestTrimReachesEveryPage(t *testing.T) {
	t.Parallel()
	backend := newMemory()
	events := store.NewEvents(backend, newKeyring(t))
	for i := range 1100 {
		require.NoError(t, events.Add(t.Context(), audit.Event{Time: time.Unix(int64(i), 0), OfUser: audit.OfUser{User: fmt.Sprint(i)}}))
	}
	require.NoError(t, events.Trim(t.Context(), 1050, 1<<30))
	require.Len(t, backend.records, 1050)
	require.NoError(t, events.Trim(t.Context(), 10, 1<<30))
	require.Len(t, backend.records, 10)
}

func TestRecentOfManyUsers(t *testing.T) {
	t.Parallel()
	events := store.NewEvents(newMemory(), newKeyring(t))
	for i := range 5 {
		require.NoError(t, events.Add(t.Context(), audit.Event{Time: time.Unix(int64(i), 0), OfUser: audit.OfUser{User: fmt.Sprint(i)}}))
	}
	recent, err := events.Recent(t.Context(), 2)
	require.NoError(t, err)
	require.Len(t, recent, 2)
	require.Equal(t, []string{"4", "3"}, []string{recent[0].User, recent[1].User})
}

// An earlier release did not say in the key whose an event is: all of them count
// as one user's for the page, and are kept as those of many.
func TestEventsOfAnEarlierRelease(t *testing.T) {
	t.Parallel()
	backend, keys := newMemory(), newKeyring(t)
	events := store.NewEvents(backend, keys)
	require.NoError(t, events.Add(t.Context(), audit.Event{Time: time.Unix(0, 0), OfUser: audit.OfUser{User: "ada"}}))
	for i := range 300 {
		key := fmt.Sprintf("%019d-RANDOM%d", i, i)
		_, err := backend.Put(t.Context(), store.Record{Kind: store.KindEvent, Key: key, Value: keys.Seal(store.KindEvent, key, []byte(`{"user":"eve"}`))})
		require.NoError(t, err)
	}
	require.NoError(t, events.Trim(t.Context(), 1000, 1<<30))
	require.Len(t, backend.records, 301)
	recent, err := events.Recent(t.Context(), 5)
	require.NoError(t, err)
	require.Len(t, recent, 5)
	require.Equal(t, "ada", recent[4].User)
}
