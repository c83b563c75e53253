package store_test

import (
	"context"
	"io"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/secret"
	"github.com/ghscoped/ghscoped-service/internal/store"
	"github.com/ghscoped/ghscoped-service/internal/store/bolt"
	"github.com/ghscoped/ghscoped-service/internal/store/storetest"
)

// fixture is a store on a real backend with a clock to move.
type fixture struct {
	store.Backend
	path  string
	clock *storetest.Clock
	key   secret.String // of keys
	keys  *store.Keyring
}

func newFixture(t *testing.T) fixture {
	t.Helper()
	f := fixture{path: filepath.Join(t.TempDir(), "store.db"), clock: storetest.NewClock(), key: store.NewKey()}
	var err error
	f.keys, err = store.NewKeyring(f.key)
	require.NoError(t, err)
	backend, err := bolt.Open(f.path, f.clock.Now)
	require.NoError(t, err)
	t.Cleanup(func() { _ = backend.Close() })
	f.Backend = backend
	return f
}

func (f fixture) users() *store.Users {
	return store.NewUsers(f.Backend, f.keys, f.clock.Now, slog.New(slog.NewTextHandler(io.Discard, nil)))
}

func newKeyring(t *testing.T) *store.Keyring {
	t.Helper()
	ring, err := store.NewKeyring(store.NewKey())
	require.NoError(t, err)
	return ring
}

// hears waits for a report of a watch; false: the watch was closed.
func hears(t *testing.T, changes <-chan struct{}) bool {
	t.Helper()
	select {
	case _, ok := <-changes:
		return ok
	case <-time.After(10 * time.Second):
		require.FailNow(t, "nothing came from the watch")
		return false
	}
}

// countingWatches counts the watches that are open on a backend.
type countingWatches struct {
	store.Backend
	open chan int // holds the number
}

func (c countingWatches) Watch(ctx context.Context, kind store.Kind) (<-chan string, error) {
	c.open <- <-c.open + 1
	context.AfterFunc(ctx, func() { c.open <- <-c.open - 1 })
	return c.Backend.Watch(ctx, kind)
}
