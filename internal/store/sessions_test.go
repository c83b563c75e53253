package store_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hubauth"
	"github.com/ghscoped/ghscoped-service/internal/secret"
	"github.com/ghscoped/ghscoped-service/internal/store"
)

func newSession(f fixture, user string) hubauth.Session {
	return hubauth.Session{
		User: user, HubToken: secret.Store(secret.New("hub-token-of-" + user)), HubSessionID: "s1",
		CSRF: secret.Store(secret.New("csrf")), CreatedAt: f.clock.Now(), ExpiresAt: f.clock.Now().Add(8 * time.Hour),
	}
}

func TestSessionsLiveUntilTheyEnd(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	sessions := store.NewSessions(f.Backend, f.keys)
	session := newSession(f, "o'malley ü")
	id, err := sessions.Create(t.Context(), session)
	require.NoError(t, err)
	read, err := sessions.Session(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, session, read)

	require.NoError(t, sessions.End(t.Context(), id))
	_, err = sessions.Session(t.Context(), id)
	require.ErrorIs(t, err, hubauth.ErrNoSession)
	require.NoError(t, sessions.End(t.Context(), id), "ending it twice is no error")

	id, err = sessions.Create(t.Context(), session)
	require.NoError(t, err)
	f.clock.Advance(8 * time.Hour)
	_, err = sessions.Session(t.Context(), id)
	require.ErrorIs(t, err, hubauth.ErrNoSession, "it has expired")
}

func TestSessionsCannotBeForged(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	sessions := store.NewSessions(f.Backend, f.keys)
	id, err := sessions.Create(t.Context(), newSession(f, "ann"))
	require.NoError(t, err)
	stored, err := f.List(t.Context(), store.KindSession, "", 10)
	require.NoError(t, err)
	require.Len(t, stored, 1)
	random, _, _ := strings.Cut(id, ".")
	require.NotContains(t, stored[0].Key, random, "the store does not know the id")

	bob := base64.RawURLEncoding.EncodeToString([]byte("bob"))
	for name, forged := range map[string]string{
		"empty": "", "no user": random, "an empty user": random + ".", "another user": random + "." + bob,
		"not base64": random + ".??", "a changed id": "A" + id[1:] + "A", "the key of the store": stored[0].Key,
		"the hash":           strings.TrimPrefix(stored[0].Key, "ann/") + "." + base64.RawURLEncoding.EncodeToString([]byte("ann")),
		"a user without end": random + "." + strings.Repeat("QUFB", store.MaxKey),
	} {
		_, err := sessions.Session(t.Context(), forged)
		require.ErrorIs(t, err, hubauth.ErrNoSession, name)
		require.NoError(t, sessions.End(t.Context(), forged), name)
	}
	// A writer to the store who gives Ann's session another owner's name.
	moved := stored[0]
	moved.Version, moved.Key = 0, "bob"+strings.TrimPrefix(moved.Key, "ann")
	_, err = f.Put(t.Context(), moved)
	require.NoError(t, err)
	_, err = f.keys.Open(moved.Kind, moved.Key, moved.Value)
	require.ErrorIs(t, err, store.ErrAltered)
}

func TestStoreTroubleIsNotTheEndOfASession(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	sessions := store.NewSessions(f.Backend, f.keys)
	id, err := sessions.Create(t.Context(), newSession(f, "ann"))
	require.NoError(t, err)
	require.NoError(t, f.Close())
	_, err = sessions.Session(t.Context(), id)
	require.ErrorIs(t, err, store.ErrUnavailable)
	require.NotErrorIs(t, err, hubauth.ErrNoSession)
}

func TestCreateEndsTheOldestOfTooManySessions(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	sessions := store.NewSessions(f.Backend, f.keys)
	create := func(user string) string {
		f.clock.Advance(time.Second)
		id, err := sessions.Create(t.Context(), newSession(f, user))
		require.NoError(t, err)
		return id
	}
	others := []string{create("ann/a"), create("ann" + strings.Repeat("a", 64)), create("an")}
	var ids []string
	for range 50 {
		ids = append(ids, create("ann"))
	}
	for i, id := range ids {
		_, err := sessions.Session(t.Context(), id)
		if i < 30 {
			require.ErrorIs(t, err, hubauth.ErrNoSession, i)
			continue
		}
		require.NoError(t, err, i)
	}
	for _, id := range others {
		_, err := sessions.Session(t.Context(), id)
		require.NoError(t, err)
	}
}
