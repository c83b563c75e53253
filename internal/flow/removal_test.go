package flow_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/flow"
	"github.com/ghscoped/ghscoped-service/internal/hub"
)

func TestDisconnectTakesTheTokenOutEverywhere(t *testing.T) {
	t.Parallel()
	w := approved(t, func(w *world) { w.hub.runs("", "a", "b") })
	w.run(5 * time.Second)
	w.hub.stopped("b")
	w.hub.stopped("c")
	_, err := w.Deliver(w.ctx, caller, []string{"c"}, false) // waits, never written
	require.NoError(t, err)
	w.settle()
	_, err = w.Disconnect(w.ctx, caller)
	require.NoError(t, err)
	require.Nil(t, w.user().Connection, "at once")
	_, err = w.Credential(w.ctx, program(userName, ""), "")
	require.Error(t, err)
	w.run(10 * time.Second)
	require.Equal(t, map[string]string{"/user/ada/b": "ghu_first"}, w.servers.content)
	require.Equal(t, flow.DeliveryRemoving, w.delivery("b").State)
	require.Len(t, w.user().Deliveries, 1)
	require.Equal(t, []string{"ghu_first"}, w.github.revoked)

	w.hub.tokens = map[string]bool{"fresh": true}
	w.run(24 * time.Hour)
	require.True(t, w.user().HubToken.Empty())
	w.hub.runs("b")
	require.NoError(t, w.SignedIn(w.ctx, browser(userName, "fresh")))
	w.settle()
	require.Empty(t, w.servers.content, "the stopped server is cleaned when it next runs")
	require.Empty(t, w.user().Deliveries)
	require.Zero(t, w.user().Version, "nothing is known of the user any more")
	require.Len(t, w.audit.all("disconnected"), 1)
	require.Len(t, w.audit.all("removed"), 3)
}

func TestDisconnectWhileTheTokenIsBeingWrittenLeavesNothing(t *testing.T) {
	t.Parallel()
	for _, failing := range []bool{false, true} {
		t.Run(fmt.Sprint("the write fails: ", failing), func(t *testing.T) {
			t.Parallel()
			w := approved(t, func(w *world) { w.hub.runs("") })
			w.servers.during("Deliver", func() {
				w.pass(time.Millisecond)
				_, err := w.Disconnect(w.ctx, caller)
				require.NoError(t, err)
			})
			w.run(time.Minute)
			require.Empty(t, w.servers.content)
			require.Equal(t, []string{"ghu_first"}, w.github.revoked)
			require.Nil(t, w.user().Flow)
			require.Empty(t, w.user().Deliveries)
			require.Equal(t, 1.0, w.metric("ghscoped_flows_finished_total", "status", "cancelled"))
		})
	}
}

func TestDisconnectBeforeAProcessDiesInMidWriteLeavesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := approved(t, func(w *world) { w.hub.runs("") })
		w.servers.during("Deliver", func() {
			_, err := w.Disconnect(w.ctx, caller)
			require.NoError(t, err)
			w.store.save = func() error { return errStore } // what the step found is lost
		})
		for w.store.save == nil {
			require.Equal(t, 1, w.Advance(w.ctx))
		}
		w.store.save = nil
		w.restart()
		w.run(2 * time.Minute)
		require.Empty(t, w.servers.content)
	})
}

func TestRemovalAfterAWriteWhoseAnswerWasLost(t *testing.T) {
	t.Parallel()
	for name, meanwhile := range map[string]func(t *testing.T, w *world){
		"by a look at the page": func(t *testing.T, w *world) { require.NoError(t, w.SignedIn(w.ctx, caller)) },
		"by another delivery": func(t *testing.T, w *world) {
			_, err := w.Deliver(w.ctx, caller, []string{""}, false)
			require.NoError(t, err)
		},
		"by a new connection": func(t *testing.T, w *world) {
			w.start("")
			w.approve("ghu_second")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := approved(t, func(w *world) { w.hub.runs("") })
			w.servers.lost = &apierror.Error{Code: "server_unreachable", Retryable: true}
			w.runUntil(time.Minute, func() bool { return w.servers.writes > 0 })
			w.hub.stopped("")
			w.run(10 * time.Second)
			require.Equal(t, flow.DeliveryWaiting, w.delivery("").State)
			meanwhile(t, w)
			w.run(time.Minute)
			_, err := w.Disconnect(w.ctx, caller)
			require.NoError(t, err)
			w.run(time.Minute)
			require.NotEmpty(t, w.servers.content, "the server is not there to be cleaned")
			w.hub.runs("")
			w.run(time.Minute)
			require.Empty(t, w.servers.content)
			require.Empty(t, w.user().Deliveries)
		})
	}
}

func TestRemovalFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fail func(w *world)
		mend func(w *world)
	}{
		"in the server, for good":   {func(w *world) { w.servers.err = &apierror.Error{Code: "home_read_only"} }, func(w *world) { w.servers.err = nil }},
		"in the server, for long":   {func(w *world) { w.servers.err = &apierror.Error{Code: "x", Retryable: true} }, func(w *world) { w.servers.err = nil }},
		"for want of a scope":       {func(w *world) { w.hub.err = hub.ErrForbidden }, func(w *world) { w.hub.err = nil }},
		"for want of a Hub sign-in": {func(w *world) { w.hub.tokens = nil }, func(w *world) { w.hub.tokens = map[string]bool{hubToken: true} }},
	} {
		t.Run(name+" is not forgotten", func(t *testing.T) {
			t.Parallel()
			w := connected(t)
			c.fail(w)
			_, err := w.Disconnect(w.ctx, caller)
			require.NoError(t, err)
			w.run(9 * time.Hour)
			require.Equal(t, flow.DeliveryRemoving, w.delivery("").State)
			require.LessOrEqual(t, w.servers.removes, 8)
			c.mend(w)
			require.NoError(t, w.SignedIn(w.ctx, caller))
			w.settle()
			require.Empty(t, w.servers.content)
		})
	}
}

func TestReconnectionReplacesTheTokenEverywhere(t *testing.T) {
	t.Parallel()
	w := connected(t)
	w.hub.runs("a")
	_, err := w.Deliver(w.ctx, caller, []string{"a"}, false)
	require.NoError(t, err)
	w.settle()
	w.hub.stopped("a")
	w.start("")
	w.approve("ghu_second")
	revokedEarly := false
	w.hub.during("Servers", func() { w.pass(50 * time.Millisecond) })
	w.servers.during("Deliver", func() { revokedEarly = len(w.github.revoked) > 0 })
	w.run(time.Minute)
	require.False(t, revokedEarly, "the old token lives until the new one is there")
	require.Equal(t, []string{"ghu_first"}, w.github.revoked)
	require.Equal(t, "ghu_second", w.servers.at(""))
	require.Equal(t, flow.DeliveryWaiting, w.delivery("a").State)
	w.hub.runs("a")
	w.run(time.Minute)
	require.Equal(t, "ghu_second", w.servers.at("a"), "it held the old token")
}

func TestRemovalBecomesADeliveryAfterAReconnection(t *testing.T) {
	t.Parallel()
	w := connected(t)
	w.hub.stopped("")
	_, err := w.Disconnect(w.ctx, caller)
	require.NoError(t, err)
	w.run(5 * time.Second)
	require.Equal(t, flow.DeliveryRemoving, w.delivery("").State)
	w.start()
	w.approve("ghu_second")
	w.hub.runs("")
	w.run(time.Minute)
	require.Equal(t, "ghu_second", w.servers.at(""))
	require.Equal(t, flow.DeliveryDelivered, w.delivery("").State)
}
