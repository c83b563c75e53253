package storetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/store"
)

func testClaimOrder(t *testing.T, suite Suite) {
	b := newBench(t, suite)
	for key, due := range map[string]time.Duration{
		"third": 30 * time.Second, "first": -time.Hour, "second": 20 * time.Second, "later": time.Hour,
		"tie a": 40 * time.Second, "tie b": 40 * time.Second,
	} {
		b.put(store.Record{Key: key, Due: b.clock.Now().Add(due)})
	}
	b.put(store.Record{Key: "never"})
	b.clock.Advance(40 * time.Second) // due at this very moment is due

	var all []string
	for _, want := range []int{2, 2, 1, 0} {
		claimed, err := b.Claim(t.Context(), kind, time.Minute, 2)
		require.NoError(t, err)
		require.Len(t, claimed, want)
		all = append(all, keys(claimed)...)
	}
	require.Equal(t, []string{"first", "second", "third", "tie a", "tie b"}, all)
	none, err := b.Claim(t.Context(), "unused", time.Minute, 2)
	require.NoError(t, err)
	require.Empty(t, none)
}

func testClaimFence(t *testing.T, suite Suite) {
	b := newBench(t, suite)
	written := b.put(store.Record{Key: "a", Value: []byte("x"), Due: b.clock.Now(), Expires: b.clock.Now().Add(time.Hour)})
	claim := func() []store.Record {
		claimed, err := b.Claim(t.Context(), kind, 30*time.Second, 10)
		require.NoError(t, err)
		return claimed
	}
	mine := claim()
	require.Len(t, mine, 1)
	require.Greater(t, mine[0].Version, written.Version)
	require.Equal(t, b.clock.Now().Add(30*time.Second), mine[0].Claimed)
	require.Equal(t, written.Due, mine[0].Due)
	require.Equal(t, written.Expires, mine[0].Expires)
	require.Equal(t, "x", string(mine[0].Value))
	stored, err := b.Get(t.Context(), kind, "a")
	require.NoError(t, err)
	require.Equal(t, mine[0], stored, "what a claim returns is what is stored")

	_, err = b.Put(t.Context(), written)
	require.ErrorIs(t, err, store.ErrConflict, "who read before the claim is overtaken")
	b.clock.Advance(30*time.Second - time.Millisecond)
	require.Empty(t, claim(), "within hold nobody else gets it")

	b.clock.Advance(time.Millisecond)
	theirs := claim()
	require.Equal(t, []string{"a"}, keys(theirs), "after hold somebody else does")
	_, err = b.Put(t.Context(), mine[0])
	require.ErrorIs(t, err, store.ErrConflict, "the paused holder is refused")
	require.ErrorIs(t, b.Delete(t.Context(), kind, "a", mine[0].Version), store.ErrConflict)

	theirs[0].Due, theirs[0].Claimed = time.Time{}, time.Time{}
	b.put(theirs[0])
	b.clock.Advance(59 * time.Minute)
	require.Empty(t, claim(), "without a due time it is never claimed")
}

// testClaimRace lets claimers take records that become due again and again.
func testClaimRace(t *testing.T, suite Suite) {
	const records, claimers, rounds = 60, 6, 3
	b := newBench(t, suite)
	for i := range records {
		b.put(store.Record{Key: fmt.Sprint(i), Due: b.clock.Now()})
	}
	for range rounds {
		var (
			mu    sync.Mutex
			seen  = map[string]int{}
			group sync.WaitGroup
		)
		for range claimers {
			group.Go(func() {
				for {
					claimed, err := b.Claim(t.Context(), kind, time.Minute, 7)
					if err != nil {
						t.Errorf("claiming: %v", err)
					}
					if len(claimed) == 0 {
						return
					}
					mu.Lock()
					for _, record := range claimed {
						seen[record.Key]++
					}
					mu.Unlock()
				}
			})
		}
		group.Wait()
		require.Len(t, seen, records)
		for key, times := range seen {
			require.Equal(t, 1, times, key)
		}
		b.clock.Advance(time.Minute)
	}
}

func testNextDue(t *testing.T, suite Suite) {
	b := newBench(t, suite)
	next := func() time.Time {
		due, err := b.NextDue(t.Context(), kind)
		require.NoError(t, err)
		return due
	}
	require.Zero(t, next(), "nothing was ever stored")
	start := b.clock.Now()
	b.put(store.Record{Key: "never"})
	require.Zero(t, next())
	late := b.put(store.Record{Key: "late", Due: start.Add(time.Hour)})
	require.Equal(t, start.Add(time.Hour), next())
	early := b.put(store.Record{Key: "early", Due: start})
	require.Equal(t, start, next())
	b.put(store.Record{Key: "gone", Due: start.Add(-time.Hour), Expires: start.Add(time.Minute)})
	require.Equal(t, start.Add(-time.Hour), next())

	b.clock.Advance(time.Minute)
	require.Equal(t, start, next(), "what has expired is not due")
	_, err := b.Claim(t.Context(), kind, 5*time.Minute, 1)
	require.NoError(t, err)
	require.Equal(t, start.Add(6*time.Minute), next(), "a claim puts off")
	early, err = b.Get(t.Context(), kind, "early")
	require.NoError(t, err)
	require.NoError(t, b.Delete(t.Context(), kind, "early", early.Version))
	require.Equal(t, start.Add(time.Hour), next())
	late.Due = time.Time{}
	b.put(late)
	require.Zero(t, next())
}

func testExpiry(t *testing.T, suite Suite) {
	b := newBench(t, suite)
	fleeting := b.put(store.Record{Key: "fleeting", Due: b.clock.Now(), Expires: b.clock.Now().Add(time.Hour)})
	kept := b.put(store.Record{Key: "kept", Expires: b.clock.Now().Add(time.Hour)})
	kept.Expires = time.Time{}
	kept = b.put(kept)

	b.clock.Advance(time.Hour - time.Millisecond)
	_, err := b.Get(t.Context(), kind, "fleeting")
	require.NoError(t, err)
	b.clock.Advance(time.Millisecond)

	_, err = b.Get(t.Context(), kind, "fleeting")
	require.ErrorIs(t, err, store.ErrNotFound)
	require.ErrorIs(t, b.Delete(t.Context(), kind, "fleeting", fleeting.Version), store.ErrNotFound)
	_, err = b.Put(t.Context(), fleeting)
	require.ErrorIs(t, err, store.ErrConflict, "it cannot be changed")
	claimed, err := b.Claim(t.Context(), kind, time.Minute, 10)
	require.NoError(t, err)
	require.Empty(t, claimed)
	listed, err := b.List(t.Context(), kind, "", 10)
	require.NoError(t, err)
	require.Equal(t, []string{"kept"}, keys(listed), "a write without a limit takes the limit away")
	again := b.put(store.Record{Key: "fleeting"})
	require.Greater(t, again.Version, fleeting.Version, "its name is free again")
	_, err = b.Get(t.Context(), kind, "fleeting")
	require.NoError(t, err, "and the new record has not expired")
}

func testList(t *testing.T, suite Suite) {
	b := newBench(t, suite)
	for _, key := range []string{"b", "B", "a", "aa", "a\x00", "ü", "z", "a/1", "a/2"} {
		b.put(store.Record{Key: key, Value: []byte(key)})
	}
	want := []string{"B", "a", "a\x00", "a/1", "a/2", "aa", "b", "z", "ü"} // by bytes
	for _, size := range []int{1, 2, 4, 9, 100} {
		var all []string
		for after := ""; ; {
			page, err := b.List(t.Context(), kind, after, size)
			require.NoError(t, err)
			require.LessOrEqual(t, len(page), size)
			if len(page) == 0 {
				break
			}
			all = append(all, keys(page)...)
			after = page[len(page)-1].Key
		}
		require.Equal(t, want, all, "pages of %d", size)
	}
	behind, err := b.List(t.Context(), kind, "a/", 2)
	require.NoError(t, err)
	require.Equal(t, []string{"a/1", "a/2"}, keys(behind), "after need not exist")
	require.Equal(t, "a/1", string(behind[0].Value))
	require.NotZero(t, behind[0].Version)
	none, err := b.List(t.Context(), "unused", "", 2)
	require.NoError(t, err)
	require.Empty(t, none)
}
