package flow_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/flow"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

func keepFresh(o *flow.Options) { o.KeepFresh, o.HubTokenLife = true, 24*time.Hour }

func revokeOnStop(o *flow.Options) { o.RevokeOnStop = true }

func TestRefreshOnceBeforeExpiryAndDeliverAgain(t *testing.T) {
	t.Parallel()
	w := connected(t, keepFresh)
	w.hub.runs("a")
	_, err := w.Deliver(w.ctx, caller, []string{"a"}, false)
	require.NoError(t, err)
	looks := w.hub.looks
	w.run(7*time.Hour + 40*time.Minute)
	require.Empty(t, w.github.refreshes)
	require.LessOrEqual(t, w.hub.looks, looks+2, "the Hub is left alone until then")
	w.run(10 * time.Minute)
	require.Equal(t, []string{"ghr_first"}, w.github.refreshes)
	require.Equal(t, "ghu_fresh1", reveal(t, w))
	require.Equal(t, "ghu_fresh1", w.servers.at(""))
	require.Equal(t, "ghu_fresh1", w.servers.at("a"))
	require.Equal(t, flow.Connected, w.state())
	require.Empty(t, w.github.revoked, "the old pair is dead by the refresh")
	require.Len(t, w.audit.all("refreshed"), 1)
	w.run(8 * time.Hour)
	require.Equal(t, []string{"ghr_first", "ghr_fresh1"}, w.github.refreshes, "and so on")
	_, err = w.Disconnect(w.ctx, caller)
	require.NoError(t, err)
	w.run(time.Minute)
	require.Equal(t, []string{"ghr_fresh2", "ghu_fresh2"}, w.github.revoked, "the refresh token dies too")
	require.Empty(t, w.servers.content)
}

func TestRefreshIsNotDone(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(*testing.T) *world{
		"unless asked for": func(t *testing.T) *world { return connected(t) },
		"while no server that holds it runs": func(t *testing.T) *world {
			w := connected(t, keepFresh)
			w.hub.stopped("")
			w.hub.runs("other")
			return w
		},
		"without the user's Hub token": func(t *testing.T) *world {
			w := connected(t, keepFresh)
			w.hub.tokens = nil
			return w
		},
		"after the life of the user's Hub token here": func(t *testing.T) *world {
			return connected(t, keepFresh, func(o *flow.Options) { o.HubTokenLife = 4 * time.Hour })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := prepare(t)
			w.run(9 * time.Hour)
			require.Empty(t, w.github.refreshes)
			require.Equal(t, flow.Expired, w.state())
			require.Nil(t, w.user().Connection)
			require.NotContains(t, w.github.revoked, "ghu_first", "it is dead already")
		})
	}
}

func TestRefreshKeepsTheConnectionOfAServerThatComesUpInTheLastMinutes(t *testing.T) {
	t.Parallel()
	w := connected(t, keepFresh)
	w.hub.stopped("")
	w.run(7*time.Hour + 55*time.Minute)
	require.Empty(t, w.github.refreshes)
	w.hub.runs("")
	w.run(2 * time.Minute)
	require.Equal(t, "ghu_fresh1", w.servers.at(""))
}

func TestRefreshIsBroughtBackByASignIn(t *testing.T) {
	t.Parallel()
	w := connected(t, keepFresh, func(o *flow.Options) { o.HubTokenLife = time.Hour })
	w.run(7*time.Hour + 50*time.Minute)
	require.Empty(t, w.github.refreshes)
	require.NoError(t, w.SignedIn(w.ctx, caller))
	w.run(2 * time.Minute)
	require.Len(t, w.github.refreshes, 1)
}

func TestRefreshFails(t *testing.T) {
	t.Parallel()
	failing := func(t *testing.T, cause *apierror.Error) *world {
		w := connected(t, keepFresh)
		w.github.refresh = func() (github.Token, error) { return github.Token{}, cause }
		w.run(7*time.Hour + 50*time.Minute)
		require.NotEmpty(t, w.github.refreshes)
		return w
	}
	t.Run("in passing is tried again", func(t *testing.T) {
		t.Parallel()
		w := failing(t, &apierror.Error{Code: "github_unreachable", Retryable: true})
		require.Greater(t, len(w.github.refreshes), 3)
		require.Less(t, len(w.github.refreshes), 15)
		w.github.refresh = newFakeGitHub(w.clock).refresh
		w.run(2 * time.Minute)
		require.Equal(t, "ghu_fresh0", reveal(t, w))
	})
	t.Run("for good ends the connection at its time, and says why", func(t *testing.T) {
		t.Parallel()
		w := failing(t, &apierror.Error{Code: apierror.CodeTokenDead})
		require.Len(t, w.github.refreshes, 1)
		require.Equal(t, "ghu_first", reveal(t, w), "an error is never stored over a good token")
		require.Equal(t, "refresh_failed", w.user().Connection.RefreshError.Code)
		w.run(20 * time.Minute)
		require.Equal(t, flow.Expired, w.state())
		require.Equal(t, "refresh_failed", w.user().Flow.Error.Code)
	})
	t.Run("after the answer to an earlier one was lost: the dead token is noticed", func(t *testing.T) {
		t.Parallel()
		w := connected(t, keepFresh)
		w.github.refresh = func() (github.Token, error) { return github.Token{}, &apierror.Error{Code: apierror.CodeTokenDead} }
		w.github.access = func() (github.Access, error) { return github.Access{}, &apierror.Error{Code: apierror.CodeTokenDead} }
		w.run(7*time.Hour + 50*time.Minute)
		require.Nil(t, w.user().Connection)
		require.Equal(t, "connection_revoked", w.user().Flow.Error.Code)
	})
	t.Run("because the App's tokens never expire any more ends the connection", func(t *testing.T) {
		t.Parallel()
		w := connected(t, keepFresh)
		w.github.refresh = func() (github.Token, error) {
			return github.Token{Access: secret.Store(secret.New("ghu_forever"))}, nil
		}
		w.run(7*time.Hour + 50*time.Minute)
		require.Equal(t, []string{"ghu_forever"}, w.github.revoked)
		require.Equal(t, "token_never_expires", w.user().Flow.Error.Code)
	})
}

func TestRefreshInFlightLosesNoToken(t *testing.T) {
	t.Parallel()
	refreshing := func(t *testing.T, meanwhile func(*world)) *world {
		w := connected(t, keepFresh)
		w.github.during("Refresh", func() { meanwhile(w) })
		w.runUntil(8*time.Hour, func() bool { return len(w.github.refreshes) > 0 })
		return w
	}
	t.Run("against a disconnect: the fresh pair is revoked", func(t *testing.T) {
		t.Parallel()
		w := refreshing(t, func(w *world) {
			_, err := w.Disconnect(w.ctx, caller)
			require.NoError(t, err)
		})
		w.run(time.Minute)
		require.Subset(t, w.github.revoked, []string{"ghu_fresh1", "ghr_fresh1"})
		require.Nil(t, w.user().Connection)
	})
	t.Run("against another process: one wins, its pair stays", func(t *testing.T) {
		t.Parallel()
		w := refreshing(t, func(w *world) {
			w.github.refresh = func() (github.Token, error) { return github.Token{}, &apierror.Error{Code: apierror.CodeTokenDead} }
			w.pass(46 * time.Second) // the claim ran out
			w.settle()
		})
		require.Len(t, w.github.refreshes, 2)
		require.Equal(t, "ghu_fresh1", reveal(t, w))
	})
	t.Run("against another process that was refreshed as well: the later pair is revoked", func(t *testing.T) {
		t.Parallel()
		w := refreshing(t, func(w *world) {
			w.pass(46 * time.Second)
			w.settle()
		})
		w.run(time.Minute)
		require.Equal(t, "ghu_fresh2", reveal(t, w))
		require.Equal(t, "ghu_fresh2", w.servers.at(""))
		require.ElementsMatch(t, []string{"ghr_fresh1", "ghu_fresh1"}, w.github.revoked)
	})
	t.Run("against a store that wrote and said it had not", func(t *testing.T) {
		t.Parallel()
		w := refreshing(t, func(w *world) { w.store.answer = times(1, errStore) })
		w.run(time.Minute)
		require.Equal(t, "ghu_fresh1", w.servers.at(""))
		require.Empty(t, w.github.revoked)
	})
	t.Run("against a store that is gone: the fresh pair is revoked", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			w := connected(t, keepFresh)
			w.github.during("Refresh", func() { w.store.save = func() error { return errStore } })
			for w.store.save == nil {
				require.Less(t, w.clock().Hour(), 17)
				w.pass(30 * time.Second)
				w.Advance(w.ctx)
			}
			w.store.mend()
			require.Equal(t, []string{"ghr_fresh1", "ghu_fresh1"}, w.github.revoked)
		})
	})
}

func TestRevokeOnStopEndsAConnectionWithItsServers(t *testing.T) {
	t.Parallel()
	t.Run("once none of those that hold the token runs", func(t *testing.T) {
		t.Parallel()
		w := connected(t, revokeOnStop)
		w.hub.runs("a", "other")
		_, err := w.Deliver(w.ctx, caller, []string{"a"}, false)
		require.NoError(t, err)
		w.run(10 * time.Minute)
		w.hub.stopped("")
		w.run(10 * time.Minute)
		require.Equal(t, flow.Connected, w.state())
		w.hub.stopped("a")
		w.run(time.Minute)
		require.Nil(t, w.user().Connection)
		require.Equal(t, flow.Expired, w.state())
		require.Equal(t, "servers_stopped", w.user().Flow.Error.Code)
		require.Equal(t, []string{"ghu_first"}, w.github.revoked)
		require.Equal(t, "servers_stopped", w.audit.all("disconnected")[0].Reason)
		w.hub.runs("")
		w.run(time.Minute)
		require.Empty(t, w.servers.at(""), "and the file goes when the server is back")
	})
	t.Run("but not by a restart", func(t *testing.T) {
		t.Parallel()
		w := connected(t, revokeOnStop)
		w.hub.spawning("")
		w.run(5 * time.Minute)
		require.Equal(t, flow.Connected, w.state())
	})
	t.Run("nor before a server had it", func(t *testing.T) {
		t.Parallel()
		w := approved(t, func(w *world) { w.options.RevokeOnStop = true; w.restart(); w.hub.stopped("") })
		w.run(10 * time.Minute)
		require.Equal(t, flow.Connected, w.state())
	})
	t.Run("nor by the Hub's trouble", func(t *testing.T) {
		t.Parallel()
		w := connected(t, revokeOnStop)
		w.hub.err = &hub.UnavailableError{Err: errors.New("down")}
		w.run(10 * time.Minute)
		require.Equal(t, flow.Connected, w.state())
		w.hub.err = nil
		w.hub.stopped("")
		w.run(2 * time.Minute)
		require.Equal(t, flow.Expired, w.state())
	})
	t.Run("also after the user signed out and in again at once", func(t *testing.T) {
		t.Parallel()
		w := connected(t, revokeOnStop)
		w.hub.tokens = map[string]bool{"fresh": true}
		require.NoError(t, w.SignedIn(w.ctx, browser(userName, "fresh")))
		w.hub.stopped("")
		w.run(2 * time.Minute)
		require.Equal(t, flow.Expired, w.state())
	})
	t.Run("also after the user signed out, who may come back within ten minutes", func(t *testing.T) {
		t.Parallel()
		w := connected(t, revokeOnStop)
		w.hub.tokens = map[string]bool{}
		w.hub.stopped("")
		w.run(10 * time.Minute)
		require.Equal(t, flow.Connected, w.state())
		w.run(2 * time.Minute)
		require.Nil(t, w.user().Connection)
		require.Equal(t, "servers_unseen", w.user().Flow.Error.Code)
		require.Equal(t, []string{"ghu_first"}, w.github.revoked)
		require.Equal(t, "servers_unseen", w.audit.all("disconnected")[0].Reason)
		looks := w.hub.looks
		w.run(time.Hour)
		require.Equal(t, looks, w.hub.looks, "a dead token is not tried again and again")
	})
	t.Run("also where the Hub does not let the service see them", func(t *testing.T) {
		t.Parallel()
		w := connected(t, revokeOnStop)
		w.hub.err = fmt.Errorf("GET users: %w", hub.ErrForbidden)
		w.run(12 * time.Minute)
		require.Equal(t, flow.Expired, w.state())
	})
	t.Run("not after a sign-out where the user is back in time", func(t *testing.T) {
		t.Parallel()
		w := connected(t, revokeOnStop)
		for n := range 5 {
			w.hub.tokens = map[string]bool{}
			w.run(9 * time.Minute)
			again := fmt.Sprint("again", n)
			w.hub.tokens[again] = true
			require.NoError(t, w.SignedIn(w.ctx, browser(userName, again)))
			w.run(2 * time.Minute)
		}
		require.Equal(t, flow.Connected, w.state())
	})
	t.Run("also after the user signed out and came back later", func(t *testing.T) {
		t.Parallel()
		w := connected(t, revokeOnStop)
		w.hub.tokens = map[string]bool{}
		w.run(5 * time.Minute)
		require.Equal(t, flow.Connected, w.state(), "signing out alone does not stop a server")
		require.True(t, w.user().HubToken.Empty())
		w.hub.stopped("")
		w.hub.tokens = map[string]bool{"later": true}
		require.NoError(t, w.SignedIn(w.ctx, browser(userName, "later")))
		w.run(2 * time.Minute)
		require.Equal(t, flow.Expired, w.state())
	})
	t.Run("only where asked for", func(t *testing.T) {
		t.Parallel()
		w := connected(t)
		w.hub.stopped("")
		w.run(time.Hour)
		require.Equal(t, flow.Connected, w.state())
	})
}

func TestDeliveryKeepsTheHubsOwnWordsOnAStartingServer(t *testing.T) {
	t.Parallel()
	w := approved(t, func(w *world) { w.hub.spawning("") })
	w.hub.progress = func() (string, bool, error) { return "Pulling image", false, nil }
	w.run(3 * time.Second)
	require.Equal(t, "Pulling image", w.delivery("").Progress)
	w.hub.progress = func() (string, bool, error) { return "", false, errors.New("no stream") }
	w.run(3 * time.Second)
	require.Equal(t, "Pulling image", w.delivery("").Progress, "no word is no news")
	require.Equal(t, flow.DeliveryStarting, w.delivery("").State)
	w.hub.stopped("")
	w.hub.progress = func() (string, bool, error) { return "Spawn failed: no space", false, nil }
	w.run(2 * time.Second)
	require.Equal(t, "Spawn failed: no space", w.delivery("").Progress)
	require.Equal(t, "server_did_not_start", w.delivery("").Error.Code)
	w.hub.runs("")
	w.run(time.Minute)
	require.Empty(t, w.delivery("").Progress)
}
