package flow_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/flow"
	"github.com/ghscoped/ghscoped-service/internal/github"
)

func TestIdentityPolicy(t *testing.T) {
	t.Parallel()
	other := github.Account{ID: 8, Login: "mallory"}
	own := github.Account{ID: 7, Login: "Ada"}
	for name, c := range map[string]struct {
		policy  flow.Identity
		first   github.Account
		second  github.Account
		accepts bool
	}{
		"any takes whoever approves":                     {flow.AnyAccount, own, other, true},
		"match takes the same login, whatever the case":  {flow.MatchAccount, own, own, true},
		"match refuses another login":                    {flow.MatchAccount, own, other, false},
		"bound takes the first account again":            {flow.BoundAccount, other, other, true},
		"bound takes the first account after a renaming": {flow.BoundAccount, own, github.Account{ID: 7, Login: "new"}, true},
		"bound refuses another account":                  {flow.BoundAccount, own, other, false},
		"bound refuses another account of the same name": {flow.BoundAccount, own, github.Account{ID: 9, Login: "Ada"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(o *flow.Options) { o.Identity = c.policy })
			w.hub.runs("")
			w.github.account = func() (github.Account, error) { return c.first, nil }
			w.start()
			w.approve("ghu_first")
			w.run(time.Minute)
			require.Equal(t, flow.Connected, w.state())
			_, err := w.Disconnect(w.ctx, caller)
			require.NoError(t, err)
			w.run(30 * time.Hour)

			writes := w.servers.writes
			w.github.account = func() (github.Account, error) { return c.second, nil }
			w.start()
			w.approve("ghu_second")
			w.run(time.Minute)
			if c.accepts {
				require.Equal(t, flow.Connected, w.state())
				return
			}
			require.Equal(t, flow.Failed, w.state())
			code := map[flow.Identity]string{flow.MatchAccount: "identity_mismatch", flow.BoundAccount: "account_bound"}[c.policy]
			require.Equal(t, code, w.user().Flow.Error.Code)
			require.Equal(t, writes, w.servers.writes, "nothing is delivered")
			require.Equal(t, []string{"ghu_first", "ghu_second"}, w.github.revoked)
			require.Nil(t, w.user().Connection)
			events := w.audit.all("identity_mismatch")
			require.Len(t, events, 1)
			require.Equal(t, c.second.Login, events[0].Account)
			revoked := w.audit.all("revoked")
			require.Equal(t, code, revoked[len(revoked)-1].Reason)
		})
	}
}

func TestForgetAccountThatIsBound(t *testing.T) {
	t.Parallel()
	w := connected(t, func(o *flow.Options) { o.Identity = flow.BoundAccount })
	w.github.account = func() (github.Account, error) { return github.Account{ID: 8, Login: "Ada-new"}, nil }
	again := func(token string) flow.State {
		w.start("")
		w.approve(token)
		w.run(time.Minute)
		return w.state()
	}
	require.Equal(t, flow.Failed, again("ghu_refused"))
	require.Contains(t, w.user().Flow.Error.Hint, "administrator", "the person is told who can help")
	require.Equal(t, "Ada", w.user().BoundLogin)

	require.NoError(t, w.ForgetAccount(w.ctx, "eve", "admin root"))
	require.Equal(t, flow.Failed, again("ghu_refused_again"), "it was somebody else's that was forgotten")
	require.Empty(t, w.audit.all("account_forgotten"))

	require.NoError(t, w.ForgetAccount(w.ctx, userName, "admin root"))
	require.Equal(t, "ghu_first", reveal(t, w), "the connection stays")
	events := w.audit.all("account_forgotten")
	require.Len(t, events, 1)
	require.Equal(t, [3]string{userName, "Ada", "admin root"}, [3]string{events[0].User, events[0].Account, events[0].Reason})
	require.NoError(t, w.ForgetAccount(w.ctx, userName, "admin root"))
	require.Len(t, w.audit.all("account_forgotten"), 1, "there was nothing left")

	require.Equal(t, flow.Connected, again("ghu_second"))
	require.Equal(t, "Ada-new", w.user().BoundLogin, "and is the one from now on")
	w.github.account = func() (github.Account, error) { return github.Account{ID: 7, Login: "Ada"}, nil }
	require.Equal(t, flow.Failed, again("ghu_third"))
}

func TestIdentityMismatchLeavesTheConnectionThatIsThere(t *testing.T) {
	t.Parallel()
	w := connected(t, func(o *flow.Options) { o.Identity = flow.MatchAccount })
	w.github.account = func() (github.Account, error) { return github.Account{ID: 8, Login: "mallory"}, nil }
	w.start()
	w.approve("ghu_mallory")
	w.run(time.Minute)
	require.Equal(t, []string{"ghu_mallory"}, w.github.revoked)
	require.Equal(t, "ghu_first", reveal(t, w))
	require.Equal(t, "ghu_first", w.servers.at(""))
}

func TestIdentifyGivesAFreshTokenTimeThatGitHubDoesNotKnowYet(t *testing.T) {
	t.Parallel()
	dead := &apierror.Error{Code: apierror.CodeTokenDead}
	t.Run("and then used", func(t *testing.T) {
		t.Parallel()
		w := approved(t, func(w *world) { w.hub.runs("") })
		tries := 0
		w.github.account = func() (github.Account, error) {
			if tries++; tries < 3 {
				return github.Account{}, dead
			}
			return github.Account{ID: 7, Login: "Ada"}, nil
		}
		w.run(10 * time.Second)
		require.Equal(t, flow.Connected, w.state())
	})
	t.Run("but not for ever", func(t *testing.T) {
		t.Parallel()
		w := approved(t, func(w *world) { w.hub.runs("") })
		w.github.account = func() (github.Account, error) { return github.Account{}, dead }
		w.run(5 * time.Minute)
		require.Equal(t, flow.Failed, w.state())
		require.Equal(t, []string{"ghu_first"}, w.github.revoked)
	})
	t.Run("and GitHub's own trouble until the code's end", func(t *testing.T) {
		t.Parallel()
		w := approved(t, func(w *world) { w.hub.runs("") })
		w.github.account = func() (github.Account, error) { return github.Account{}, &apierror.Error{Code: "x", Retryable: true} }
		w.run(14 * time.Minute)
		require.Equal(t, flow.Approved, w.state())
		w.run(3 * time.Minute)
		require.Equal(t, flow.Failed, w.state())
		require.Equal(t, []string{"ghu_first"}, w.github.revoked)
	})
}

func TestConnectionEndsWithItsToken(t *testing.T) {
	t.Parallel()
	w := connected(t)
	w.run(8 * time.Hour)
	require.Nil(t, w.user().Connection)
	require.Equal(t, flow.Expired, w.state())
	require.Equal(t, "connection_expired", w.user().Flow.Error.Code)
	require.Empty(t, w.github.revoked, "it is dead already")
	require.Equal(t, flow.DeliveryRemoving, w.delivery("").State)
	require.Equal(t, "expired", w.audit.all("disconnected")[0].Reason)
	require.Zero(t, w.metric("ghscoped_flows_finished_total", "status", "expired"), "the flow had ended well")
	require.NoError(t, w.SignedIn(w.ctx, caller))
	w.settle()
	require.Empty(t, w.servers.content)
	require.Equal(t, 1, w.servers.expiries, "git's helper stays, to say where to connect again")
	require.Zero(t, w.servers.removes)
}

func TestConnectionThatExpiresTakesOutWhatADisconnectWasTo(t *testing.T) {
	t.Parallel()
	w := connected(t)
	w.hub.stopped("")
	_, err := w.Disconnect(w.ctx, caller)
	require.NoError(t, err)
	w.settle()
	w.byProgram("lab", "ghu_second") // which is not delivered, and leaves the other server's removal alone
	require.NotNil(t, w.user().Connection)
	w.run(8 * time.Hour)
	require.Nil(t, w.user().Connection)
	require.Equal(t, flow.DeliveryRemoving, w.delivery("").State)
	require.False(t, w.delivery("").Expired)
}

func TestConnectionThatNeverReachedTheHubEndsToo(t *testing.T) {
	t.Parallel()
	w := approved(t, func(w *world) {
		w.options.HubTokenLife = 24 * time.Hour
		w.restart()
		w.hub.err = fmt.Errorf("x: %w", context.DeadlineExceeded)
	})
	w.run(9 * time.Hour)
	require.Equal(t, flow.Expired, w.state())
	require.Nil(t, w.user().Connection)
	w.settle()
}

func TestConnectionEndsWithATokenRevokedAtGitHub(t *testing.T) {
	t.Parallel()
	w := connected(t)
	w.github.access = func() (github.Access, error) { return github.Access{}, &apierror.Error{Code: apierror.CodeTokenDead} }
	w.pass(time.Minute)
	require.NoError(t, w.Recheck(w.ctx, caller, 30*time.Second))
	w.github.poll = outcomes(github.PollPending)
	w.start() // a new flow must survive the end of the old connection
	w.run(20 * time.Second)
	require.Nil(t, w.user().Connection)
	require.Equal(t, flow.Pending, w.state())
	require.Equal(t, "revoked_at_github", w.audit.all("disconnected")[0].Reason)

	w = connected(t)
	w.github.access = func() (github.Access, error) { return github.Access{}, &apierror.Error{Code: apierror.CodeTokenDead} }
	w.pass(time.Minute)
	require.NoError(t, w.Recheck(w.ctx, caller, 30*time.Second))
	w.run(20 * time.Second)
	require.Equal(t, flow.Failed, w.state())
	require.Equal(t, "connection_revoked", w.user().Flow.Error.Code, "the user is told why")
}

func TestAccessOfTheTokenIsLookedAt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hub.runs("")
	w.github.access = func() (github.Access, error) {
		return github.Access{State: github.AccessNotInstalled, Fix: "https://github.test/apps/x"}, nil
	}
	w.start()
	w.approve("ghu_first")
	w.run(time.Minute)
	require.Equal(t, github.AccessNotInstalled, w.user().Connection.Access.State)
	w.github.access = newFakeGitHub(w.clock).access
	w.run(11 * time.Second)
	require.Equal(t, github.AccessReady, w.user().Connection.Access.State, "seen soon after the user chose repositories")
	asked := w.github.accesses
	w.run(time.Hour)
	require.Equal(t, asked, w.github.accesses, "and then left alone")
	require.NoError(t, w.Recheck(w.ctx, caller, time.Minute))
	require.NoError(t, w.Recheck(w.ctx, caller, time.Minute))
	w.settle()
	require.Equal(t, asked+1, w.github.accesses)
	require.NoError(t, w.Recheck(w.ctx, caller, time.Minute))
	w.settle()
	require.Equal(t, asked+1, w.github.accesses, "not sooner than asked")
}

func TestRevokeIsRetriedUntilTheTokensOwnEnd(t *testing.T) {
	t.Parallel()
	w := connected(t)
	tries := []time.Time{}
	w.github.revoke = func(string) error {
		tries = append(tries, w.clock())
		return &apierror.Error{Code: "app_misconfigured"}
	}
	_, err := w.Disconnect(w.ctx, caller)
	require.NoError(t, err)
	w.run(7 * time.Hour)
	waits := gaps(tries)
	require.GreaterOrEqual(t, waits[0], 5*time.Second)
	require.LessOrEqual(t, slices.Max(waits), 34*time.Minute)
	require.Greater(t, slices.Max(waits), 29*time.Minute)
	require.Len(t, w.user().Revocations, 1)
	w.run(2 * time.Hour)
	require.Empty(t, w.user().Revocations)
	require.Equal(t, float64(len(tries)), w.metric("ghscoped_revocations_total", "status", "error"))
}

func TestRevokeHonoursRetryAfterAndThenCounts(t *testing.T) {
	t.Parallel()
	w := connected(t)
	w.github.revoke = func(string) error {
		return &apierror.Error{Code: "github_limited", Retryable: true, RetryAfter: time.Hour}
	}
	_, err := w.Disconnect(w.ctx, caller)
	require.NoError(t, err)
	w.settle()
	w.github.revoke = func(string) error { return nil }
	w.run(59 * time.Minute)
	require.Empty(t, w.github.revoked)
	w.run(2 * time.Minute)
	require.Equal(t, []string{"ghu_first"}, w.github.revoked)
	require.Equal(t, 1.0, w.metric("ghscoped_revocations_total", "status", "ok"))
}

func TestNothingStarvesBehindAServerThatIsAskedAboutAllTheTime(t *testing.T) {
	t.Parallel()
	w := connected(t)
	w.hub.spawning("slow")
	_, err := w.Deliver(w.ctx, caller, []string{"slow"}, false)
	require.NoError(t, err)
	w.start("")
	w.approve("ghu_second")
	slowHub := func() {}
	slowHub = func() { w.pass(2 * time.Second); w.hub.during("Servers", slowHub) } // each look takes longer than the pause
	w.hub.during("Servers", slowHub)
	for range 60 {
		w.pass(time.Second)
		w.Advance(w.ctx)
	}
	require.Equal(t, []string{"ghu_first"}, w.github.revoked)
	require.Equal(t, "ghu_second", w.servers.at(""))
}
