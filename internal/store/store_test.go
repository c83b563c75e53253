package store_test

import (
	"io"
	"log/slog"
	"path/filepath"
	"testing"

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
