package replicas_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/githubsim"
	"github.com/ghscoped/ghscoped-service/internal/hubtest/journey"
)

const (
	// waiters have a flow each while GitHub wants to be left alone for rest,
	// which is three times their interval.
	waiters = 20
	rest    = 15 * time.Second
)

func TestGitHubLimitsOfOneReplicaAreKeptByTheOther(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	w := newWorld(ctx, t, waiters, 0)
	codes := map[string]string{}
	for _, p := range w.people {
		begun, err := p.ask(ctx, http.MethodPost, "api/flows", http.StatusCreated)
		require.NoError(t, err)
		codes[p.name] = begun.UserCode
	}
	require.Eventually(t, func() bool { return w.github.PollSummary().Polls >= 2*waiters }, time.Minute, 20*time.Millisecond,
		"both replicas poll")

	told := w.limit(ctx, t)
	for name, code := range codes {
		require.NoError(t, w.github.Approve(code, name))
	}
	asked := w.oauthCalls()
	require.Equal(t, "github_limited", w.start(ctx, t, w.replicas[1], "other").Error.Code)
	require.Equal(t, asked, w.oauthCalls(), "the other replica does not ask GitHub")

	for w.oauthCalls() == asked && pause(ctx, 10*time.Millisecond) {
	}
	rested := time.Since(told)
	require.GreaterOrEqual(t, rested, rest, "none of %d flows was polled by either replica", waiters)
	for _, p := range w.people {
		p.waitFor(ctx, t, "connected")
	}
	t.Logf("%d flows; GitHub was left alone for %.1f s of %v, and the last flow ended %.1f s later",
		waiters, rested.Seconds(), rest, (time.Since(told) - rested).Seconds())
	require.Zero(t, w.github.PollSummary().TooEarly)
	require.Equal(t, "pending", w.start(ctx, t, w.replicas[1], "other").State)
	w.requireNoSecrets(ctx, t)
}

// limit has GitHub tell the first replica to wait, and returns a time before it
// did.
func (w *world) limit(ctx context.Context, t *testing.T) time.Time {
	t.Helper()
	_, err := w.github.Fault(githubsim.Fault{Endpoint: "POST /login/device/code", Kind: githubsim.FaultStatus,
		Times: 1, Status: http.StatusTooManyRequests, RetryAfter: int(rest.Seconds())})
	require.NoError(t, err)
	told := time.Now()
	require.Equal(t, "github_limited", w.start(ctx, t, w.replicas[0], "one").Error.Code)
	require.Equal(t, 1, w.github.Faults()[0].Hits)
	pause(ctx, 500*time.Millisecond) // polls that were on their way by then arrive
	return told
}

// oauthCalls counts the calls that the limit is about.
func (w *world) oauthCalls() (calls int) {
	for endpoint, count := range w.github.Stats().Requests {
		if strings.HasPrefix(endpoint, "POST /login/") {
			calls += count
		}
	}
	return calls
}

// start begins a flow at one replica, for a user who may be new.
func (w *world) start(ctx context.Context, t *testing.T, r *replica, user string) (got journey.Flow) {
	t.Helper()
	require.NoError(t, w.hub.CreateUser(ctx, user))
	token, err := w.hub.ServerToken(ctx, user, "")
	require.NoError(t, err)
	response := w.request(ctx, t, r, token, http.MethodPost, "api/flows")
	defer response.Body.Close()
	require.NoError(t, json.NewDecoder(response.Body).Decode(&got))
	return got
}

// waitFor waits until the person's flow is in a state.
func (p *person) waitFor(ctx context.Context, t *testing.T, state string) {
	t.Helper()
	for {
		now, err := p.ask(ctx, http.MethodGet, "api/flows/current", http.StatusOK)
		require.NoError(t, err)
		if now.State == state {
			return
		}
		require.True(t, pause(ctx, 100*time.Millisecond), "%s is %s: %s", p.name, now.State, now.Error.Code)
	}
}
