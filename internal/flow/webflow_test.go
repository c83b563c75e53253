package flow_test

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/flow"
	"github.com/ghscoped/ghscoped-service/internal/github"
)

const callback = "https://hub.test/services/connect-github/github_callback"

func newWebWorld(t *testing.T) *world {
	w := newWorld(t)
	w.options.WebFlow = w.github
	w.restart()
	w.hub.runs("")
	return w
}

// startWeb returns the state that GitHub will bring back.
func (w *world) startWeb() (state string) {
	w.t.Helper()
	address, _, err := w.StartWeb(w.ctx, caller, flow.Request{Redirect: callback})
	require.NoError(w.t, err)
	parsed, err := url.Parse(address)
	require.NoError(w.t, err)
	require.Equal(w.t, callback, parsed.Query().Get("redirect_uri"))
	require.GreaterOrEqual(w.t, len(parsed.Query().Get("state")), 26, "at least 128 bits")
	require.GreaterOrEqual(w.t, len(parsed.Query().Get("code_challenge")), 43)
	return parsed.Query().Get("state")
}

func refusedWith(t *testing.T, code string, err error) {
	t.Helper()
	var refused *apierror.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, code, refused.Code)
}

func TestWebFlowConnects(t *testing.T) {
	t.Parallel()
	w := newWebWorld(t)
	state := w.startWeb()
	w.run(time.Minute)
	require.Empty(t, w.github.polls, "there is nothing to poll")
	w.restart() // nothing is in the process
	user, err := w.CompleteWeb(w.ctx, caller, state, "code")
	require.NoError(t, err)
	require.Equal(t, flow.Approved, user.Flow.State)
	require.True(t, user.Flow.CodeVerifier.Empty())
	require.True(t, strings.HasPrefix(w.github.exchanges[0], "code ") && strings.HasSuffix(w.github.exchanges[0], " "+callback))
	w.run(5 * time.Second)
	require.Equal(t, flow.Approved, w.state())
	require.Empty(t, w.servers.content, "nothing before the click")
	w.confirm(state, "code")
	w.run(5 * time.Second)
	require.Equal(t, flow.Connected, w.state())
	require.Equal(t, "ghu_web", w.servers.at(""))
}

func TestWebFlowState(t *testing.T) {
	t.Parallel()
	t.Run("serves once", func(t *testing.T) {
		t.Parallel()
		w := newWebWorld(t)
		state := w.startWeb()
		w.github.during("Exchange", func() {
			_, err := w.CompleteWeb(w.ctx, caller, state, "another code")
			refusedWith(t, apierror.CodeWebState, err)
			_, err = w.CompleteWeb(w.ctx, caller, state, "code")
			require.NoError(t, err, "the same page loaded again")
		})
		_, err := w.CompleteWeb(w.ctx, caller, state, "code")
		require.NoError(t, err)
		require.Len(t, w.github.exchanges, 1)
	})
	t.Run("is that of this user", func(t *testing.T) {
		t.Parallel()
		w := newWebWorld(t)
		state := w.startWeb()
		eve := browser("eve", "eves")
		_, err := w.CompleteWeb(w.ctx, eve, state, "code")
		refusedWith(t, apierror.CodeWebState, err)
		_, err = w.FailWeb(w.ctx, eve, state, "access_denied")
		refusedWith(t, apierror.CodeWebState, err)
		require.Equal(t, flow.Pending, w.state())
	})
	t.Run("is not guessed, and a guess ends nothing", func(t *testing.T) {
		t.Parallel()
		w := newWebWorld(t)
		state := w.startWeb()
		for _, guess := range []string{"", state[:10], state + "x", "other"} {
			_, err := w.CompleteWeb(w.ctx, caller, guess, "code")
			refusedWith(t, apierror.CodeWebState, err)
			_, err = w.FailWeb(w.ctx, caller, guess, "access_denied")
			refusedWith(t, apierror.CodeWebState, err)
		}
		require.Empty(t, w.github.exchanges)
		_, err := w.CompleteWeb(w.ctx, caller, state, "code")
		require.NoError(t, err)
	})
	t.Run("lasts ten minutes", func(t *testing.T) {
		t.Parallel()
		w := newWebWorld(t)
		state := w.startWeb()
		w.pass(10*time.Minute + time.Second)
		_, err := w.CompleteWeb(w.ctx, caller, state, "code")
		refusedWith(t, apierror.CodeWebState, err)
		w.settle()
		require.Equal(t, flow.Expired, w.state())
		require.Equal(t, "approval_expired", w.user().Flow.Error.Code)
	})
	t.Run("is none for a device flow", func(t *testing.T) {
		t.Parallel()
		w := newWebWorld(t)
		w.start()
		_, err := w.CompleteWeb(w.ctx, caller, "", "code")
		refusedWith(t, apierror.CodeWebState, err)
	})
	t.Run("is the same for a second click", func(t *testing.T) {
		t.Parallel()
		w := newWebWorld(t)
		require.Equal(t, w.startWeb(), w.startWeb())
		require.Equal(t, 1.0, w.metric("ghscoped_flows_started_total", "mode", "web"))
	})
	t.Run("is in no log and no audit", func(t *testing.T) {
		t.Parallel()
		w := newWebWorld(t)
		state := w.startWeb()
		verifier := w.user().Flow.CodeVerifier.Reveal()
		_, err := w.FailWeb(w.ctx, caller, state, "server_error\n\x1b[31m")
		require.NoError(t, err)
		require.NotContains(t, w.log.String()+w.audit.text(t), state)
		require.NotContains(t, w.log.String()+w.audit.text(t), verifier)
		require.NotContains(t, w.log.String(), "\x1b")
	})
}

func TestGitHubsRefusalEndsAWebFlow(t *testing.T) {
	t.Parallel()
	for reason, want := range map[string]flow.State{"access_denied": flow.Denied, "redirect_uri_mismatch": flow.Failed, "<b>": flow.Failed} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			w := newWebWorld(t)
			user, err := w.FailWeb(w.ctx, caller, w.startWeb(), reason)
			require.NoError(t, err)
			require.Equal(t, want, user.Flow.State)
			require.NotContains(t, user.Flow.Error.Message, reason)
		})
	}
}

func TestWebFlowEndsWithAnExchangeThatFails(t *testing.T) {
	t.Parallel()
	for _, cause := range []*apierror.Error{{Code: "code_spent"}, {Code: "github_unreachable", Retryable: true}} {
		t.Run(cause.Code, func(t *testing.T) {
			t.Parallel()
			w := newWebWorld(t)
			w.github.exchange = func() (github.Token, error) { return github.Token{}, cause }
			user, err := w.CompleteWeb(w.ctx, caller, w.startWeb(), "code")
			require.NoError(t, err)
			require.Equal(t, flow.Failed, user.Flow.State, "the code is spent")
			require.Equal(t, cause.Code, user.Flow.Error.Code)
			require.NotEmpty(t, w.startWeb(), "a new one can be begun at once")
		})
	}
}

func TestWebFlowLosesNoToken(t *testing.T) {
	t.Parallel()
	t.Run("to a cancel", func(t *testing.T) {
		t.Parallel()
		w := newWebWorld(t)
		w.github.during("Exchange", func() {
			_, err := w.Cancel(w.ctx, caller)
			require.NoError(t, err)
		})
		_, err := w.CompleteWeb(w.ctx, caller, w.startWeb(), "code")
		require.NoError(t, err)
		cancelled(t, w)
		require.Equal(t, []string{"ghu_web"}, w.github.revoked)
	})
	t.Run("to a browser that went away", func(t *testing.T) {
		t.Parallel()
		w := newWebWorld(t)
		ctx, leave := context.WithCancel(w.ctx)
		w.github.during("Exchange", leave)
		state := w.startWeb()
		_, err := w.CompleteWeb(ctx, caller, state, "code")
		require.NoError(t, err)
		w.run(time.Minute)
		w.confirm(state, "code")
		w.run(time.Minute)
		require.Equal(t, flow.Connected, w.state())
	})
	t.Run("to a store that is gone", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			w := newWebWorld(t)
			w.github.during("Exchange", func() { w.store.save = func() error { return errStore } })
			_, err := w.CompleteWeb(w.ctx, caller, w.startWeb(), "code")
			require.ErrorIs(t, err, errStore)
			require.Equal(t, []string{"ghu_web"}, w.github.revoked)
		})
	})
	t.Run("to a process that died in mid-exchange: the user begins anew", func(t *testing.T) {
		t.Parallel()
		w := newWebWorld(t)
		state := w.startWeb()
		w.github.during("Exchange", func() {
			require.NotEqual(t, state, w.startWeb(), "the spent state blocks nothing")
		})
		_, err := w.CompleteWeb(w.ctx, caller, state, "code")
		require.NoError(t, err)
		w.settle()
		require.Equal(t, []string{"ghu_web"}, w.github.revoked, "what the old attempt brought is not used")
		require.Equal(t, flow.Pending, w.state())
	})
}

func TestWebFlowAndDeviceFlowReplaceEachOther(t *testing.T) {
	t.Parallel()
	w := newWebWorld(t)
	w.start()
	device := w.user().Flow.ID
	state := w.startWeb()
	require.NotEqual(t, device, w.user().Flow.ID)
	w.run(time.Minute)
	require.Empty(t, w.github.polls, "the code is not asked about any more")
	w.start()
	_, err := w.CompleteWeb(w.ctx, caller, state, "code")
	refusedWith(t, apierror.CodeWebState, err)
	require.Equal(t, 2.0, w.metric("ghscoped_flows_finished_total", "status", "cancelled"))
	w.approve("ghu_first")
	w.github.during("PollOnce", func() { w.startWeb() })
	w.pass(6 * time.Second)
	w.Advance(w.ctx)
	w.settle()
	require.Equal(t, []string{"ghu_first"}, w.github.revoked, "approved after the user had chosen the other way")
}

func TestWebFlowBeginsNoMoreOnceApproved(t *testing.T) {
	t.Parallel()
	w := newWebWorld(t)
	user, err := w.CompleteWeb(w.ctx, caller, w.startWeb(), "code")
	require.NoError(t, err)
	require.Equal(t, flow.Approved, user.Flow.State)
	_, _, err = w.StartWeb(w.ctx, caller, flow.Request{})
	refusedWith(t, apierror.CodeFlowUnderWay, err)
	_, created, err := w.Start(w.ctx, caller, flow.Request{})
	require.NoError(t, err)
	require.False(t, created)
}

func TestWebFlowIsNotOfferedWithoutItsSecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, _, err := w.StartWeb(w.ctx, caller, flow.Request{})
	refusedWith(t, apierror.CodeNoWebFlow, err)
	_, err = w.CompleteWeb(w.ctx, caller, "state", "code")
	refusedWith(t, apierror.CodeWebState, err)
}

func TestAdminSeesAndEndsConnections(t *testing.T) {
	t.Parallel()
	w := connected(t)
	_, _, err := w.Start(w.ctx, program("bob", ""), flow.Request{})
	require.NoError(t, err)
	users, next, err := w.Users(w.ctx, "", 1)
	require.NoError(t, err)
	require.Equal(t, userName, users[0].Name)
	users, next, err = w.Users(w.ctx, next, 10)
	require.NoError(t, err)
	require.Equal(t, "bob", users[0].Name)
	require.Empty(t, next)

	_, err = w.EndConnection(w.ctx, "bob", "ended by root")
	refusedWith(t, apierror.CodeNotConnected, err)
	user, err := w.EndConnection(w.ctx, userName, "ended by root")
	require.NoError(t, err)
	require.Equal(t, flow.Cancelled, user.Flow.State)
	require.Equal(t, "connection_ended", user.Flow.Error.Code)
	w.github.poll = outcomes(github.PollPending)
	w.run(time.Minute)
	require.Equal(t, []string{"ghu_first"}, w.github.revoked)
	require.Equal(t, "ended by root", w.audit.all("disconnected")[0].Reason)
	require.Equal(t, "ghu_first", w.servers.at(""), "no Hub token is at hand")
	require.NoError(t, w.SignedIn(w.ctx, caller))
	w.settle()
	require.Empty(t, w.servers.content)
}
