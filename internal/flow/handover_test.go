package flow_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/flow"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// crowd is a GitHub for many at once: each code is somebody's own, and each poll
// of it is noted. While it is stuck it answers nobody.
type crowd struct {
	*fakeGitHub
	mu       sync.Mutex
	stuck    bool
	approved bool
	times    map[string][]time.Time // of the polls, by device code
	under    map[string]bool        // polls under way
	doubled  []string               // codes that were polled twice at once
	tokens   map[string]int
}

func (c *crowd) DeviceCode(context.Context) (github.DeviceCode, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	code := fmt.Sprintf("code-%d", len(c.times))
	c.times[code] = nil
	return github.DeviceCode{DeviceCode: secret.New(code), UserCode: "ABCD-1234",
		VerificationURI: "https://github.test/login/device", ExpiresIn: c.life, Interval: c.interval}, nil
}

func (c *crowd) PollOnce(ctx context.Context, code secret.String) (github.PollResult, error) {
	if c.begins(code.Reveal()) {
		<-ctx.Done()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.under[code.Reveal()] = false
	switch {
	case ctx.Err() != nil:
		return github.PollResult{}, ctx.Err()
	case !c.approved:
		return github.PollResult{Status: github.PollPending}, nil
	}
	c.tokens[code.Reveal()]++
	return github.PollResult{Status: github.PollGranted, Token: c.token("ghu_" + code.Reveal())}, nil
}

func (c *crowd) begins(code string) (stuck bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.under[code] {
		c.doubled = append(c.doubled, code)
	}
	c.under[code] = true
	c.times[code] = append(c.times[code], c.clock())
	return c.stuck
}

func (c *crowd) Account(context.Context, secret.String) (github.Account, error) { return c.account() }

func (c *crowd) Access(context.Context, secret.String, int64) (github.Access, error) {
	return c.access()
}

func (c *crowd) set(stuck, approved bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stuck, c.approved = stuck, approved
}

func (c *crowd) polls() (polls, underWay int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for code, times := range c.times {
		polls += len(times)
		if c.under[code] {
			underWay++
		}
	}
	return polls, underWay
}

// SIGTERM ends the context of Run.
func TestClaimsOfAThousandOpenFlowsAreHandedOver(t *testing.T) {
	t.Parallel()
	flows := 1000
	if testing.Short() {
		flows = 300
	}
	synctest.Test(t, func(t *testing.T) {
		c := &crowd{times: map[string][]time.Time{}, under: map[string]bool{}, tokens: map[string]int{}}
		w := newWorld(t, func(o *flow.Options) { o.Deliverer = nil })
		c.fakeGitHub = w.github
		w.options.GitHub = c
		w.restart()
		stop := w.follow()
		names := make([]string, flows)
		for i := range names {
			names[i] = fmt.Sprintf("person-%03d", i)
			_, created, err := w.Start(w.ctx, program(names[i], ""), flow.Request{})
			require.NoError(t, err)
			require.True(t, created)
		}
		time.Sleep(20 * time.Second) // each was polled a few times
		c.set(true, false)
		time.Sleep(6 * time.Second) // as many as are polled at once wait for GitHub now, the others behind them
		_, underWay := c.polls()
		require.Greater(t, underWay, 100)

		began := time.Now()
		stop()
		require.LessOrEqual(t, time.Since(began), 10*time.Second)
		before, underWay := c.polls()
		require.Zero(t, underWay, "nothing goes on behind the back of the end")
		for _, name := range names {
			user, err := w.User(w.ctx, name)
			require.NoError(t, err)
			require.True(t, user.Held.IsZero(), "%s is held by nobody", name)
			require.Equal(t, flow.Pending, user.Flow.State)
			require.LessOrEqual(t, time.Until(user.Flow.Due), 15*time.Second, name)
		}

		c.set(false, true) // and all are approved meanwhile
		w.restart()
		stop = w.follow()
		time.Sleep(20 * time.Second) // less than a claim would have to be waited out
		stop()
		for _, name := range names {
			user, err := w.User(w.ctx, name)
			require.NoError(t, err)
			require.Equal(t, flow.Connected, user.Flow.State, "%s: %v", name, user.Flow.Error)
		}
		after, _ := c.polls()
		require.Equal(t, flows, after-before, "one poll each, none lost or doubled")
		require.Len(t, c.tokens, flows)
		require.Empty(t, c.doubled)
		for code, times := range c.times {
			for i := 1; i < len(times); i++ {
				require.GreaterOrEqual(t, times[i].Sub(times[i-1]), c.interval, code)
			}
		}
	})
}
