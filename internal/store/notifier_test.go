package store_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/store"
)

func TestNotifierChanged(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		changed         []string
		ofA, ofB, ofAll store.KeySet
	}{
		"one key":                     {changed: []string{"a"}, ofA: store.KeySet{"a": {}}, ofAll: store.KeySet{"a": {}}},
		"a key of nobody's":           {changed: []string{"c"}, ofAll: store.KeySet{"c": {}}},
		"a key twice":                 {changed: []string{"a", "a"}, ofA: store.KeySet{"a": {}}, ofAll: store.KeySet{"a": {}}},
		"two keys":                    {changed: []string{"a", "b"}, ofA: store.KeySet{"a": {}}, ofB: store.KeySet{"b": {}}, ofAll: store.KeySet{"a": {}, "b": {}}},
		"any may have changed":        {changed: []string{""}, ofA: store.KeySet{"": {}}, ofB: store.KeySet{"": {}}, ofAll: store.KeySet{"": {}}},
		"a key, and any may have":     {changed: []string{"a", ""}, ofA: store.KeySet{"a": {}, "": {}}, ofB: store.KeySet{"": {}}, ofAll: store.KeySet{"a": {}, "": {}}},
		"nothing of this kind at all": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var notifier store.Notifier
			watch := func(kind store.Kind, key string) <-chan store.KeySet { return notifier.Watch(t.Context(), kind, key) }
			ofA, ofB, ofAll, elsewhere := watch("thing", "a"), watch("thing", "b"), watch("thing", ""), watch("other", "")
			for _, key := range test.changed {
				notifier.Changed("thing", key)
			}
			for changes, want := range map[<-chan store.KeySet]store.KeySet{ofA: test.ofA, ofB: test.ofB, ofAll: test.ofAll, elsewhere: nil} {
				select {
				case keys := <-changes:
					require.Equal(t, want, keys)
				default:
					require.Nil(t, want)
				}
				require.Empty(t, changes, "all comes at once")
			}
		})
	}
}

// A key that has been received counts again when it changes.
func TestNotifierChangedAfterItWasReceived(t *testing.T) {
	t.Parallel()
	var notifier store.Notifier
	changes := notifier.Watch(t.Context(), "thing", "")
	for range 3 {
		notifier.Changed("thing", "a")
		require.Equal(t, store.KeySet{"a": {}}, <-changes)
	}
}

func TestNotifierLosesNoKey(t *testing.T) {
	t.Parallel()
	const writers, each = 4, 500
	var notifier store.Notifier
	changes := notifier.Watch(t.Context(), "thing", "")
	var group sync.WaitGroup
	for writer := range writers {
		group.Go(func() {
			for i := range each {
				notifier.Changed("thing", fmt.Sprint(writer, "-", i))
			}
		})
	}
	heard := store.KeySet{}
	for len(heard) < writers*each {
		for key := range <-changes {
			require.NotContains(t, heard, key, "each once")
			heard[key] = struct{}{}
		}
	}
	group.Wait()
}

func TestNotifierWatchEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var notifier store.Notifier
		ctx, cancel := context.WithCancel(t.Context())
		ended, open := notifier.Watch(ctx, "thing", "a"), notifier.Watch(t.Context(), "thing", "a")
		notifier.Changed("thing", "a")
		cancel()
		synctest.Wait()
		require.Equal(t, store.KeySet{"a": {}}, <-ended, "what waited is not lost")
		require.Nil(t, <-ended, "closed")
		require.Equal(t, store.KeySet{"a": {}}, <-open)
		notifier.Changed("thing", "a")
		require.Equal(t, store.KeySet{"a": {}}, <-open, "it goes on")
	})
}

func TestNotifierClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var notifier store.Notifier
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		before := notifier.Watch(ctx, "thing", "a")
		notifier.Close()
		notifier.Close()
		require.Nil(t, <-before)
		require.Nil(t, <-notifier.Watch(ctx, "thing", ""), "none begins")
		notifier.Changed("thing", "a")
		cancel()
		synctest.Wait()
	})
}
