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

// receive waits for the next keys of a watch; nil: it was closed.
func receive(t *testing.T, changes <-chan store.KeySet) store.KeySet {
	t.Helper()
	select {
	case keys := <-changes:
		return keys
	case <-time.After(patience):
		require.FailNow(t, "nothing came from the watch")
		return nil
	}
}

// drain takes what comes from a watch until it is closed.
func drain(t *testing.T, changes <-chan store.KeySet) {
	t.Helper()
	for receive(t, changes) != nil {
	}
}

func only(key string) store.KeySet { return store.KeySet{key: {}} }

// listen has a backend begin to hear of changes. One that needs a moment for it
// says so by the key "", which the watches of a test would get in the middle.
func listen(t *testing.T, backend store.Backend, of store.Kind) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	changes := backend.Watch(ctx, of, "")
	for i, heard := 0, false; !heard; i++ {
		key := fmt.Sprint("listening", i)
		version, err := backend.Put(t.Context(), store.Record{Kind: of, Key: key})
		require.NoError(t, err)
		heard = hears(t, changes, key)
		require.NoError(t, backend.Delete(t.Context(), of, key, version))
		if heard {
			require.True(t, hears(t, changes, key))
		}
	}
}

// hears waits for a key; false: it may have been missed.
func hears(t *testing.T, changes <-chan store.KeySet, key string) bool {
	t.Helper()
	for {
		keys := receive(t, changes)
		require.NotNil(t, keys, "the watch was closed")
		if _, heard := keys[key]; heard {
			return true
		}
		if _, missed := keys[""]; missed {
			return false
		}
	}
}

func testWatch(t *testing.T, suite Suite) {
	b := newBench(t, suite)
	listen(t, b, kind)
	listen(t, b, other)
	ofAll, ofOne := b.Watch(t.Context(), kind, ""), b.Watch(t.Context(), kind, "a")
	elsewhere := b.Watch(t.Context(), other, "")
	hear := func(why string) {
		t.Helper()
		require.Equal(t, only("a"), receive(t, ofAll), why)
		require.Equal(t, only("a"), receive(t, ofOne), why)
	}

	record := b.put(store.Record{Key: "a", Due: b.clock.Now()})
	hear("a new record")
	b.put(record)
	hear("a changed record")
	_, err := b.Put(t.Context(), store.Record{Kind: kind, Key: "a"})
	require.ErrorIs(t, err, store.ErrConflict)
	claimed, err := b.Claim(t.Context(), kind, time.Minute, 1)
	require.NoError(t, err)
	hear("a claim, and not the refused write before it")
	require.NoError(t, b.Delete(t.Context(), kind, "a", claimed[0].Version))
	hear("a deletion")

	b.put(store.Record{Kind: other, Key: "marker"})
	require.Equal(t, only("marker"), receive(t, elsewhere), "a watch hears of its own kind only")
}

func testWatchOfOneKey(t *testing.T, suite Suite) {
	b := newBench(t, suite)
	listen(t, b, kind)
	ofA, ofB := b.Watch(t.Context(), kind, "a"), b.Watch(t.Context(), kind, "b")
	b.put(store.Record{Key: "a"})
	b.put(store.Record{Key: "b"})
	require.Equal(t, only("b"), receive(t, ofB))
	require.Equal(t, only("a"), receive(t, ofA))
}

func testSlowWatcher(t *testing.T, suite Suite) {
	const count = 300
	b := newBench(t, suite)
	listen(t, b, kind)
	changes := b.Watch(t.Context(), kind, "")
	missing := store.KeySet{}
	for i := range count {
		missing[b.put(store.Record{Key: fmt.Sprint(i)}).Key] = struct{}{}
	}
	for len(missing) > 0 {
		keys := receive(t, changes)
		require.NotNil(t, keys)
		for key := range keys {
			delete(missing, key)
		}
	}
}

// What a watch keeps of its caller's request would pile up with each page.
func testWatchKeepsNothing(t *testing.T, suite Suite) {
	b := newBench(t, suite)
	type requestKey struct{}
	watched := func() weak.Pointer[[1 << 12]byte] {
		request := new([1 << 12]byte)
		ctx, cancel := context.WithCancel(context.WithValue(t.Context(), requestKey{}, request))
		changes := b.Watch(ctx, kind, "a")
		cancel()
		drain(t, changes)
		return weak.Make(request)
	}
	kept := watched()
	require.Eventually(t, func() bool { runtime.GC(); return kept.Value() == nil }, patience, time.Millisecond)
	require.NoError(t, b.Ping(t.Context()), "the store is still in use")
}

func testWatchEnds(t *testing.T, suite Suite) {
	b := newBench(t, suite)
	listen(t, b, kind)
	ctx, cancel := context.WithCancel(t.Context())
	ended, open := b.Watch(ctx, kind, ""), b.Watch(t.Context(), kind, "a")
	cancel()
	drain(t, ended)
	drain(t, b.Watch(ctx, kind, "a")) // of a context that has ended already
	b.put(store.Record{Key: "a"})
	require.Equal(t, only("a"), receive(t, open), "the other goes on")

	require.NoError(t, b.Close())
	drain(t, open)
	drain(t, b.Watch(t.Context(), kind, "a"))
}

func testTwoHandles(t *testing.T, suite Suite) {
	clock := NewClock()
	open := suite.New(t, clock.Now)
	here, there := opened(t, open), opened(t, open)
	listen(t, there, kind)
	changes := there.Watch(t.Context(), kind, "a")

	version, err := here.Put(t.Context(), store.Record{Kind: kind, Key: "a", Value: []byte("x"), Due: clock.Now()})
	require.NoError(t, err)
	require.Equal(t, only("a"), receive(t, changes))
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
