package storetest

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"
	"weak"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/store"
)

func testWatch(t *testing.T, suite Suite) {
	b := newBench(t, suite)
	first, second, elsewhere := watch(t, b, kind), watch(t, b, kind), watch(t, b, other)
	hears := func(why string) {
		for _, changes := range []<-chan string{first, second} {
			key, ok := receive(t, changes)
			require.True(t, ok, why)
			require.Equal(t, "a", key, why)
		}
	}
	record := b.put(store.Record{Key: "a", Due: b.clock.Now()})
	hears("a new record")
	b.put(record)
	hears("a changed record")
	_, err := b.Put(t.Context(), store.Record{Kind: kind, Key: "a"})
	require.ErrorIs(t, err, store.ErrConflict)
	claimed, err := b.Claim(t.Context(), kind, time.Minute, 1)
	require.NoError(t, err)
	hears("a claim, and not the refused write before it")
	require.NoError(t, b.Delete(t.Context(), kind, "a", claimed[0].Version))
	hears("a deletion")

	b.put(store.Record{Kind: other, Key: "marker"})
	key, _ := receive(t, elsewhere)
	require.Equal(t, "marker", key, "a watch hears of its own kind only")
}

func testSlowWatcher(t *testing.T, suite Suite) {
	const count = 300
	b := newBench(t, suite)
	changes := watch(t, b, kind)
	for i := range count {
		b.put(store.Record{Key: fmt.Sprint(i)})
	}
	heard := map[string]bool{}
	for len(heard) < count {
		key, ok := receive(t, changes)
		require.True(t, ok)
		heard[key] = true
	}
}

// What a watch keeps of its caller's request would pile up with each page.
func testWatchKeepsNothing(t *testing.T, suite Suite) {
	b := newBench(t, suite)
	type requestKey struct{}
	watched := func() weak.Pointer[[1 << 12]byte] {
		request := new([1 << 12]byte)
		ctx, cancel := context.WithCancel(context.WithValue(t.Context(), requestKey{}, request))
		keys, err := b.Watch(ctx, kind)
		require.NoError(t, err)
		cancel()
		for range keys { // until it has ended
		}
		return weak.Make(request)
	}
	kept := watched()
	require.Eventually(t, func() bool { runtime.GC(); return kept.Value() == nil }, patience, time.Millisecond)
	require.NoError(t, b.Ping(t.Context()), "the store is still in use")
}

func testWatchEnds(t *testing.T, suite Suite) {
	b := newBench(t, suite)
	ctx, cancel := context.WithCancel(t.Context())
	ended, err := b.Watch(ctx, kind)
	require.NoError(t, err)
	going := watch(t, b, kind)
	cancel()
	_, ok := receive(t, ended)
	require.False(t, ok, "the watch of an ended context is closed")
	b.put(store.Record{Key: "a"})
	key, ok := receive(t, going)
	require.True(t, ok)
	require.Equal(t, "a", key, "the other goes on")
	require.NoError(t, b.Close())
	_, ok = receive(t, going)
	require.False(t, ok, "closing the store closes every watch")
}

func testTwoHandles(t *testing.T, suite Suite) {
	clock := NewClock()
	open := suite.New(t, clock.Now)
	here, there := opened(t, open), opened(t, open)
	changes := watch(t, there, kind)

	version, err := here.Put(t.Context(), store.Record{Kind: kind, Key: "a", Value: []byte("x"), Due: clock.Now()})
	require.NoError(t, err)
	key, ok := receive(t, changes)
	require.True(t, ok)
	require.Equal(t, "a", key)
	record, err := there.Get(t.Context(), kind, "a")
	require.NoError(t, err)
	require.Equal(t, version, record.Version)

	claimed, err := there.Claim(t.Context(), kind, time.Minute, 1)
	require.NoError(t, err)
	require.Len(t, claimed, 1)
	none, err := here.Claim(t.Context(), kind, time.Minute, 1)
	require.NoError(t, err)
	require.Empty(t, none)
	_, err = here.Put(t.Context(), record)
	require.ErrorIs(t, err, store.ErrConflict)
}
