package flow_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/flow"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// approveWeb brings a web flow to where it waits for the person's click.
func (w *world) approveWeb() (state string) {
	w.t.Helper()
	state = w.startWeb()
	_, err := w.CompleteWeb(w.ctx, caller, state, "code")
	require.NoError(w.t, err)
	w.settle()
	return state
}

// freshTokens has each exchange bring another token, as GitHub does.
func (w *world) freshTokens() {
	w.github.exchange = func() (github.Token, error) {
		return w.github.token(fmt.Sprint("ghu_web", len(w.github.exchanges))), nil
	}
}

// page is what GitHub's answer brings; no token: there is none.
func (w *world) page(state, code string) secret.String {
	w.t.Helper()
	token, _, err := w.AskToConfirm(w.ctx, caller, state, code)
	require.NoError(w.t, err)
	return token
}

// confirm is the click on that page.
func (w *world) confirm(state, code string) {
	w.t.Helper()
	token := w.page(state, code)
	require.False(w.t, token.Empty(), "there is a page to click on")
	_, err := w.Confirm(w.ctx, caller, token)
	require.NoError(w.t, err)
}

func TestConfirmMakesTheConnectionOfAWebFlow(t *testing.T) {
	t.Parallel()
	w := newWebWorld(t)
	state := w.approveWeb()
	user := w.user()
	require.Equal(t, flow.Approved, user.Flow.State)
	require.Equal(t, "Ada", user.Flow.Account.Login)
	require.Nil(t, user.Connection)
	require.Empty(t, w.servers.content)
	w.restart() // whoever shows the page needs nothing but the record
	token := w.page(state, "code")
	stored, err := json.Marshal(w.user())
	require.NoError(t, err)
	require.NotContains(t, string(stored), token.Reveal())

	_, err = w.Confirm(w.ctx, caller, token)
	require.NoError(t, err)
	require.Equal(t, []flow.ConfirmedAccount{{ID: user.Flow.Account.ID, Login: "Ada"}}, w.user().Confirmed)
	require.Len(t, w.audit.all("account_confirmed"), 1)
	_, err = w.Confirm(w.ctx, caller, token)
	refusedWith(t, apierror.CodeNoFlow, err) // a double click: the page says how it stands
	w.run(5 * time.Second)
	require.Equal(t, flow.Connected, w.state())
	require.Equal(t, "ghu_web", w.servers.at(""))
	require.True(t, w.page(state, "code").Empty(), "and so does going back to the page")
}

func TestConfirmTakesTheTokenOfTheLatestPageOnly(t *testing.T) {
	t.Parallel()
	for name, token := range map[string]func(w *world, state string) secret.String{
		"none":      func(*world, string) secret.String { return secret.String{} },
		"a guess":   func(*world, string) secret.String { return secret.New("guess") },
		"the state": func(_ *world, state string) secret.String { return secret.New(state) },
		"the code":  func(*world, string) secret.String { return secret.New("code") },
		"an older page's": func(w *world, state string) secret.String {
			old := w.page(state, "code")
			w.page(state, "code")
			return old
		},
		"what is stored": func(w *world, state string) secret.String {
			w.page(state, "code")
			return secret.New(w.user().Flow.Confirmation)
		},
		"of another's page": func(w *world, state string) secret.String { return w.page(state, "another code") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWebWorld(t)
			state := w.approveWeb()
			_, err := w.Confirm(w.ctx, caller, token(w, state))
			refusedWith(t, apierror.CodeNotThisPage, err)
			require.Nil(t, w.user().Connection)
			w.confirm(state, "code") // a reload of the page helps
		})
	}
}

// Who knows the state, as whoever began the flow does, but never had GitHub's
// answer, gets no page to click on.
func TestAskToConfirmIsForTheBrowserThatCameBack(t *testing.T) {
	t.Parallel()
	w := newWebWorld(t)
	state := w.approveWeb()
	for _, code := range []string{"", "guess", "code "} {
		require.True(t, w.page(state, code).Empty(), code)
	}
	token, _, err := w.AskToConfirm(w.ctx, browser("eve", "eves"), state, "code")
	require.NoError(t, err)
	require.True(t, token.Empty())
	require.False(t, w.page(state, "code").Empty())
}

func TestConfirmIsAskedForOncePerAccount(t *testing.T) {
	t.Parallel()
	w := newWebWorld(t)
	w.freshTokens()
	w.confirm(w.approveWeb(), "code")
	w.run(5 * time.Second)
	again := func() {
		w.startWebAs(t, "Ada")
		w.run(5 * time.Second)
	}
	again()
	require.Equal(t, flow.Connected, w.state(), "the same account")
	w.github.account = func() (github.Account, error) { return github.Account{ID: 99, Login: "another"}, nil }
	again()
	require.Equal(t, flow.Approved, w.state(), "another account")
	require.Equal(t, "another", w.user().Flow.Account.Login)
	require.NotNil(t, w.user().Connection, "what there was stands")

	require.NoError(t, w.ForgetAccount(w.ctx, userName, "admin"))
	require.Empty(t, w.user().Confirmed)
}

// startWebAs runs a web flow in which GitHub is told to expect an account.
func (w *world) startWebAs(t *testing.T, login string) {
	t.Helper()
	address, _, err := w.StartWeb(w.ctx, caller, flow.Request{Redirect: callback})
	require.NoError(t, err)
	parsed, err := url.Parse(address)
	require.NoError(t, err)
	require.Equal(t, login, parsed.Query().Get("login"))
	_, err = w.CompleteWeb(w.ctx, caller, parsed.Query().Get("state"), "code")
	require.NoError(t, err)
}

func TestConfirmedAccountsAreBounded(t *testing.T) {
	t.Parallel()
	w := newWebWorld(t)
	w.freshTokens()
	for id := range int64(10) {
		w.github.account = func() (github.Account, error) { return github.Account{ID: id + 1, Login: "a"}, nil }
		w.pass(time.Hour) // attempts are paced
		w.confirm(w.approveWeb(), "code")
		w.settle()
	}
	confirmed := w.user().Confirmed
	require.Len(t, confirmed, 8)
	require.Equal(t, int64(3), confirmed[0].ID)
	require.Equal(t, int64(10), confirmed[7].ID)
}

// An approval by code says nothing about who sits in front of the page, so it
// spares nobody the click.
func TestConfirmNothingOfADeviceFlow(t *testing.T) {
	t.Parallel()
	w := newWebWorld(t)
	w.start()
	w.approve("ghu_first")
	w.run(time.Minute)
	require.Equal(t, flow.Connected, w.state())
	require.Empty(t, w.user().Confirmed)
	w.approveWeb()
	require.Equal(t, flow.Approved, w.state())
}

func TestConfirmMissingRevokesTheApproval(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		end  func(w *world)
		want flow.State
		code string
	}{
		"after ten minutes": {func(w *world) { w.run(10*time.Minute + time.Second) }, flow.Expired, "not_confirmed"},
		"when the person says no": {func(w *world) {
			_, err := w.Cancel(w.ctx, caller)
			require.NoError(w.t, err)
		}, flow.Cancelled, ""},
		"when the session ends":            {func(w *world) { require.NoError(w.t, w.SignedOut(w.ctx, caller.User, caller.HubToken)) }, flow.Cancelled, ""},
		"when a new attempt begins":        {func(w *world) { w.startWeb() }, flow.Pending, ""},
		"when a code is asked for instead": {func(w *world) { w.start() }, flow.Pending, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWebWorld(t)
			state := w.approveWeb()
			token := w.page(state, "code")
			test.end(w)
			w.github.poll = outcomes(github.PollPending)
			require.Equal(t, test.want, w.state())
			if test.code != "" {
				require.Equal(t, test.code, w.user().Flow.Error.Code)
			}
			_, err := w.Confirm(w.ctx, caller, token)
			refusedWith(t, apierror.CodeNoFlow, err)
			require.Nil(t, w.user().Connection)
			w.run(30 * time.Second)
			require.Equal(t, []string{"ghu_web"}, w.github.revoked)
			require.Empty(t, w.servers.content)
		})
	}
}

func TestConfirmComesTooLateAtTheMinuteItself(t *testing.T) {
	t.Parallel()
	w := newWebWorld(t)
	state := w.approveWeb()
	token := w.page(state, "code")
	w.pass(10 * time.Minute) // no scheduler has looked yet
	_, err := w.Confirm(w.ctx, caller, token)
	refusedWith(t, apierror.CodeNoFlow, err)
	require.True(t, w.page(state, "code").Empty())
}

func TestConfirmComesAfterTheIdentityPolicyWhichCountsAtTheClick(t *testing.T) {
	t.Parallel()
	t.Run("a wrong account is not shown to be confirmed", func(t *testing.T) {
		t.Parallel()
		w := newWebWorld(t)
		w.options.Identity = flow.MatchAccount
		w.restart()
		w.github.account = func() (github.Account, error) { return github.Account{ID: 99, Login: "another"}, nil }
		state := w.approveWeb()
		require.Equal(t, flow.Failed, w.state())
		require.Equal(t, "identity_mismatch", w.user().Flow.Error.Code)
		require.True(t, w.page(state, "code").Empty())
	})
	t.Run("nothing is bound before", func(t *testing.T) {
		t.Parallel()
		w := newWebWorld(t)
		w.options.Identity = flow.BoundAccount
		w.restart()
		state := w.approveWeb()
		require.Zero(t, w.user().BoundAccount)
		w.confirm(state, "code")
		require.NotZero(t, w.user().BoundAccount)
	})
	t.Run("an account bound meanwhile wins", func(t *testing.T) {
		t.Parallel()
		w := newWebWorld(t)
		w.options.Identity = flow.BoundAccount
		w.restart()
		state := w.approveWeb()
		token := w.page(state, "code")
		user := w.user()
		user.BoundAccount = 77
		require.NoError(t, w.store.Save(w.ctx, user))
		_, err := w.Confirm(w.ctx, caller, token)
		require.NoError(t, err)
		require.Equal(t, "account_bound", w.user().Flow.Error.Code)
		require.Empty(t, w.user().Confirmed)
		require.Empty(t, w.audit.all("account_confirmed"))
	})
}

// GitHub may need a moment to know a fresh token; the page waits for that.
func TestAskToConfirmWaitsForTheAccount(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWebWorld(t)
		tries, known := 0, w.github.account
		w.github.account = func() (github.Account, error) {
			if tries++; tries < 3 {
				return github.Account{}, &apierror.Error{Code: "github_unavailable", Retryable: true}
			}
			return known()
		}
		stop := w.follow()
		defer stop()
		state := w.startWeb()
		_, err := w.CompleteWeb(w.ctx, caller, state, "code")
		require.NoError(t, err)
		require.False(t, w.page(state, "code").Empty())
		require.Equal(t, 3, tries)
	})
}

func TestAskToConfirmGivesUpAndALaterLookHelps(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWebWorld(t)
		known := w.github.account
		var back atomic.Bool
		w.github.account = func() (github.Account, error) {
			if back.Load() {
				return known()
			}
			return github.Account{}, &apierror.Error{Code: "github_unavailable", Retryable: true}
		}
		stop := w.follow()
		defer stop()
		state := w.startWeb()
		_, err := w.CompleteWeb(w.ctx, caller, state, "code")
		require.NoError(t, err)
		since := time.Now()
		require.True(t, w.page(state, "code").Empty())
		require.Equal(t, 15*time.Second, time.Since(since))
		back.Store(true)
		time.Sleep(2 * time.Minute)
		require.False(t, w.page(state, "code").Empty(), "the same page loaded again")
	})
}
