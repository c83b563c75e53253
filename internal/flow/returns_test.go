package flow_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/flow"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/hub"
)

func TestBackFromGitHubLooksAgainAtOnceAndNotAllTheTime(t *testing.T) {
	t.Parallel()
	w := connected(t)
	w.run(time.Minute)
	asked := w.github.accesses
	back := func() {
		t.Helper()
		require.NoError(t, w.BackFromGitHub(w.ctx, caller))
		w.settle()
	}
	back()
	require.Equal(t, asked+1, w.github.accesses, "at once")
	back()
	back()
	require.Equal(t, asked+1, w.github.accesses)
	w.run(3 * time.Second)
	require.Equal(t, asked+2, w.github.accesses, "three seconds after the last look, however often they came back")
	for range 30 { // somebody who changes between two tabs without end
		w.pass(time.Second)
		back()
	}
	require.LessOrEqual(t, w.github.accesses, asked+2+10)
	require.GreaterOrEqual(t, w.github.accesses, asked+2+9, "and who is never made to wait for longer")
}

// A look that is under way may have seen GitHub as it was before.
func TestBackFromGitHubWhileALookIsUnderWayLooksOnceMore(t *testing.T) {
	t.Parallel()
	w := connected(t)
	w.run(time.Minute)
	asked := w.github.accesses
	ready := w.github.access
	w.github.access = func() (github.Access, error) {
		access, err := ready()
		require.NoError(t, w.BackFromGitHub(w.ctx, caller))
		w.github.access = ready
		return access, err
	}
	require.NoError(t, w.BackFromGitHub(w.ctx, caller))
	w.settle()
	require.Equal(t, asked+1, w.github.accesses)
	w.run(3 * time.Second)
	require.Equal(t, asked+2, w.github.accesses)
	w.run(time.Hour)
	require.Equal(t, asked+2, w.github.accesses)
}

func TestBackFromGitHubLeavesABackOffAlone(t *testing.T) {
	t.Parallel()
	w := connected(t)
	w.run(time.Minute)
	w.github.access = func() (github.Access, error) {
		return github.Access{}, &apierror.Error{Code: apierror.CodeGitHubLimited, Retryable: true, RetryAfter: 10 * time.Minute}
	}
	require.NoError(t, w.BackFromGitHub(w.ctx, caller))
	w.settle()
	asked := w.github.accesses
	for range 60 {
		w.pass(5 * time.Second)
		require.NoError(t, w.BackFromGitHub(w.ctx, caller))
		w.settle()
	}
	require.Equal(t, asked, w.github.accesses, "GitHub has said when to come again")
}

func TestBackFromGitHubWithoutAConnectionDoesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	require.NoError(t, w.BackFromGitHub(w.ctx, caller))
	w.run(time.Minute)
	require.Zero(t, w.github.accesses)
}

func TestAccessThatReachesARepositoryIsRemembered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hub.runs("")
	ready := w.github.access
	w.github.access = func() (github.Access, error) { return github.Access{State: github.AccessNotInstalled}, nil }
	w.start()
	w.approve("ghu_first")
	w.run(time.Minute)
	require.False(t, w.user().Chose)
	w.github.access = ready
	w.run(11 * time.Second)
	require.True(t, w.user().Chose)
	w.run(9 * time.Hour)
	require.Equal(t, flow.Expired, w.state())
	require.Greater(t, w.user().Flow.EndedAt.Sub(w.user().Flow.StartedAt), 8*time.Hour-time.Minute, "not when it was connected")
	require.True(t, w.user().Chose, "the next morning there is one step less")
	w.github.access = func() (github.Access, error) { return github.Access{State: github.AccessNotInstalled}, nil }
	w.start()
	w.approve("ghu_second")
	w.run(time.Minute)
	require.True(t, w.user().Chose)
}

// Whoever has the page open is signed in, whatever the record keeps.
func TestAwaitsSignInWhereOnlyAHubTokenIsMissing(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		adjust []func(*flow.Options)
		happen func(w *world)
		awaits bool
	}{
		"nothing waits": {nil, func(*world) {}, false},
		"the connection ended after the delivery": {nil, func(w *world) { w.run(8*time.Hour + time.Minute) }, true},
		"a program disconnected": {nil, func(w *world) {
			_, err := w.Disconnect(w.ctx, program(userName, ""))
			require.NoError(w.t, err)
			w.settle()
		}, true},
		"an administrator ended it": {nil, func(w *world) {
			_, err := w.EndConnection(w.ctx, userName, "admin root")
			require.NoError(w.t, err)
			w.settle()
		}, true},
		"a program connected again": {nil, func(w *world) {
			_, _, err := w.Start(w.ctx, program(userName, ""), flow.Request{})
			require.NoError(w.t, err)
			w.approve("ghu_second")
			w.run(10 * time.Second)
			require.Equal(w.t, "ghu_first", w.servers.at(""))
		}, true},
		"another browser, whose token was kept, signed out": {nil, func(w *world) {
			w.hub.stopped("")
			_, err := w.Deliver(w.ctx, caller, []string{""}, false)
			require.NoError(w.t, err)
			w.hub.tokens = map[string]bool{"other": true}
			w.run(time.Minute)
		}, true},
		"or while servers are looked at": {[]func(*flow.Options){revokeOnStop}, func(w *world) {
			w.hub.tokens = map[string]bool{"other": true}
			w.run(5 * time.Minute)
		}, true},
		"the Hub lacks a scope": {nil, func(w *world) {
			w.hub.err = fmt.Errorf("GET users: %w", hub.ErrForbidden)
			_, err := w.Deliver(w.ctx, caller, []string{""}, false)
			require.NoError(w.t, err)
			w.settle()
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := connected(t, test.adjust...)
			test.happen(w)
			require.Equal(t, test.awaits, w.AwaitsSignIn(w.user()))
			if !test.awaits {
				return
			}
			w.hub.tokens["other"] = true
			require.NoError(t, w.SignedIn(w.ctx, browser(userName, "other")))
			require.False(t, w.AwaitsSignIn(w.user()), "one look at the page is enough")
			w.settle()
			require.False(t, w.AwaitsSignIn(w.user()))
		})
	}
}
