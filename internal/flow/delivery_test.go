package flow_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/flow"
	"github.com/ghscoped/ghscoped-service/internal/hub"
)

// approved is a world whose user has approved; nothing is identified yet.
func approved(t *testing.T, prepare func(*world), servers ...string) *world {
	t.Helper()
	w := newWorld(t)
	prepare(w)
	w.start(servers...)
	w.approve("ghu_first")
	w.pass(6 * time.Second)
	require.Equal(t, 1, w.Advance(w.ctx))
	require.Equal(t, flow.Approved, w.state())
	return w
}

func TestDeliveryGoesWhereItShould(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		servers func(*world)
		chosen  []string
		want    map[string]flow.DeliveryState
	}{
		"the one that runs": {func(w *world) { w.hub.runs("") }, nil,
			map[string]flow.DeliveryState{"": flow.DeliveryDelivered}},
		"all that run": {func(w *world) { w.hub.runs("", "gpu test"); w.hub.stopped("old") }, nil,
			map[string]flow.DeliveryState{"": flow.DeliveryDelivered, "gpu test": flow.DeliveryDelivered}},
		"a named one only": {func(w *world) { w.hub.runs("gpu test"); w.hub.stopped("") }, nil,
			map[string]flow.DeliveryState{"gpu test": flow.DeliveryDelivered}},
		"those that were chosen, each once": {func(w *world) { w.hub.runs("", "a", "b") }, []string{"a", "", "a"},
			map[string]flow.DeliveryState{"": flow.DeliveryDelivered, "a": flow.DeliveryDelivered}},
		"none runs: the default one, later": {func(w *world) { w.hub.stopped("") }, nil,
			map[string]flow.DeliveryState{"": flow.DeliveryWaiting}},
		"the Hub lists none: the default one, later": {func(*world) {}, nil,
			map[string]flow.DeliveryState{"": flow.DeliveryWaiting}},
		"a chosen one that is stopping: later": {func(w *world) { w.hub.set("", false, "stop") }, []string{""},
			map[string]flow.DeliveryState{"": flow.DeliveryWaiting}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := approved(t, c.servers, c.chosen...)
			w.run(10 * time.Second)
			require.Equal(t, flow.Connected, w.state())
			got := map[string]flow.DeliveryState{}
			for _, d := range w.user().Deliveries {
				got[d.Server] = d.State
				if d.State == flow.DeliveryDelivered {
					require.Equal(t, "ghu_first", w.servers.at(d.Server))
					require.Equal(t, "terminal", d.Method)
				}
			}
			require.Equal(t, c.want, got)
			for _, server := range []string{"", "a", "b", "old", "gpu test"} {
				_, err := w.Credential(w.ctx, program(userName, server), "")
				if _, chosen := c.want[server]; !chosen {
					requireCode(t, err, apierror.CodeServerNotChosen)
					continue
				}
				require.NoError(t, err, server)
			}
		})
	}
}

func reveal(t *testing.T, w *world) string {
	t.Helper()
	c, err := w.Credential(w.ctx, program(userName, ""), "")
	require.NoError(t, err)
	require.Equal(t, "https://github.test", c.Host.String())
	require.Equal(t, "x-access-token", c.Username)
	return c.Password.Reveal()
}

func TestDeliveryWaitsForAServerOnItsWayUntilItIsReady(t *testing.T) {
	t.Parallel()
	w := approved(t, func(w *world) { w.hub.spawning("") })
	w.run(30 * time.Second)
	require.Equal(t, flow.Delivering, w.state())
	require.Equal(t, flow.DeliveryStarting, w.delivery("").State)
	require.Less(t, w.hub.looks, 35, "once a second")
	w.hub.runs("")
	w.run(2 * time.Second)
	require.Equal(t, flow.Connected, w.state())
	require.Equal(t, 1, w.servers.writes)
	require.True(t, w.user().HubToken.Empty(), "the Hub token is kept only while it is needed")
}

func TestDeliveryWaitsTenMinutesOnlyForAServerThatNeverGetsReady(t *testing.T) {
	t.Parallel()
	w := approved(t, func(w *world) { w.hub.spawning("") })
	w.run(9 * time.Minute)
	require.Equal(t, flow.Delivering, w.state())
	w.run(2 * time.Minute)
	require.Equal(t, flow.Connected, w.state())
	require.Equal(t, "ghu_first", reveal(t, w), "the connection itself is made")
	w.hub.runs("")
	w.run(time.Minute)
	require.Equal(t, flow.DeliveryDelivered, w.delivery("").State)
}

func TestDeliveryStartsAStoppedServerOnceWhenAskedTo(t *testing.T) {
	t.Parallel()
	w := approved(t, func(w *world) { w.hub.stopped("") })
	w.run(time.Minute)
	require.Empty(t, w.hub.starts, "never by itself")
	_, err := w.Deliver(w.ctx, caller, []string{""}, true)
	require.NoError(t, err)
	w.settle()
	require.Equal(t, flow.DeliveryStarting, w.delivery("").State)
	w.run(5 * time.Second)
	w.hub.runs("")
	w.run(2 * time.Second)
	require.Equal(t, flow.DeliveryDelivered, w.delivery("").State)
	require.Equal(t, []string{""}, w.hub.starts)
}

func TestDeliverySaysThatAServerDiedWhileItStarted(t *testing.T) {
	t.Parallel()
	w := approved(t, func(w *world) { w.hub.stopped("") })
	w.settle()
	_, err := w.Deliver(w.ctx, caller, []string{""}, true)
	require.NoError(t, err)
	w.run(3 * time.Second)
	w.hub.stopped("")
	w.run(2 * time.Second)
	d := w.delivery("")
	require.Equal(t, flow.DeliveryWaiting, d.State)
	require.Equal(t, "server_did_not_start", d.Error.Code)
	w.run(2 * time.Minute)
	require.Equal(t, "server_did_not_start", w.delivery("").Error.Code, "and stays said")
	require.Equal(t, []string{""}, w.hub.starts, "not started again and again")
	w.hub.runs("")
	w.run(40 * time.Second)
	require.Equal(t, flow.DeliveryDelivered, w.delivery("").State)
	require.Nil(t, w.delivery("").Error)
}

func TestDeliveryStartsNoServerAgainThatFailsAtOnce(t *testing.T) {
	t.Parallel()
	w := approved(t, func(w *world) { w.hub.stopped("") })
	w.settle()
	w.hub.startOK = func(string) error { return &hub.UnavailableError{Err: errors.New("500")} }
	w.hub.progress = func() (string, bool, error) { return "Spawn failed: no image", false, nil }
	_, err := w.Deliver(w.ctx, caller, []string{""}, true)
	require.NoError(t, err)
	w.run(time.Hour)
	require.Len(t, w.hub.starts, 1)
	require.Equal(t, "server_did_not_start", w.delivery("").Error.Code)
	require.Equal(t, "Spawn failed: no image", w.delivery("").Progress)
}

func TestDeliveryStartsAStoppingServerWhenItHasStopped(t *testing.T) {
	t.Parallel()
	w := approved(t, func(w *world) { w.hub.set("", false, "stop") })
	w.settle()
	_, err := w.Deliver(w.ctx, caller, []string{""}, true)
	require.NoError(t, err)
	w.run(3 * time.Second)
	require.Empty(t, w.hub.starts)
	w.hub.stopped("")
	w.run(2 * time.Second)
	require.Equal(t, []string{""}, w.hub.starts)
}

func TestDeliveryToAWaitingServerWhenItIsSeenRunning(t *testing.T) {
	t.Parallel()
	w := approved(t, func(w *world) { w.hub.stopped("") })
	w.run(time.Hour)
	require.LessOrEqual(t, w.hub.looks, 125, "every half minute")
	w.hub.runs("")
	w.run(35 * time.Second)
	require.Equal(t, "ghu_first", w.servers.at(""))
}

func TestDeliveryOutlivesTheUsersSignIn(t *testing.T) {
	t.Parallel()
	w := approved(t, func(w *world) { w.hub.stopped("") })
	w.settle()
	w.hub.tokens = map[string]bool{}
	w.run(time.Minute)
	d := w.delivery("")
	require.Equal(t, flow.DeliveryWaiting, d.State)
	require.Equal(t, "hub_signed_out", d.Error.Code)
	require.True(t, w.user().HubToken.Empty())
	looks := w.hub.looks
	w.run(time.Hour)
	require.Equal(t, looks, w.hub.looks, "a dead token is not tried again and again")
	w.hub.runs("")
	w.hub.tokens["fresh"] = true
	require.NoError(t, w.SignedIn(w.ctx, browser(userName, "fresh")))
	w.settle()
	require.Equal(t, flow.DeliveryDelivered, w.delivery("").State)
}

func TestHubTokenIsKeptForItsTimeAndNoLonger(t *testing.T) {
	t.Parallel()
	w := approved(t, func(w *world) {
		w.options.HubTokenLife = 2 * time.Hour
		w.options.KeepFresh = true
		w.restart()
		w.hub.stopped("")
	})
	w.run(119 * time.Minute)
	require.False(t, w.user().HubToken.Empty())
	w.run(2 * time.Minute)
	require.True(t, w.user().HubToken.Empty())
	looks := w.hub.looks
	w.hub.runs("")
	w.run(time.Hour)
	require.Equal(t, looks, w.hub.looks)

	idle := connected(t, keepFresh, func(o *flow.Options) { o.HubTokenLife = 2 * time.Hour })
	idle.run(121 * time.Minute)
	require.True(t, idle.user().HubToken.Empty(), "also where nothing else happens")
}

func TestHubTokenIsNotProlongedByItsUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hub.stopped("")
	session := caller
	session.HubTokenExpires = w.clock().Add(8 * time.Hour)
	until := session.HubTokenExpires
	_, _, err := w.Start(w.ctx, session, flow.Request{})
	require.NoError(t, err)
	w.approve("ghu_first")
	w.run(time.Minute)
	require.True(t, until.Equal(w.user().HubTokenExpires))
	w.pass(7 * time.Hour)
	for name, use := range map[string]func() error{
		"a look at the page": func() error { return w.SignedIn(w.ctx, session) },
		"a delivery":         func() error { _, err := w.Deliver(w.ctx, session, []string{""}, false); return err },
	} {
		require.NoError(t, use(), name)
		require.True(t, until.Equal(w.user().HubTokenExpires), name)
	}
	w.run(61 * time.Minute)
	require.True(t, w.user().HubToken.Empty())
}

func TestHubTokenOfASignInCountsWhileTheOldOneIsRefused(t *testing.T) {
	t.Parallel()
	fresh := browser(userName, "fresh")
	signIn := func(t *testing.T, w *world) {
		w.hub.tokens = map[string]bool{"fresh": true}
		w.hub.during("Servers", func() { require.NoError(t, w.SignedIn(w.ctx, fresh)) })
	}
	t.Run("by a delivery", func(t *testing.T) {
		t.Parallel()
		w := approved(t, func(w *world) { w.hub.stopped("") })
		w.settle()
		w.hub.runs("")
		signIn(t, w)
		w.run(35 * time.Second)
		require.Equal(t, flow.DeliveryDelivered, w.delivery("").State)
	})
	t.Run("before the connection is made", func(t *testing.T) {
		t.Parallel()
		w := approved(t, func(w *world) { w.hub.runs("") })
		w.hub.tokens = map[string]bool{"fresh": true}
		w.hub.during("Whoami", func() { require.NoError(t, w.SignedIn(w.ctx, fresh)) })
		w.run(5 * time.Second)
		require.Equal(t, flow.Connected, w.state())
		require.Equal(t, "ghu_first", w.servers.at(""))
	})
	t.Run("by the plan", func(t *testing.T) {
		t.Parallel()
		w := approved(t, func(w *world) { w.hub.runs("") })
		w.github.during("Account", func() { signIn(t, w) })
		w.run(5 * time.Second)
		require.Equal(t, flow.Connected, w.state())
		require.Equal(t, "ghu_first", w.servers.at(""))
	})
	t.Run("by a removal", func(t *testing.T) {
		t.Parallel()
		w := connected(t)
		_, err := w.Disconnect(w.ctx, caller)
		require.NoError(t, err)
		signIn(t, w)
		w.settle()
		require.Empty(t, w.servers.content)
	})
}

func TestHubSignOutEndsAFlowThatIsNotApprovedYet(t *testing.T) {
	t.Parallel()
	for mode, adjust := range map[string]func(*flow.Options){
		"push": func(*flow.Options) {},
		"pull": func(o *flow.Options) { o.Deliverer = nil },
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, adjust)
			w.hub.runs("")
			w.start()
			w.hub.tokens = map[string]bool{}
			w.approve("ghu_first")
			w.run(time.Minute)
			require.Equal(t, flow.Cancelled, w.state())
			require.Equal(t, "hub_signed_out", w.user().Flow.Error.Code)
			require.Equal(t, []string{"ghu_first"}, w.github.revoked)
			require.Zero(t, w.servers.writes)
			require.Nil(t, w.user().Connection)
			require.Empty(t, w.audit.all("disconnected"), "there never was a connection")

			w.start()
			w.approve("ghu_second")
			w.hub.tokens["fresh"] = true
			require.NoError(t, w.SignedIn(w.ctx, browser(userName, "fresh")))
			w.run(time.Minute)
			require.Equal(t, flow.Connected, w.state(), "who signs in again in time goes on")
		})
	}
}

func TestDeliveryWaitsForTheHubBeforeTheConnectionIsMade(t *testing.T) {
	t.Parallel()
	for mode, adjust := range map[string]func(*world){
		"push": func(*world) {},
		"pull": func(w *world) { w.options.Deliverer = nil; w.restart() },
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			w := approved(t, adjust)
			w.hub.err = &hub.UnavailableError{Err: errors.New("down")}
			w.run(20 * time.Minute)
			require.Equal(t, flow.Approved, w.state(), "beyond the code's end: the approval is worth keeping")
			require.Equal(t, "hub_unavailable", w.user().Flow.Error.Code)
			w.hub.err = nil
			w.run(2 * time.Minute)
			require.Equal(t, flow.Connected, w.state())
		})
	}
}

func TestDeliveryOfAProgramWithoutAHubTokenIsNone(t *testing.T) {
	t.Parallel()
	program := program(userName, "")
	begin := func(t *testing.T, w *world, token string) {
		_, created, err := w.Start(w.ctx, program, flow.Request{})
		require.NoError(t, err)
		require.True(t, created)
		w.approve(token)
		w.run(10 * time.Second)
		require.Equal(t, flow.Connected, w.state())
		require.Nil(t, w.user().Flow.Error)
		require.Equal(t, token, reveal(t, w))
	}
	t.Run("to begin with", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.hub.runs("")
		begin(t, w, "ghu_first")
		require.Empty(t, w.user().Deliveries)
		require.Zero(t, w.hub.asked+w.hub.looks, "the Hub is not asked with no token")
		require.Empty(t, w.github.revoked)

		_, err := w.Deliver(w.ctx, caller, []string{""}, false)
		require.NoError(t, err)
		w.settle()
		require.Equal(t, "ghu_first", w.servers.at(""), "the page sets a server up")
	})
	t.Run("but a server that holds an older token gets it at the next sign-in", func(t *testing.T) {
		t.Parallel()
		w := connected(t)
		begin(t, w, "ghu_second")
		require.Equal(t, flow.DeliveryWaiting, w.delivery("").State)
		require.Equal(t, "hub_signed_out", w.delivery("").Error.Code)
		require.NoError(t, w.SignedIn(w.ctx, caller))
		w.settle()
		require.Equal(t, "ghu_second", w.servers.at(""))
	})
	t.Run("not even if the page was opened meanwhile", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.hub.runs("")
		_, _, err := w.Start(w.ctx, program, flow.Request{})
		require.NoError(t, err)
		require.NoError(t, w.SignedIn(w.ctx, caller))
		w.approve("ghu_first")
		w.run(10 * time.Second)
		require.Empty(t, w.servers.content)
		require.Empty(t, w.user().Deliveries)
	})
	t.Run("and a sign-out at the Hub ends only what a browser began", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		_, _, err := w.Start(w.ctx, program, flow.Request{})
		require.NoError(t, err)
		require.NoError(t, w.SignedIn(w.ctx, caller))
		w.hub.tokens = nil
		w.approve("ghu_first")
		w.run(10 * time.Second)
		require.Equal(t, flow.Connected, w.state())
	})
}

func TestDeliveryWaitsOutErrorsOfTheHub(t *testing.T) {
	t.Parallel()
	w := approved(t, func(w *world) { w.hub.runs("") })
	w.hub.err = &hub.UnavailableError{RetryAfter: 40 * time.Second, Err: errors.New("503")}
	w.settle()
	require.Equal(t, "hub_unavailable", w.user().Flow.Error.Code)
	looks := w.hub.looks
	w.run(39 * time.Second)
	require.Equal(t, looks, w.hub.looks, "Retry-After is honoured")
	w.hub.err = nil
	w.run(5 * time.Second)
	require.Equal(t, flow.Connected, w.state())

	_, err := w.Deliver(w.ctx, caller, []string{""}, false)
	require.NoError(t, err)
	w.hub.err = &hub.UnavailableError{Err: errors.New("reset")}
	w.run(20 * time.Minute)
	d := w.delivery("")
	require.Equal(t, flow.DeliveryQueued, d.State, "however long it takes")
	require.Equal(t, "hub_unavailable", d.Error.Code)
	w.hub.err = nil
	w.servers.err = &apierror.Error{Code: "server_unreachable", Retryable: true}
	w.run(70 * time.Second)
	require.Equal(t, flow.DeliveryQueued, w.delivery("").State, "the Hub's troubles do not use up the server's tries")
	w.servers.err = nil
	w.run(70 * time.Second)
	require.Equal(t, flow.DeliveryDelivered, w.delivery("").State)
}

func TestDeliveryNamesAMissingScopeAndTheConnectionStands(t *testing.T) {
	t.Parallel()
	w := approved(t, func(w *world) { w.hub.runs("") })
	w.hub.err = fmt.Errorf("GET users: %w", hub.ErrForbidden)
	w.run(time.Minute)
	require.Equal(t, flow.Connected, w.state())
	d := w.delivery("")
	require.Equal(t, flow.DeliveryFailed, d.State)
	require.Equal(t, "hub_scope_missing", d.Error.Code)
	require.Equal(t, "ghu_first", reveal(t, w))
}

func TestDeliveryNamesAStartThatTheHubForbids(t *testing.T) {
	t.Parallel()
	w := approved(t, func(w *world) { w.hub.stopped("") })
	w.settle()
	w.hub.startOK = func(string) error { return hub.ErrForbidden }
	_, err := w.Deliver(w.ctx, caller, []string{""}, true)
	require.NoError(t, err)
	w.settle()
	require.Equal(t, "hub_scope_missing", w.delivery("").Error.Code)
	require.Equal(t, flow.DeliveryFailed, w.delivery("").State)
}

func TestDeliveryWaitsOutASpawnLimit(t *testing.T) {
	t.Parallel()
	w := approved(t, func(w *world) { w.hub.stopped("") })
	w.settle()
	w.hub.startOK = func(string) error {
		w.hub.startOK = func(string) error { w.hub.runs(""); return nil }
		return &hub.UnavailableError{RetryAfter: 30 * time.Second, Err: errors.New("429")}
	}
	_, err := w.Deliver(w.ctx, caller, []string{""}, true)
	require.NoError(t, err)
	w.run(29 * time.Second)
	require.Len(t, w.hub.starts, 1)
	w.run(5 * time.Second)
	require.Len(t, w.hub.starts, 2)
	require.Equal(t, flow.DeliveryDelivered, w.delivery("").State)
}

func TestDeliveryFails(t *testing.T) {
	t.Parallel()
	t.Run("at once, with its cause, where trying again is of no use", func(t *testing.T) {
		t.Parallel()
		w := approved(t, func(w *world) { w.hub.runs("") })
		w.servers.err = &apierror.Error{Code: "disk_full", Message: "No space."}
		w.run(time.Hour)
		require.Equal(t, 1, w.servers.writes)
		require.Equal(t, "disk_full", w.delivery("").Error.Code)
		require.Equal(t, flow.DeliveryFailed, w.delivery("").State)
		require.Equal(t, flow.Connected, w.state(), "the pull helper still has the token")
		require.Equal(t, 1.0, w.metric("ghscoped_delivery_duration_seconds", "method", "none", "status", "error"))
		w.servers.err = nil
		_, err := w.Deliver(w.ctx, caller, []string{""}, false)
		require.NoError(t, err)
		w.settle()
		require.Equal(t, flow.DeliveryDelivered, w.delivery("").State)
		require.Equal(t, 1.0, w.metric("ghscoped_delivery_duration_seconds", "method", "terminal", "status", "ok"))
	})
	t.Run("after eight tries where it might have passed", func(t *testing.T) {
		t.Parallel()
		w := approved(t, func(w *world) { w.hub.runs("") })
		w.servers.err = &apierror.Error{Code: "server_unreachable", Retryable: true}
		w.run(30 * time.Second)
		require.Equal(t, flow.DeliveryQueued, w.delivery("").State)
		w.run(time.Hour)
		require.Equal(t, 8, w.servers.writes)
		require.Equal(t, flow.DeliveryFailed, w.delivery("").State)
		require.Len(t, w.audit.all("delivered"), 8, "failures are audited too")
	})
}

func TestPullModeWritesNothingAndKeepsTheHubTokenForTheFlowOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *flow.Options) { o.Deliverer = nil })
	w.hub.runs("")
	w.start()
	require.False(t, w.user().HubToken.Empty())
	w.approve("ghu_first")
	w.run(time.Minute)
	require.Equal(t, flow.Connected, w.state())
	require.True(t, w.user().HubToken.Empty())
	require.NoError(t, w.SignedIn(w.ctx, caller))
	require.True(t, w.user().HubToken.Empty())
	require.Empty(t, w.user().Deliveries)
	require.Equal(t, 1, w.hub.looks, "which servers run")
	require.Equal(t, "ghu_first", reveal(t, w))
	_, err := w.Deliver(w.ctx, caller, []string{"another"}, false)
	require.NoError(t, err)
	require.Empty(t, w.user().Deliveries)
	require.Equal(t, []string{"", "another"}, w.user().Connection.Servers)
	w.run(8 * time.Hour)
	_, err = w.Credential(w.ctx, program(userName, ""), "")
	require.Error(t, err, "an expired token is not handed out")
}

func TestPullModeLeavesDeliveriesOfPushModeAlone(t *testing.T) {
	t.Parallel()
	w := connected(t)
	_, err := w.Deliver(w.ctx, caller, []string{""}, false)
	require.NoError(t, err)
	w.options.Deliverer = nil
	w.restart()
	w.settle()
	require.Equal(t, flow.DeliveryFailed, w.delivery("").State)
	_, err = w.Disconnect(w.ctx, caller)
	require.NoError(t, err)
	w.settle()
	require.Equal(t, flow.DeliveryRemoving, w.delivery("").State)
}

func TestDeliverBoundsTheServersOfAUser(t *testing.T) {
	t.Parallel()
	w := connected(t)
	var err error
	for n := 0; err == nil && n < 200; n++ {
		_, err = w.Deliver(w.ctx, caller, []string{fmt.Sprint("s", n)}, false)
	}
	var refused *apierror.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, apierror.CodeManyServers, refused.Code)
	require.Len(t, w.user().Deliveries, 100)
	_, _, err = w.Start(w.ctx, caller, flow.Request{Servers: make([]string, 101)})
	require.ErrorAs(t, err, &refused)
}

// The token is there, and there is something to know about it.
func TestDeliveryThatSucceededMayHaveARemark(t *testing.T) {
	t.Parallel()
	w := approved(t, func(w *world) {
		w.hub.runs("")
		w.servers.lost = &apierror.Error{Code: apierror.CodeHelperCopies, Message: "m"}
	})
	w.run(time.Minute)
	d := w.delivery("")
	require.Equal(t, flow.DeliveryDelivered, d.State)
	require.Equal(t, apierror.CodeHelperCopies, d.Error.Code)
	require.NotEmpty(t, d.Delivered)
	require.Equal(t, 1, w.servers.writes, "it is not tried again")

	w.servers.lost = nil
	_, err := w.Deliver(w.ctx, caller, []string{""}, false)
	require.NoError(t, err)
	w.settle()
	require.Nil(t, w.delivery("").Error)
}
