package store_test

import (
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/store"
	"github.com/ghscoped/ghscoped-service/internal/store/redis"
	"github.com/ghscoped/ghscoped-service/internal/store/redistest"
	"github.com/ghscoped/ghscoped-service/internal/store/storetest"
)

// eachBackend runs a test with limits as two processes see them.
func eachBackend(t *testing.T, test func(t *testing.T, one, other *store.Limits, clock *storetest.Clock)) {
	t.Run("bolt", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		test(t, store.NewLimits(f.Backend), store.NewLimits(f.Backend), f.clock)
	})
	t.Run("redis", func(t *testing.T) {
		t.Parallel()
		clock, server := storetest.NewClock(), redistest.Start(t, redistest.Redis)
		open := func() *store.Limits {
			backend, err := redis.Open(server.URL(""), clock.Now, slog.New(slog.DiscardHandler))
			require.NoError(t, err)
			t.Cleanup(func() { _ = backend.Close() })
			return store.NewLimits(backend)
		}
		test(t, open(), open(), clock)
	})
}

func TestLimitsAreShutForAllUntilTheirTime(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, one, other *store.Limits, clock *storetest.Clock) {
		until := func() time.Time {
			t.Helper()
			at, err := other.Until(t.Context(), "oauth")
			require.NoError(t, err)
			return at
		}
		require.Zero(t, until(), "open from the start")
		for range 2 { // it can be shut again after it has opened
			end := clock.Now().Add(30 * time.Second)
			require.NoError(t, one.Shut(t.Context(), "oauth", end))
			require.WithinDuration(t, end, until(), time.Millisecond)
			at, err := other.Until(t.Context(), "app")
			require.NoError(t, err)
			require.Zero(t, at, "another limit is open")
			clock.Advance(30*time.Second - time.Millisecond)
			require.NotZero(t, until())
			clock.Advance(2 * time.Millisecond)
			require.Zero(t, until(), "it opens by itself")
		}
	})
}

func TestLimitsAreNeverShortened(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, one, other *store.Limits, clock *storetest.Clock) {
		long, short := clock.Now().Add(50*time.Second), clock.Now().Add(10*time.Second)
		for limit, order := range map[string][2]time.Time{"short first": {short, long}, "long first": {long, short}} {
			require.NoError(t, one.Shut(t.Context(), limit, order[0]))
			require.NoError(t, other.Shut(t.Context(), limit, order[1]))
			at, err := one.Until(t.Context(), limit)
			require.NoError(t, err)
			require.WithinDuration(t, long, at, time.Millisecond, limit)
		}
	})
}

func TestLimitsTakeTheLongestWaitOfManyWhoShutThemAtOnce(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, one, other *store.Limits, clock *storetest.Clock) {
		var group sync.WaitGroup
		for _, i := range rand.Perm(40) {
			group.Go(func() {
				mine := []*store.Limits{one, other}[i%2]
				if err := mine.Shut(t.Context(), "oauth", clock.Now().Add(time.Duration(i+1)*time.Second)); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		at, err := one.Until(t.Context(), "oauth")
		require.NoError(t, err)
		require.WithinDuration(t, clock.Now().Add(40*time.Second), at, time.Millisecond)
	})
}

func TestLimitsAreUnknownToAStoreThatIsGone(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	limits := store.NewLimits(f.Backend)
	require.NoError(t, f.Close())
	_, err := limits.Until(t.Context(), "oauth")
	require.ErrorIs(t, err, store.ErrUnavailable)
	require.ErrorIs(t, limits.Shut(t.Context(), "oauth", f.clock.Now().Add(time.Minute)), store.ErrUnavailable)
}
