package githubapi_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/githubapi"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// limits are shared by clients as by the processes of a service.
type limits struct {
	mu    sync.Mutex
	until map[string]time.Time
	fault error
	hangs bool
}

func newLimits() *limits { return &limits{until: map[string]time.Time{}} }

func (l *limits) trouble(ctx context.Context) error {
	if l.hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	return l.fault
}

func (l *limits) Until(ctx context.Context, limit string) (time.Time, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.until[limit], l.trouble(ctx)
}

func (l *limits) Shut(ctx context.Context, limit string, until time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.trouble(ctx); err != nil {
		return err
	}
	if until.After(l.until[limit]) {
		l.until[limit] = until
	}
	return nil
}

// replica is a client of a GitHub that says how long to wait, and counts.
type replica struct {
	*githubapi.Client
	retryAfter int // seconds; 0: it answers
	asked      int
}

func newReplica(t *testing.T, shared githubapi.Limits, now func() time.Time) *replica {
	t.Helper()
	r := &replica{}
	r.Client = clientWith(t, shared, now, func(w http.ResponseWriter, request *http.Request) {
		r.asked++
		if r.retryAfter > 0 {
			says(429, "application/json", "{}", "Retry-After", fmt.Sprint(r.retryAfter))(w, request)
			return
		}
		says(200, "application/json", `{"error":"authorization_pending","id":1,"login":"mona"}`)(w, request)
	})
	return r
}

func clientWith(t *testing.T, shared githubapi.Limits, now func() time.Time, handler http.HandlerFunc) *githubapi.Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	o := options(t, server.URL, now)
	o.Limits = shared
	return newClient(t, o)
}

// poll asks GitHub, and returns how long it is to be left alone; 0: it answered.
func (r *replica) poll(t *testing.T) time.Duration {
	t.Helper()
	_, err := r.PollOnce(t.Context(), sec("code"))
	if err == nil {
		return 0
	}
	return requireCode(t, err, "github_limited", true).RetryAfter
}

func TestGateOfOneProcessIsKeptByAll(t *testing.T) {
	t.Parallel()
	c, shared := newClock(), newLimits()
	one, other := newReplica(t, shared, c.Now), newReplica(t, shared, c.Now)
	require.Zero(t, other.poll(t), "open so far")

	one.retryAfter = 30
	require.Equal(t, 30*time.Second, one.poll(t))
	c.Advance(10 * time.Second)
	require.Equal(t, 20*time.Second, other.poll(t))
	require.Equal(t, 1, other.asked, "GitHub was not asked")

	_, err := other.Account(t.Context(), sec("ghu"))
	require.NoError(t, err, "another limit is open")
	late := newReplica(t, shared, c.Now)
	require.Equal(t, 20*time.Second, late.poll(t), "also by one that starts now")

	one.retryAfter = 0
	c.Advance(20 * time.Second)
	for _, r := range []*replica{one, other, late} {
		require.Zero(t, r.poll(t), "the wait is over for all")
	}
}

func TestGateTakesTheLongerOfTwoWaits(t *testing.T) {
	t.Parallel()
	for name, waits := range map[string][]int{"the short one first": {10, 50}, "the long one first": {50, 10}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, shared := newClock(), newLimits()
			for _, wait := range waits { // each was told before it could hear of the other
				told := newReplica(t, deaf{shared}, c.Now)
				told.retryAfter = wait
				require.Equal(t, time.Duration(wait)*time.Second, told.poll(t))
			}
			third := newReplica(t, shared, c.Now)
			require.Equal(t, 50*time.Second, third.poll(t))
			require.Zero(t, third.asked)
		})
	}
}

// deaf tells the others, and does not hear them.
type deaf struct{ *limits }

func (deaf) Until(context.Context, string) (time.Time, error) { return time.Time{}, nil }

func TestGateHearsOfALongerWaitWhenItsOwnIsOver(t *testing.T) {
	t.Parallel()
	c, shared := newClock(), newLimits()
	one, other := newReplica(t, shared, c.Now), newReplica(t, deaf{shared}, c.Now)
	one.retryAfter, other.retryAfter = 10, 50
	require.Equal(t, 10*time.Second, one.poll(t))
	require.Equal(t, 50*time.Second, other.poll(t))
	c.Advance(10 * time.Second)
	require.Equal(t, 40*time.Second, one.poll(t))
	require.Equal(t, 1, one.asked)
}

func TestGateIsNeitherOpenedNorStoppedByErrorsOfTheSharedLimits(t *testing.T) {
	t.Parallel()
	for name, trouble := range map[string]func(*limits){
		"it fails": func(l *limits) { l.fault = errors.New("the store is unavailable") },
		"it hangs": func(l *limits) { l.hangs = true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, shared := newClock(), newLimits()
			r, told := newReplica(t, shared, c.Now), newReplica(t, shared, c.Now)
			r.retryAfter = 30
			require.Equal(t, 30*time.Second, r.poll(t))
			require.Equal(t, 30*time.Second, told.poll(t))
			trouble(shared)
			require.Equal(t, 30*time.Second, r.poll(t), "what GitHub told this process stands")
			require.Equal(t, 30*time.Second, told.poll(t), "and what it has heard of the others")
			require.Zero(t, told.asked)

			c.Advance(30 * time.Second)
			r.retryAfter = 0
			require.Zero(t, r.poll(t), "no call is stopped")
			r.retryAfter = 20
			require.Equal(t, 20*time.Second, r.poll(t))
			require.Equal(t, 20*time.Second, r.poll(t), "told or not, this process knows")
			require.Equal(t, 3, r.asked)
		})
	}
}

func TestGateIsNotShutForLongerByAClockThatIsFarAhead(t *testing.T) {
	t.Parallel()
	c, shared := newClock(), newLimits()
	shared.until["oauth"] = c.Now().Add(24 * time.Hour)
	require.Equal(t, time.Hour, newReplica(t, shared, c.Now).poll(t))
}

func TestGateNamesASharedLimitOfAUserByTheTokensHash(t *testing.T) {
	t.Parallel()
	c, shared := newClock(), newLimits()
	one, other := newReplica(t, shared, c.Now), newReplica(t, shared, c.Now)
	one.retryAfter = 60
	spent := sec("ghu_spent")
	account := func(r *replica, token secret.String) error {
		_, err := r.Account(t.Context(), token)
		return err
	}
	requireCode(t, account(one, spent), "github_limited", true)
	requireCode(t, account(other, spent), "github_limited", true)
	require.NoError(t, account(other, sec("ghu_other")), "somebody else's limit is open")
	require.Equal(t, 1, other.asked)
	require.Len(t, shared.until, 1)
	require.Contains(t, shared.until, "token:"+spent.Hash())
}

func TestGateSharesARefusalThatOnlyItsTextTellsFromALimit(t *testing.T) {
	t.Parallel()
	c, shared := newClock(), newLimits()
	one := clientWith(t, shared, c.Now, says(403, "application/json", `{"message":"You have exceeded a secondary rate limit."}`))
	_, err := one.PollOnce(t.Context(), sec("code"))
	requireCode(t, err, "github_limited", true)
	other := newReplica(t, shared, c.Now)
	require.Equal(t, time.Minute, other.poll(t))
	require.Zero(t, other.asked)
}
