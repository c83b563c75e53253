package store_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/bot"
	"github.com/ghscoped/ghscoped-service/internal/secret"
	"github.com/ghscoped/ghscoped-service/internal/store"
	"github.com/ghscoped/ghscoped-service/internal/store/bolt"
)

func live(caller, token string, expires time.Time) bot.Live {
	value := secret.New(token)
	return bot.Live{
		ID: value.Hash(), Caller: caller, Rule: "nightly", Repositories: []string{"octo-org/shared"},
		Permissions: map[string]string{"contents": "write"}, Token: secret.Store(value),
		IssuedAt: expires.Add(-time.Hour), ExpiresAt: expires, RequestID: "r", Exclusive: true,
	}
}

func names(all []bot.Live) []string {
	found := []string{}
	for _, one := range all {
		found = append(found, one.Caller+" "+one.Token.Reveal())
	}
	return found
}

func TestBotsKeepTokensOfEachBotUntilTheirEnd(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	path := filepath.Join(t.TempDir(), "store.db")
	backend, err := bolt.Open(path, func() time.Time { return now })
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, backend.Close()) })
	keys, err := store.NewKeyring(store.NewKey())
	require.NoError(t, err)
	bots := store.NewBots(backend, keys)

	first := live("service:nbbot", "ghs_MARKER_first", now.Add(time.Hour))
	for _, one := range []bot.Live{
		first, live("service:nbbot", "ghs_MARKER_soon", now.Add(time.Minute)),
		live("service:nbbot/other", "ghs_slash", now.Add(time.Hour)), live("service:nbbot2", "ghs_longer", now.Add(time.Hour)),
		live("user:nbbot", "ghs_user", now.Add(time.Hour)),
	} {
		require.NoError(t, bots.Add(t.Context(), one))
	}
	mine, err := bots.List(t.Context(), "service:nbbot")
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"service:nbbot ghs_MARKER_first", "service:nbbot ghs_MARKER_soon"}, names(mine))
	require.Contains(t, mine, first)
	all, err := bots.List(t.Context(), "")
	require.NoError(t, err)
	require.Len(t, all, 5)

	now = now.Add(time.Minute)
	require.NoError(t, bots.Remove(t.Context(), "user:nbbot", first.ID), "not that caller's")
	mine, err = bots.List(t.Context(), "service:nbbot")
	require.NoError(t, err)
	require.Equal(t, []string{"service:nbbot ghs_MARKER_first"}, names(mine), "the other one has expired")

	require.NoError(t, bots.Remove(t.Context(), "service:nbbot", first.ID))
	require.NoError(t, bots.Remove(t.Context(), "service:nbbot", first.ID), "once more")
	mine, err = bots.List(t.Context(), "service:nbbot")
	require.NoError(t, err)
	require.Empty(t, mine)

	content, err := os.ReadFile(path)
	require.NoError(t, err)
	require.False(t, bytes.Contains(content, []byte("MARKER")), "a reader of the file finds no token")
}

func TestBotsListAllTokensWhereThereAreMany(t *testing.T) {
	t.Parallel()
	backend, err := bolt.Open(filepath.Join(t.TempDir(), "store.db"), time.Now)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, backend.Close()) })
	keys, err := store.NewKeyring(store.NewKey())
	require.NoError(t, err)
	bots := store.NewBots(backend, keys)
	for i := range 250 {
		require.NoError(t, bots.Add(t.Context(), live([]string{"service:a", "service:b"}[i%2], fmt.Sprint("ghs_", i), time.Now().Add(time.Hour))))
	}
	for caller, want := range map[string]int{"service:a": 125, "service:b": 125, "": 250, "service:c": 0} {
		all, err := bots.List(t.Context(), caller)
		require.NoError(t, err)
		require.Len(t, all, want, caller)
	}
}

func TestBotsTokensSurviveANewKey(t *testing.T) {
	t.Parallel()
	backend, err := bolt.Open(filepath.Join(t.TempDir(), "store.db"), time.Now)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, backend.Close()) })
	old, fresh := store.NewKey(), store.NewKey()
	before, err := store.NewKeyring(old)
	require.NoError(t, err)
	both, err := store.NewKeyring(fresh, old)
	require.NoError(t, err)
	after, err := store.NewKeyring(fresh)
	require.NoError(t, err)

	require.NoError(t, store.NewBots(backend, before).Add(t.Context(), live("service:a", "ghs_a", time.Now().Add(time.Hour))))
	_, err = store.Reseal(t.Context(), backend, both)
	require.NoError(t, err)
	all, err := store.NewBots(backend, after).List(t.Context(), "")
	require.NoError(t, err)
	require.Equal(t, []string{"service:a ghs_a"}, names(all))
}
