package store_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/store"
)

// ownWatches gives watches that the test feeds and closes.
type ownWatches struct {
	store.Backend
	given *[]chan string
}

func (o ownWatches) Watch(context.Context, store.Kind) (<-chan string, error) {
	*o.given = append(*o.given, make(chan string))
	return (*o.given)[len(*o.given)-1], nil
}

func TestWatchHearsWhenAnyRecordMayHaveChanged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var given []chan string
		users := store.NewUsers(ownWatches{given: &given}, nil, nil, nil)
		ann, err := users.Watch(t.Context(), "ann")
		require.NoError(t, err)
		bob, err := users.Watch(t.Context(), "bob")
		require.NoError(t, err)
		given[0] <- ""
		<-ann
		<-bob
		close(given[0])
	})
}

func TestWatchThatEndsLateLeavesTheNextAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var given []chan string
		users := store.NewUsers(ownWatches{given: &given}, nil, nil, nil)
		ctx, leave := context.WithCancel(t.Context())
		_, err := users.Watch(ctx, "ann")
		require.NoError(t, err)
		leave()
		synctest.Wait()
		_, err = users.Watch(t.Context(), "ann")
		require.NoError(t, err)
		require.Len(t, given, 2)

		close(given[0])
		synctest.Wait()
		ann, err := users.Watch(t.Context(), "ann")
		require.NoError(t, err)
		require.Len(t, given, 2, "the second watch is shared still")
		given[1] <- "ann"
		<-ann
		close(given[1])
	})
}

func TestNotifierSendsAWaitingKeyOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var notifier store.Notifier
		keys := notifier.Watch(ctx, "thing")
		notifier.Changed("thing", "a")
		synctest.Wait() // it is on its way to the reader
		for _, key := range []string{"a", "a", "b", "a"} {
			notifier.Changed("thing", key)
		}
		var heard []string
		for range 3 {
			heard = append(heard, <-keys)
		}
		synctest.Wait()
		require.Equal(t, []string{"a", "a", "b"}, heard)
		select {
		case key := <-keys:
			require.Fail(t, "it comes once more", key)
		default:
		}
		cancel()
	})
}
