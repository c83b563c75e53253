package store_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/store"
	"github.com/ghscoped/ghscoped-service/internal/store/bolt"
)

func TestOnceFirst(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	path := filepath.Join(t.TempDir(), "store.db")
	open := func() *bolt.Store {
		backend, err := bolt.Open(path, func() time.Time { return now })
		require.NoError(t, err)
		return backend
	}
	backend := open()
	first := func(id string) bool {
		is, err := store.NewOnce(backend).First(t.Context(), id, now.Add(time.Minute))
		require.NoError(t, err)
		return is
	}
	require.True(t, first("a"))
	require.True(t, first("b"))
	require.False(t, first("a"))
	require.NoError(t, backend.Close())
	backend = open()
	require.False(t, first("a"), "after a restart, too")
	now = now.Add(2 * time.Minute)
	require.True(t, first("a"), "what has expired is forgotten")
	require.NoError(t, backend.Close())
	_, err := store.NewOnce(backend).First(t.Context(), "c", now.Add(time.Minute))
	require.Error(t, err)
}
