package flow_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/flow"
	"github.com/ghscoped/ghscoped-service/internal/github"
)

func TestLogsAuditAndMetricsHaveNoSecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *flow.Options) { o.KeepFresh = true })
	w.hub.runs("")
	w.start()
	w.github.poll = func(n int) (github.PollResult, error) {
		if n == 1 {
			return github.PollResult{}, &apierror.Error{Code: "github_unreachable", Retryable: true}
		}
		return github.PollResult{Status: github.PollGranted, Token: w.github.token("ghu_marker")}, nil
	}
	w.servers.err = &apierror.Error{Code: "server_unreachable", Retryable: true}
	w.run(time.Minute)
	w.servers.err = nil
	w.run(time.Minute)
	require.Equal(t, "ghu_marker", w.servers.at(""))
	w.store.save = times(1, errStore)
	_, err := w.Disconnect(w.ctx, caller)
	require.Error(t, err)
	w.github.revoke = func(string) error { return fmt.Errorf("reset") }
	_, err = w.Disconnect(w.ctx, caller)
	require.NoError(t, err)
	w.run(time.Hour)
	families, err := w.metrics.Gather()
	require.NoError(t, err)
	for _, text := range []string{w.log.String(), w.audit.text(t), fmt.Sprint(families), fmt.Sprintf("%+v %#v", w.user(), w.user())} {
		for _, marker := range []string{"ghu_marker", "ghr_marker", "device-code-marker", hubToken} {
			require.NotContains(t, text, marker)
		}
	}
	require.NotContains(t, fmt.Sprint(families), userName, "no user in a label")
	require.Contains(t, w.audit.text(t), "token_sha256")
}

func TestPendingFlowsAreCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pending := func() float64 { return w.metric("ghscoped_flows_pending") }
	require.Zero(t, pending())
	w.start()
	require.Equal(t, 1.0, pending())
	w.run(time.Minute)
	require.Equal(t, 1.0, pending())
	w.pass(10 * time.Second)
	require.Zero(t, pending(), "polled by another process by now")
	w.run(time.Minute)
	require.Equal(t, 1.0, pending())
	_, err := w.Cancel(w.ctx, caller)
	require.NoError(t, err)
	require.Zero(t, pending())
}

func TestFlowIsCountedAndTimed(t *testing.T) {
	t.Parallel()
	w := connected(t)
	require.Equal(t, 1.0, w.metric("ghscoped_flows_started_total", "mode", "device"))
	require.Equal(t, 1.0, w.metric("ghscoped_flows_finished_total", "status", "connected"))
	require.Equal(t, 1.0, w.metric("ghscoped_flow_duration_seconds", "status", "connected"))
	require.Positive(t, w.metric("ghscoped_flow_step_lateness_seconds"))
	finished := w.audit.all("flow_finished")
	require.Len(t, finished, 1)
	require.Equal(t, "Ada", finished[0].Account)
	require.Len(t, finished[0].TokenHash, 64)
}

func TestRunConnectsByItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		stop := w.follow()
		defer stop()
		w.hub.runs("")
		changes := w.Watch(w.ctx, userName)
		w.start()
		w.approve("ghu_first")
		for w.state() != flow.Connected {
			<-changes
		}
		require.Equal(t, "ghu_first", w.servers.at(""))
	})
}

func TestRunHandsOverWithinTenSeconds(t *testing.T) {
	t.Parallel()
	for name, store := range map[string]func() error{"with a store that works": nil, "with a store that does not": func() error { return errStore }} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				stop := w.follow()
				var stuck atomic.Bool
				w.github.poll = func(int) (github.PollResult, error) {
					stuck.Store(true)
					<-w.github.ctx.Done() // a GitHub that does not answer
					w.store.save = store
					return github.PollResult{}, w.github.ctx.Err()
				}
				w.start()
				for !stuck.Load() {
					time.Sleep(time.Second)
				}
				began := time.Now()
				stop()
				require.LessOrEqual(t, time.Since(began), 10*time.Second)
				w.store.save = nil
				require.Equal(t, flow.Pending, w.state(), "a poll that was broken off ends nothing")
				if store == nil {
					require.True(t, w.user().Held.IsZero(), "the record is given back")
					require.Equal(t, "interrupted", w.user().Flow.Error.Code)
				}
			})
		})
	}
}

func TestRunSurvivesAStoreThatIsDownWithoutSpinning(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.store.claim = func() error { return errStore }
		stop := w.follow()
		w.start()
		time.Sleep(time.Minute)
		require.LessOrEqual(t, strings.Count(w.log.String(), "could not be claimed"), 61)
		w.store.mend()
		time.Sleep(3 * time.Second)
		stop()
		require.NotEmpty(t, w.github.polls)
	})
}
