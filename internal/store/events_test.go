package store_test

import (
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/audit"
	"github.com/ghscoped/ghscoped-service/internal/store"
	"github.com/ghscoped/ghscoped-service/internal/store/bolt"
)

func TestEventsComeNewestFirstAndOutliveTheProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	keys, err := store.NewKeyring(store.NewKey())
	require.NoError(t, err)
	open := func() (*store.Events, func() error) {
		backend, err := bolt.Open(path, time.Now)
		require.NoError(t, err)
		return store.NewEvents(backend, keys), backend.Close
	}
	events, closeStore := open()
	at := time.Now().UTC().Round(0)
	for i, action := range []string{"first", "second", "same moment", "same moment"} {
		require.NoError(t, events.Add(t.Context(), audit.Event{Time: at.Add(time.Duration(min(i, 2))), Action: action, Outcome: "ok"}))
	}
	require.NoError(t, closeStore())

	events, closeStore = open()
	recent, err := events.Recent(t.Context(), 3)
	require.NoError(t, err)
	require.NoError(t, closeStore())
	var actions []string
	for _, event := range recent {
		actions = append(actions, event.Action)
	}
	require.Equal(t, []string{"same moment", "same moment", "second"}, actions)
	require.Equal(t, at.Add(2), recent[0].Time)
}

func TestEventsKeepOnlyTheNewest(t *testing.T) {
	t.Parallel()
	backend, err := bolt.Open(filepath.Join(t.TempDir(), "store.db"), time.Now)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, backend.Close()) })
	keys, err := store.NewKeyring(store.NewKey())
	require.NoError(t, err)
	events := store.NewEvents(backend, keys)
	at := time.Now()
	for i := range 20 {
		require.NoError(t, events.Add(t.Context(), audit.Event{Time: at.Add(time.Duration(i)), Action: strconv.Itoa(i)}))
	}
	require.NoError(t, events.Trim(t.Context(), 20, 1<<20))
	require.NoError(t, events.Trim(t.Context(), 3, 1<<20))
	recent, err := events.Recent(t.Context(), 100)
	require.NoError(t, err)
	require.Len(t, recent, 3)
	require.Equal(t, []string{"19", "18", "17"}, []string{recent[0].Action, recent[1].Action, recent[2].Action})
}

func TestEventsOfOneUserPushNobodyElsesOut(t *testing.T) {
	t.Parallel()
	backend, err := bolt.Open(filepath.Join(t.TempDir(), "store.db"), time.Now)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, backend.Close()) })
	keys, err := store.NewKeyring(store.NewKey())
	require.NoError(t, err)
	events := store.NewEvents(backend, keys)
	at := time.Now()
	add := func(user string) {
		at = at.Add(time.Millisecond)
		require.NoError(t, events.Add(t.Context(), audit.Event{Time: at, OfUser: audit.OfUser{User: user}, Action: "x"}))
	}
	of := func(limit int) map[string]int {
		recent, err := events.Recent(t.Context(), limit)
		require.NoError(t, err)
		require.True(t, slices.IsSortedFunc(recent, func(a, b audit.Event) int { return b.Time.Compare(a.Time) }))
		count := map[string]int{}
		for _, event := range recent {
			count[event.User]++
		}
		return count
	}
	for range 10 {
		add("ada")
	}
	for range 1000 {
		add("eve")
	}
	require.Equal(t, map[string]int{"ada": 10, "eve": 200}, of(1000), "no more between two trims")
	require.Equal(t, map[string]int{"ada": 10, "eve": 90}, of(100))
	require.NoError(t, events.Trim(t.Context(), 1000, 1<<20))
	for range 1000 {
		add("eve")
	}
	require.Equal(t, map[string]int{"ada": 10, "eve": 400}, of(1000))
	require.NoError(t, events.Trim(t.Context(), 1000, 1<<20))
	require.Equal(t, map[string]int{"ada": 10, "eve": 200}, of(1000))

	require.NoError(t, events.Trim(t.Context(), 1000, 10_000))
	records, err := backend.List(t.Context(), store.KindEvent, "", 1000)
	require.NoError(t, err)
	bytes := 0
	for _, record := range records {
		bytes += len(record.Key) + len(record.Value)
	}
	require.LessOrEqual(t, bytes, 10_000)
	require.Greater(t, bytes, 9_000)
}

func TestEventsEachIsAllOfThemNewestFirst(t *testing.T) {
	t.Parallel()
	backend, err := bolt.Open(filepath.Join(t.TempDir(), "store.db"), time.Now)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, backend.Close()) })
	keys, err := store.NewKeyring(store.NewKey())
	require.NoError(t, err)
	events := store.NewEvents(backend, keys)
	require.NoError(t, events.Each(t.Context(), func(audit.Event) { require.Fail(t, "there is none") }))
	const all = 1203 // more than two pages
	at := time.Now()
	for i := range all {
		require.NoError(t, events.Add(t.Context(), audit.Event{Time: at.Add(time.Duration(i)), Action: strconv.Itoa(i), OfUser: audit.OfUser{User: strconv.Itoa(i % 20)}}))
	}
	next := all
	require.NoError(t, events.Each(t.Context(), func(event audit.Event) {
		next--
		require.Equal(t, strconv.Itoa(next), event.Action)
	}))
	require.Zero(t, next)

	others, err := store.NewKeyring(store.NewKey())
	require.NoError(t, err)
	require.Error(t, store.NewEvents(backend, others).Each(t.Context(), func(audit.Event) { require.Fail(t, "with another key") }))
}
