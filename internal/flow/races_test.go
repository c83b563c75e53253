package flow_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/flow"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

func TestStartASecondTimeReturnsTheSameFlow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start()
	first := w.user().Flow
	user, created, err := w.Start(w.ctx, caller, flow.Request{})
	require.NoError(t, err)
	require.False(t, created)
	require.Equal(t, first.ID, user.Flow.ID)
	require.Equal(t, 1, w.github.codes)
}

func TestStartInTwoTabsAtOnceSharesOneFlow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.github.during("DeviceCode", func() { w.start() })
	user, created, err := w.Start(w.ctx, caller, flow.Request{})
	require.NoError(t, err)
	require.False(t, created, "the other tab was faster")
	require.Equal(t, w.user().Flow.ID, user.Flow.ID)
	require.Equal(t, 1.0, w.metric("ghscoped_flows_started_total", "mode", "device"))
	require.Len(t, w.audit.all("flow_started"), 1)
}

func TestStartCountsAnExpiredCodeThatNobodyCollected(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start()
	first := w.user().Flow.ID
	w.pass(16 * time.Minute) // no scheduler ran
	w.start()
	require.NotEqual(t, first, w.user().Flow.ID)
	require.Equal(t, 1.0, w.metric("ghscoped_flows_finished_total", "status", "expired"))
	require.Equal(t, first, w.audit.all("flow_finished")[0].FlowID)
}

// cancelled asserts what must hold whenever Cancel won.
func cancelled(t *testing.T, w *world) {
	t.Helper()
	w.run(5 * time.Minute)
	require.Nil(t, w.user().Connection)
	require.Empty(t, w.servers.content)
	require.Empty(t, w.user().Revocations)
	require.Empty(t, w.user().Deliveries)
	require.True(t, w.user().HubToken.Empty())
	require.Equal(t, 1.0, w.metric("ghscoped_flows_finished_total", "status", "cancelled"))
	require.Zero(t, w.metric("ghscoped_flows_finished_total", "status", "connected"))
}

func TestCancelWinsOverAnApproval(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]struct {
		call   string
		hooked func(w *world) *hooks
		token  bool
	}{
		"while the poll that brings the token is under way": {"PollOnce", func(w *world) *hooks { return &w.github.hooks }, true},
		"while GitHub is asked who approved":                {"Account", func(w *world) *hooks { return &w.github.hooks }, true},
		"while the Hub is asked for the servers":            {"Servers", func(w *world) *hooks { return &w.hub.hooks }, true},
		"while the token is being written":                  {"Deliver", func(w *world) *hooks { return &w.servers.hooks }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.hub.runs("")
			w.start()
			w.approve("ghu_late")
			at.hooked(w).during(at.call, func() {
				_, err := w.Cancel(w.ctx, caller)
				require.NoError(t, err)
			})
			w.runUntil(time.Minute, func() bool { return w.state() == flow.Cancelled })
			cancelled(t, w)
			require.Equal(t, []string{"ghu_late"}, w.github.revoked)
			require.Equal(t, flow.Cancelled, w.state())
		})
	}
}

func TestCancelComesTooLateOnceTheTokenIsInAServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hub.runs("")
	w.hub.spawning("slow")
	w.start("", "slow")
	w.approve("ghu_first")
	w.runUntil(time.Minute, func() bool { return w.servers.at("") != "" })
	require.Equal(t, flow.Delivering, w.state())
	_, err := w.Cancel(w.ctx, caller)
	var refused *apierror.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, apierror.CodeNoFlow, refused.Code)
}

func TestCancelOfADeadSessionIsOfWhatItBeganAndNothingElse(t *testing.T) {
	t.Parallel()
	other := browser(userName, "another-browser")
	for name, c := range map[string]struct {
		begun, ended flow.Caller
		want         flow.State
	}{
		"its own":             {caller, caller, flow.Cancelled},
		"a program's":         {program(userName, ""), caller, flow.Pending},
		"another browser's":   {caller, other, flow.Pending},
		"no token, no answer": {program(userName, ""), program(userName, ""), flow.Pending},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			require.NoError(t, w.SignedOut(w.ctx, c.ended.User, c.ended.HubToken), "there may be none")
			_, _, err := w.Start(w.ctx, c.begun, flow.Request{})
			require.NoError(t, err)
			require.NoError(t, w.SignedIn(w.ctx, c.ended)) // looked at the page before, and left its token
			require.NoError(t, w.SignedOut(w.ctx, c.ended.User, c.ended.HubToken))
			require.Equal(t, c.want, w.state())
			require.NoError(t, w.SignedOut(w.ctx, c.ended.User, c.ended.HubToken), "once more is no error")
		})
	}
	t.Run("trouble is told", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.start()
		w.store.save = func() error { return errStore }
		require.ErrorIs(t, w.SignedOut(w.ctx, caller.User, caller.HubToken), errStore)
	})
	t.Run("a connection that another browser is being delivered stays", func(t *testing.T) {
		t.Parallel()
		w := approved(t, func(w *world) { w.hub.spawning("") })
		w.settle()
		require.Equal(t, flow.Delivering, w.state())
		require.NoError(t, w.SignedOut(w.ctx, other.User, other.HubToken))
		require.NotNil(t, w.user().Connection)
		require.Equal(t, flow.Delivering, w.state())
	})
}

func TestStartRevokesATokenForAnEarlierFlow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start()
	w.approve("ghu_early")
	w.github.during("PollOnce", func() {
		_, err := w.Cancel(w.ctx, caller)
		require.NoError(t, err)
		w.start()
	})
	w.pass(6 * time.Second)
	w.Advance(w.ctx)
	require.Equal(t, flow.Pending, w.state())
	w.github.poll = outcomes(github.PollPending)
	w.run(time.Minute)
	require.Equal(t, []string{"ghu_early"}, w.github.revoked)
	require.Equal(t, flow.Pending, w.state())
}

func TestDisconnectWhileAReconnectionIsApprovedRevokesBothTokens(t *testing.T) {
	t.Parallel()
	w := connected(t)
	w.start()
	w.approve("ghu_second")
	w.github.during("Account", func() {
		_, err := w.Disconnect(w.ctx, caller)
		require.NoError(t, err)
	})
	w.run(time.Minute)
	require.ElementsMatch(t, []string{"ghu_first", "ghu_second"}, w.github.revoked)
	require.Nil(t, w.user().Connection)
	require.Empty(t, w.servers.content)
}

func TestClaimLostNeitherPlansAPollNorLosesAToken(t *testing.T) {
	t.Parallel()
	t.Run("an old answer does not move the next poll", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.start()
		w.github.during("PollOnce", func() {
			w.pass(46 * time.Second) // the process was stopped for longer than its claim
			require.Equal(t, 1, w.Advance(w.ctx), "another one takes over")
			w.pass(time.Second)
		})
		w.pass(6 * time.Second)
		w.Advance(w.ctx)
		require.Len(t, w.github.polls, 2)
		require.GreaterOrEqual(t, w.user().Flow.Due.Sub(w.github.polls[1]), 5*time.Second)
		require.LessOrEqual(t, w.user().Flow.Due.Sub(w.github.polls[1]), 5500*time.Millisecond)
	})
	t.Run("a token that it brings is used", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.hub.runs("")
		w.start()
		w.approve("ghu_first")
		w.github.during("PollOnce", func() {
			w.pass(46 * time.Second)
			require.Equal(t, 1, w.Advance(w.ctx))
		})
		w.run(2 * time.Minute)
		require.Equal(t, flow.Connected, w.state())
		require.Empty(t, w.github.revoked)
	})
	t.Run("what it writes after a disconnect is taken out again", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.hub.runs("")
		w.start()
		w.approve("ghu_first")
		w.servers.during("Deliver", func() {
			w.pass(46 * time.Second)
			_, err := w.Disconnect(w.ctx, caller)
			require.NoError(t, err)
			delete(w.servers.content, "/user/ada/")
			w.settle()
			w.servers.content["/user/ada/"] = "ghu_first" // now the paused write lands
		})
		w.run(2 * time.Minute)
		require.Empty(t, w.servers.content)
		require.Equal(t, []string{"ghu_first"}, w.github.revoked)
		require.Empty(t, w.user().Deliveries)
	})
}

// A removal that was paused for longer than its claim ends after the user has
// connected again: what it says is about the former token.
func TestRemovedIsAboutTheTokenThatWasRemoved(t *testing.T) {
	t.Parallel()
	reconnect := func(w *world) {
		w.pass(46 * time.Second)
		w.settle() // another process removes
		require.Empty(w.t, w.user().Deliveries)
		w.start()
		w.approve("ghu_second")
	}
	for name, meanwhile := range map[string]func(w *world){
		"the new one was delivered": func(w *world) {
			reconnect(w)
			w.run(time.Minute)
			require.Equal(w.t, "ghu_second", w.servers.at(""))
		},
		"the new one was delivered and is to be removed": func(w *world) {
			reconnect(w)
			w.run(time.Minute)
			w.hub.stopped("")
			_, err := w.Disconnect(w.ctx, caller)
			require.NoError(w.t, err)
			w.settle()
			w.hub.runs("")
		},
		"the process died while it wrote the new one": func(w *world) {
			reconnect(w)
			w.servers.lost = errors.New("no answer")
			w.run(20 * time.Second)
			require.Equal(w.t, "ghu_second", w.servers.at(""))
			w.servers.lost = nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := connected(t)
			_, err := w.Disconnect(w.ctx, caller)
			require.NoError(t, err)
			left := ""
			w.servers.during("Remove", func() {
				meanwhile(w)
				left = w.servers.at("")
				w.servers.during("Removed", func() { w.servers.content["/user/ada/"] = left }) // as if carried out before the pause
			})
			w.run(time.Minute)
			require.NotEmpty(t, left)

			if c := w.user().Connection; c != nil {
				_, err = w.Disconnect(w.ctx, caller)
				require.NoError(t, err)
			}
			w.run(5 * time.Minute)
			require.Empty(t, w.servers.content, "the new token is taken out as well")
			require.Empty(t, w.user().Deliveries)
		})
	}
}

func TestClaimIsKeptThroughACommand(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start()
	w.github.during("PollOnce", func() {
		require.NoError(t, w.SignedIn(w.ctx, caller))
		require.Zero(t, w.Advance(w.ctx), "a command brings no second scheduler in")
	})
	w.pass(6 * time.Second)
	require.Equal(t, 1, w.Advance(w.ctx))
	require.True(t, w.user().Held.IsZero())
	require.Len(t, w.github.polls, 1)
	w.run(6 * time.Second)
	require.Len(t, w.github.polls, 2, "the claim ended with the step")
}

func TestUpdateOnAStoreThatFailsAtTheWorstMoment(t *testing.T) {
	t.Parallel()
	grant := func(t *testing.T, store func(*faultyStore)) *world {
		w := newWorld(t)
		w.hub.runs("")
		w.start()
		w.approve("ghu_first")
		w.pass(6 * time.Second)
		w.github.during("PollOnce", func() { store(w.store) })
		w.Advance(w.ctx)
		return w
	}
	t.Run("for a moment: the token is kept", func(t *testing.T) {
		t.Parallel()
		w := grant(t, func(s *faultyStore) { s.save, s.load = times(2, errStore), times(1, errStore) })
		require.Equal(t, flow.Approved, w.state())
		w.run(time.Minute)
		require.Equal(t, flow.Connected, w.state())
		require.Empty(t, w.github.revoked)
	})
	t.Run("and wrote all the same: the token is kept, once", func(t *testing.T) {
		t.Parallel()
		w := grant(t, func(s *faultyStore) { s.answer = times(1, errStore) })
		w.run(time.Minute)
		require.Equal(t, flow.Connected, w.state())
		require.Empty(t, w.github.revoked)
		require.Equal(t, "ghu_first", w.servers.at(""))
	})
	t.Run("a conflict, and then does not answer: no spinning, no second application", func(t *testing.T) {
		t.Parallel()
		loads := 0
		w := grant(t, func(s *faultyStore) {
			s.save = times(1, flow.ErrConflict)
			s.load = func() error {
				if loads++; loads <= 3 {
					return errStore
				}
				return nil
			}
		})
		require.Equal(t, 4, loads, "3 failures, 1 success")
		w.run(time.Minute)
		require.Equal(t, flow.Connected, w.state())
	})
	t.Run("for good: the token is revoked at once and the record tried again later", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) { // waits out the claim
			w := grant(t, func(s *faultyStore) { s.save = func() error { return errStore } })
			require.Equal(t, []string{"ghu_first"}, w.github.revoked)
			require.Contains(t, w.log.String(), "could not be stored")
			w.store.save = nil
			require.Equal(t, flow.Pending, w.state())
			require.Zero(t, w.Advance(w.ctx), "the claim still stands")
			w.run(2 * time.Minute)
			require.Equal(t, flow.Failed, w.state(), "the code is spent")
			require.Equal(t, "answer_lost", w.user().Flow.Error.Code)
		})
	})
}

func TestPollRaisesAnIntervalOnceHoweverOftenTheStoreFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.github.poll = func(int) (github.PollResult, error) { return github.PollResult{Status: github.PollSlowDown}, nil }
	w.start()
	w.pass(6 * time.Second)
	w.github.during("PollOnce", func() {
		w.store.save, w.store.load, w.store.answer = times(2, errStore), times(2, errStore), times(1, errStore)
	})
	w.Advance(w.ctx)
	require.Equal(t, 10*time.Second, w.user().Flow.Interval)
}

func TestUpdateSaysThatACommandCannotBeStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.store.save = func() error { return errStore }
	_, _, err := w.Start(w.ctx, caller, flow.Request{})
	require.ErrorIs(t, err, errStore)
	require.Zero(t, w.metric("ghscoped_flows_started_total"))
	w.store.save = func() error { return flow.ErrConflict }
	_, _, err = w.Start(w.ctx, caller, flow.Request{})
	require.ErrorIs(t, err, flow.ErrConflict, "not for ever")
	w.store.save, w.store.load = nil, func() error { return errStore }
	_, err = w.Credential(w.ctx, program(userName, ""), "")
	require.ErrorIs(t, err, errStore)
}

func TestNothingOfOneUserIsReachedByAnother(t *testing.T) {
	t.Parallel()
	w := connected(t)
	before := w.user()
	eve := browser("eve", "eves-token")
	isRefused := func(err error) {
		t.Helper()
		var refused *apierror.Error
		require.True(t, errors.As(err, &refused), "%v", err)
	}
	user, err := w.User(w.ctx, eve.User)
	require.NoError(t, err)
	require.Equal(t, &flow.User{Name: "eve"}, user)
	_, err = w.Cancel(w.ctx, eve)
	isRefused(err)
	_, err = w.Disconnect(w.ctx, eve)
	isRefused(err)
	_, err = w.Deliver(w.ctx, eve, []string{""}, true)
	isRefused(err)
	_, err = w.Credential(w.ctx, program("eve", ""), "")
	isRefused(err)
	require.NoError(t, w.SignedIn(w.ctx, eve))
	require.NoError(t, w.Recheck(w.ctx, eve, 0))
	_, _, err = w.Start(w.ctx, eve, flow.Request{})
	require.NoError(t, err)
	w.approve("ghu_eve")
	w.run(time.Minute)
	require.Equal(t, before, w.user())
	require.Equal(t, "ghu_first", w.servers.at(""), "eve's token opens no server of ada's")
}

// Whoever was paused beyond its claim, or never had one, does not end the claim
// of another.
func TestHeldOfAnotherIsKept(t *testing.T) {
	t.Parallel()
	t.Run("by a holder that was overtaken", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.start()
		var successor time.Time
		w.github.during("PollOnce", func() {
			w.pass(46 * time.Second)
			claimed, err := w.store.Store.Claim(w.ctx, flow.Hold, 1)
			require.NoError(t, err)
			require.Len(t, claimed, 1)
			successor = claimed[0].Held
		})
		w.pass(6 * time.Second)
		require.Equal(t, 1, w.Advance(w.ctx))
		require.False(t, successor.IsZero())
		require.Equal(t, successor, w.user().Held)
	})
	t.Run("by a browser that comes back from GitHub", func(t *testing.T) {
		t.Parallel()
		w := newWebWorld(t)
		state := w.startWeb()
		user := w.user()
		user.Revocations = []flow.Revocation{{Token: secret.Store(secret.New("ghu_old")), ExpiresAt: w.clock().Add(time.Hour), Retry: flow.Retry{Due: w.clock()}}}
		require.NoError(t, w.store.Save(w.ctx, user))
		w.github.during("Revoke", func() {
			held := w.user().Held
			require.False(t, held.IsZero())
			_, err := w.CompleteWeb(w.ctx, caller, state, "code")
			require.NoError(t, err)
			require.Equal(t, held, w.user().Held)
		})
		require.Equal(t, 1, w.Advance(w.ctx))
		require.True(t, w.user().Held.IsZero())
	})
}
