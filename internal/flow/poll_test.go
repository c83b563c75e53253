package flow_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/flow"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

func outcomes(list ...github.PollStatus) func(int) (github.PollResult, error) {
	return func(n int) (github.PollResult, error) {
		return github.PollResult{Status: list[min(n, len(list))-1]}, nil
	}
}

func TestPollMovesTheFlowByEveryAnswer(t *testing.T) {
	t.Parallel()
	passing := &apierror.Error{Code: "github_unreachable", Message: "m", Retryable: true}
	for name, c := range map[string]struct {
		poll  func(int) (github.PollResult, error)
		state flow.State
		code  string
		polls int
	}{
		"still pending: asked again":                           {outcomes(github.PollPending), flow.Pending, "", 4},
		"declined: denied":                                     {outcomes(github.PollPending, github.PollDenied), flow.Denied, "denied", 2},
		"code too old: expired":                                {outcomes(github.PollExpired), flow.Expired, "code_expired", 1},
		"wrong code twice: borne":                              {outcomes(github.PollIncorrect, github.PollIncorrect, github.PollPending), flow.Pending, "", 4},
		"wrong code three times: failed":                       {outcomes(github.PollIncorrect), flow.Failed, "answer_lost", 3},
		"wrong code, not in a row: borne":                      {outcomes(github.PollIncorrect, github.PollIncorrect, github.PollPending, github.PollIncorrect), flow.Pending, "", 4},
		"the App is set up wrongly: failed":                    {func(int) (github.PollResult, error) { return github.PollResult{}, &apierror.Error{Code: "app_unknown"} }, flow.Failed, "app_unknown", 1},
		"an error that is none of ours: failed":                {func(int) (github.PollResult, error) { return github.PollResult{}, errors.New("boom") }, flow.Failed, "internal", 1},
		"passing trouble: the code stays, the cause beside it": {func(int) (github.PollResult, error) { return github.PollResult{}, passing }, flow.Pending, "github_unreachable", 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.github.poll = c.poll
			w.start()
			w.run(23 * time.Second)
			f := w.user().Flow
			require.Equal(t, c.state, f.State)
			require.Len(t, w.github.polls, c.polls)
			code := ""
			if f.Error != nil {
				code = f.Error.Code
			}
			require.Equal(t, c.code, code)
			require.Equal(t, c.state.Final(), f.DeviceCode.Empty(), "the device code is kept exactly as long as it is of use")
			require.Equal(t, "ABCD-1234", f.UserCode)
		})
	}
}

func gaps(times []time.Time) []time.Duration {
	var all []time.Duration
	for i := 1; i < len(times); i++ {
		all = append(all, times[i].Sub(times[i-1]))
	}
	return all
}

func TestPollKeepsTheInterval(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	began := w.clock()
	w.start()
	w.pass(5*time.Second - time.Millisecond)
	require.Zero(t, w.Advance(w.ctx), "nothing is asked before the interval is over")
	w.run(10 * time.Minute)
	require.GreaterOrEqual(t, w.github.polls[0].Sub(began), 5*time.Second)
	for _, gap := range gaps(w.github.polls) {
		require.GreaterOrEqual(t, gap, 5*time.Second)
		require.LessOrEqual(t, gap, 5500*time.Millisecond+2*time.Millisecond, "a tenth of jitter, rounded up to the store's milliseconds")
	}
	require.Greater(t, len(w.github.polls), 100)
}

func TestPollIntervalCountsFromTheAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start()
	w.github.during("PollOnce", func() { w.pass(9 * time.Second) })
	w.run(40 * time.Second)
	require.GreaterOrEqual(t, gaps(w.github.polls)[0], 14*time.Second)
}

func TestPollSlowDownRaisesTheIntervalForGood(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		named, want time.Duration
	}{
		"by five seconds where GitHub names none": {0, 10 * time.Second},
		"to what GitHub names":                    {17 * time.Second, 17 * time.Second},
		"never by less than five seconds":         {time.Second, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.github.poll = func(n int) (github.PollResult, error) {
				if n == 1 {
					return github.PollResult{Status: github.PollSlowDown, Interval: c.named}, nil
				}
				return github.PollResult{Status: github.PollPending}, nil
			}
			w.start()
			w.run(6 * time.Second)
			require.Len(t, w.github.polls, 1)
			w.restart() // the raised interval is in the record, not in the process
			w.run(2 * time.Minute)
			for _, gap := range gaps(w.github.polls) {
				require.GreaterOrEqual(t, gap, c.want)
				require.Less(t, gap, c.want+c.want/10+5*time.Millisecond)
			}
			require.Equal(t, c.want, w.user().Flow.Interval)
		})
	}
}

func TestPollBacksOffOnRetryableErrorsAndForgetsThem(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	down := true
	w.github.poll = func(int) (github.PollResult, error) {
		if down {
			return github.PollResult{}, &apierror.Error{Code: "github_unreachable", Retryable: true}
		}
		return github.PollResult{Status: github.PollPending}, nil
	}
	w.start()
	ends := w.user().Flow.ExpiresAt
	w.run(5 * time.Minute)
	waits := gaps(w.github.polls)
	require.Greater(t, waits[len(waits)-1], 55*time.Second)
	require.LessOrEqual(t, slices.Max(waits), 67*time.Second)
	require.Greater(t, waits[1], waits[0])
	require.Equal(t, flow.Pending, w.state())
	require.Equal(t, ends, w.user().Flow.ExpiresAt, "trouble does not move the code's end")
	require.Equal(t, "ABCD-1234", w.user().Flow.UserCode)
	down = false
	w.run(70 * time.Second)
	require.Nil(t, w.user().Flow.Error)
	before := len(w.github.polls)
	w.run(11 * time.Second)
	require.GreaterOrEqual(t, len(w.github.polls), before+2, "back to the interval")
}

func TestPollHonoursRetryAfterButNotBeyondTheCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.github.poll = func(int) (github.PollResult, error) {
		return github.PollResult{}, &apierror.Error{Code: "github_limited", Retryable: true, RetryAfter: 3 * time.Minute}
	}
	w.start()
	w.run(4 * time.Minute)
	require.GreaterOrEqual(t, gaps(w.github.polls)[0], 3*time.Minute)
	require.Less(t, gaps(w.github.polls)[0], 3*time.Minute+5*time.Second+5*time.Millisecond)
	w.github.poll = func(int) (github.PollResult, error) {
		return github.PollResult{}, &apierror.Error{Code: "github_limited", Retryable: true, RetryAfter: 24 * time.Hour}
	}
	w.run(11*time.Minute + 2*time.Millisecond)
	require.Equal(t, flow.Expired, w.state(), "the page does not show a dead code for a day")
}

func TestFlowsThatWereToldToWaitDoNotComeBackAllAtOnce(t *testing.T) {
	t.Parallel()
	back := map[time.Duration]bool{}
	for range 10 {
		w := newWorld(t)
		w.github.poll = func(int) (github.PollResult, error) {
			return github.PollResult{}, &apierror.Error{Code: "github_limited", Retryable: true, RetryAfter: time.Minute}
		}
		w.start()
		w.run(75 * time.Second)
		back[gaps(w.github.polls)[0].Truncate(10*time.Millisecond)] = true
	}
	require.Greater(t, len(back), 5, "they spread over an interval")
}

func TestPollEndsInTimeWithTheCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start()
	w.run(15*time.Minute + 2*time.Millisecond)
	require.Equal(t, flow.Expired, w.state())
	asked := len(w.github.polls)
	w.run(time.Hour)
	require.Len(t, w.github.polls, asked)
	require.Equal(t, 1.0, w.metric("ghscoped_flows_finished_total", "status", "expired"))
}

func TestPollRefusesAndRevokesATokenWithoutAnExpiry(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hub.runs("")
	w.start()
	w.github.poll = func(int) (github.PollResult, error) {
		return github.PollResult{Status: github.PollGranted, Token: github.Token{Access: secret.Store(secret.New("ghu_forever"))}}, nil
	}
	w.run(time.Minute)
	require.Equal(t, flow.Failed, w.state())
	require.Equal(t, "token_never_expires", w.user().Flow.Error.Code)
	require.Equal(t, []string{"ghu_forever"}, w.github.revoked)
	require.Zero(t, w.servers.writes)
	require.Empty(t, w.user().Revocations)
}

func TestPollStoresNoRefreshTokenUnlessAskedFor(t *testing.T) {
	t.Parallel()
	for _, keep := range []bool{false, true} {
		t.Run(fmt.Sprint("keep fresh: ", keep), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(o *flow.Options) { o.KeepFresh = keep })
			w.start()
			w.approve("ghu_first")
			w.pass(6 * time.Second)
			w.Advance(w.ctx)
			require.Equal(t, flow.Approved, w.state())
			require.Equal(t, keep, !w.user().Flow.Token.Refresh.Empty())
		})
	}
}

// A process that was killed in mid-poll has told nobody of it.
func TestPollAfterARestartKeepsTheInterval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		stop := w.follow()
		w.start()
		time.Sleep(6 * time.Second)
		stop()
		require.Len(t, w.github.polls, 1)
		time.Sleep(time.Minute) // the next poll is due, and may have been made
		killed := time.Now()

		w.restart()
		stop = w.follow()
		time.Sleep(6 * time.Second)
		stop()
		require.Len(t, w.github.polls, 2)
		require.GreaterOrEqual(t, w.github.polls[1].Sub(killed), 5*time.Second)
	})
}
