package store_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/flow"
	"github.com/ghscoped/ghscoped-service/internal/store"
)

// TestReplicasRotateInTwoSteps: at no time does one replica seal what another
// one, which runs with the file of the step before, cannot open.
func TestReplicasRotateInTwoSteps(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys")
	require.NoError(t, store.CreateKeyFile(path))
	steps := []*store.Keyring{load(t, path)}
	for _, step := range []func(string) error{store.AddKey, store.PromoteKey} {
		require.NoError(t, step(path))
		steps = append(steps, load(t, path))
	}
	for i := range len(steps) - 1 {
		for _, pair := range [][2]*store.Keyring{{steps[i], steps[i+1]}, {steps[i+1], steps[i]}} {
			opened, err := pair[1].Open("k", "a", pair[0].Seal("k", "a", []byte("shared")))
			require.NoError(t, err)
			require.Equal(t, "shared", string(opened))
		}
	}
	first := steps[0].Seal("k", "a", nil)
	require.True(t, steps[1].Current(first), "the new key does not seal yet")
	require.False(t, steps[2].Current(first), "now it does")
}

func load(t *testing.T, path string) *store.Keyring {
	t.Helper()
	ring, err := store.LoadKeyring(path)
	require.NoError(t, err)
	return ring
}

func TestEventsAreSealedAnewToo(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	older := store.NewKey()
	before, err := store.NewKeyring(older)
	require.NoError(t, err)
	require.NoError(t, store.NewEvents(f, before).Add(t.Context(), flow.Event{Time: f.clock.Now(), Action: "delivered"}))

	newer := store.NewKey()
	both, err := store.NewKeyring(newer, older)
	require.NoError(t, err)
	_, err = store.Reseal(t.Context(), f, both)
	require.NoError(t, err)
	only, err := store.NewKeyring(newer)
	require.NoError(t, err)
	events, err := store.NewEvents(f, only).Recent(t.Context(), 10)
	require.NoError(t, err)
	require.Len(t, events, 1)
}

func TestTryingTheKeysLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	require.NoError(t, store.Try(t.Context(), f, newKeyring(t)), "an empty store fits every key")
	records, err := f.List(t.Context(), store.KindCheck, "", 10)
	require.NoError(t, err)
	require.Empty(t, records)
	require.NoError(t, store.Verify(t.Context(), f, f.keys))
	require.NoError(t, store.Try(t.Context(), f, f.keys))
	require.ErrorIs(t, store.Try(t.Context(), f, newKeyring(t)), store.ErrWrongKey)
}
