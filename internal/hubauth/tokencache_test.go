package hubauth_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/hubauth"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// asks calls as the holder of a token, and returns how often the Hub was asked
// about it.
func (f *fixture) asks(token string, fresh bool) (hub.User, int, error) {
	before := f.asked
	user, err := f.auth.Holder(request(), secret.New(token), fresh)
	return user, f.asked - before, err
}

func TestTokenCacheAsksTheHubOnceAMinuteForReadsAndAlwaysForWrites(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	for _, step := range []struct {
		name  string
		pass  time.Duration
		token string
		fresh bool
		asked int
	}{
		{"the first read", 0, "t", false, 1},
		{"another one", 0, "t", false, 0},
		{"another token of the same user", 0, "t2", false, 1},
		{"a write", 0, "t", true, 1},
		{"a read a moment before the minute is over", time.Minute - 1, "t", false, 0},
		{"and at its end, since reading does not prolong it", 1, "t", false, 1},
		{"a write after half a minute", time.Minute / 2, "t", true, 1},
		{"whose answer counts for reads", time.Minute - 1, "t", false, 0},
	} {
		f.now = f.now.Add(step.pass)
		user, asked, err := f.asks(step.token, step.fresh)
		require.NoError(t, err, step.name)
		require.Equal(t, "ada", user.Name, step.name)
		require.Equal(t, step.asked, asked, step.name)
	}
}

// A no must count at once and must not count for long: an admin who adds the
// scope, or a Hub that comes back, would otherwise seem not to. That the Hub does not
// know a token counts for two seconds, so that a loop does not ask as often.
func TestTokenCacheKeepsANoForTwoSecondsAtMost(t *testing.T) {
	t.Parallel()
	for name, no := range map[string]struct {
		user hub.User
		err  error
		want error
	}{
		"the Hub does not know it":        {err: fmt.Errorf("GET /user: %w", hub.ErrUnauthorized), want: hubauth.ErrSignedOut},
		"the Hub does not allow it":       {err: fmt.Errorf("GET /user: %w", hub.ErrForbidden), want: hubauth.ErrSignedOut},
		"it does not reach this service":  {user: hub.User{Kind: "user", Name: "ada"}, want: hubauth.ErrNoAccess},
		"it reaches another service only": {user: hub.User{Name: "ada", Scopes: []string{"access:services!service=other"}}, want: hubauth.ErrNoAccess},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setUp(t)
			yes := f.whoami
			f.whoami = func() (hub.User, error) { return no.user, no.err }
			again := map[bool]int{true: 0, false: 1}[no.err != nil]
			for _, step := range []struct {
				pass  time.Duration
				asked int
			}{{0, 1}, {0, again}, {2*time.Second - 1, again}, {1, 1}} {
				f.now = f.now.Add(step.pass)
				_, asked, err := f.asks("t", step.pass != 0)
				require.ErrorIs(t, err, no.want)
				require.Equal(t, step.asked, asked)
			}
			_, asked, err := f.asks("another", false)
			require.ErrorIs(t, err, no.want)
			require.Equal(t, 1, asked, "it counts for that token only")

			f.now = f.now.Add(2 * time.Second)
			f.whoami = yes
			_, asked, err = f.asks("t", false)
			require.NoError(t, err)
			require.Equal(t, 1, asked)

			f.whoami = func() (hub.User, error) { return no.user, no.err }
			_, _, err = f.asks("t", true)
			require.ErrorIs(t, err, no.want)
			_, asked, err = f.asks("t", false)
			require.ErrorIs(t, err, no.want, "a no takes an earlier yes back")
			require.Equal(t, again, asked)
		})
	}
}

func TestTokenCacheAsksForAScopeThatTheLastAnswerLacks(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	_, _, err := f.asks("t", false)
	require.NoError(t, err)
	require.ErrorIs(t, f.auth.HasScope(request(), secret.New("t"), "read:metrics"), hubauth.ErrNoAccess)
	require.Equal(t, 2, f.asked)
	f.whoami = func() (hub.User, error) { return hub.User{Kind: "service", Scopes: []string{"read:metrics"}}, nil }
	require.NoError(t, f.auth.HasScope(request(), secret.New("t"), "read:metrics"))
	require.NoError(t, f.auth.HasScope(request(), secret.New("t"), "read:metrics"))
	require.Equal(t, 3, f.asked)
}

func TestTokenCacheStopsWritesButNotReadsOfTheSameMinuteOnErrors(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	_, _, err := f.asks("t", false)
	require.NoError(t, err)
	f.whoami = func() (hub.User, error) { return hub.User{}, &hub.UnavailableError{Err: errors.New("503")} }
	var unavailable *hub.UnavailableError
	_, _, err = f.asks("t", true)
	require.ErrorAs(t, err, &unavailable)
	_, _, err = f.asks("t", false)
	require.NoError(t, err)
	f.now = f.now.Add(time.Minute)
	_, _, err = f.asks("t", false)
	require.ErrorAs(t, err, &unavailable)
}

func TestTokenCacheForgetsTheTokenOfASignedOutSession(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	r := request(f.signIn(t), hubSession)
	_, asked, err := f.asks("hub-token", false)
	require.NoError(t, err)
	require.Zero(t, asked, "sessions and programs share what is known of a token")
	f.whoami = func() (hub.User, error) { return hub.User{}, hub.ErrUnauthorized }
	_, err = f.auth.Session(r, true)
	require.ErrorIs(t, err, hubauth.ErrSignedOut)
	_, asked, err = f.asks("hub-token", false)
	require.ErrorIs(t, err, hubauth.ErrSignedOut)
	require.Equal(t, 1, asked)
}

func TestTokenCacheIsBounded(t *testing.T) {
	t.Parallel()
	const most = 4096
	f := setUp(t)
	name := func(i int) string { return fmt.Sprint("token-", i) }
	for i := range most + 1 {
		_, _, err := f.asks(name(i), false)
		require.NoError(t, err)
	}
	for i, want := range map[int]int{0: 0, most - 1: 0, most: 1} {
		_, asked, err := f.asks(name(i), false)
		require.NoError(t, err)
		require.Equal(t, want, asked, "token %d", i)
	}
	f.now = f.now.Add(time.Minute)
	for range 2 { // the others have run out and make room
		_, _, err := f.asks(name(most), false)
		require.NoError(t, err)
	}
	_, asked, err := f.asks(name(most), false)
	require.NoError(t, err)
	require.Zero(t, asked)
}

func TestHolderRemembersAsManyRefusedTokensAndNoMore(t *testing.T) {
	t.Parallel()
	const most = 1024
	f := setUp(t)
	f.whoami = func() (hub.User, error) { return hub.User{}, hub.ErrUnauthorized }
	name := func(i int) string { return fmt.Sprint("token-", i) }
	for i := range most + 1 {
		_, _, err := f.asks(name(i), false)
		require.ErrorIs(t, err, hubauth.ErrSignedOut)
	}
	for i, want := range map[int]int{0: 0, most - 1: 0, most: 1} {
		_, asked, err := f.asks(name(i), false)
		require.ErrorIs(t, err, hubauth.ErrSignedOut)
		require.Equal(t, want, asked, "token %d", i)
	}

	f.now = f.now.Add(2 * time.Second) // the others have run out and make room
	for _, want := range []int{1, 0} {
		_, asked, err := f.asks(name(most), false)
		require.ErrorIs(t, err, hubauth.ErrSignedOut)
		require.Equal(t, want, asked)
	}
	_, _, err := f.asks("another", false)
	require.ErrorIs(t, err, hubauth.ErrSignedOut)
	_, asked, err := f.asks(name(most), false)
	require.ErrorIs(t, err, hubauth.ErrSignedOut)
	require.Zero(t, asked, "making room forgets no token before its time")
}
