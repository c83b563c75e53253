package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/store"
)

// claim takes what is due now, for 30 s.
func (b bench) claim() []store.Record {
	b.Helper()
	claimed, err := b.Claim(b.Context(), kind, 30*time.Second, 10)
	require.NoError(b, err)
	return claimed
}

func (b bench) get(key string) store.Record {
	b.Helper()
	record, err := b.Get(b.Context(), kind, key)
	require.NoError(b, err)
	return record
}

func testClaimKept(t *testing.T, suite Suite) {
	b := newBench(t, suite)
	for name, due := range map[string]time.Time{
		"due now":   b.clock.Now(),
		"due later": b.clock.Now().Add(10 * time.Second),
		"never due": {},
	} {
		b.put(store.Record{Key: name, Due: b.clock.Now()})
		mine := b.claim()
		require.Len(t, mine, 1, name)

		meanwhile := b.get(name)
		require.Equal(t, mine[0].Claimed, meanwhile.Claimed, name)
		meanwhile.Value, meanwhile.Due = []byte("somebody else's"), due
		meanwhile = b.put(meanwhile)
		require.Equal(t, mine[0].Claimed, b.get(name).Claimed, "%s: a write keeps the claim", name)
		require.Equal(t, due, b.get(name).Due, name)
		b.clock.Advance(15 * time.Second)
		require.Empty(t, b.claim(), "%s: and nobody else gets the record", name)

		ended := b.get(name)
		ended.Claimed, ended.Due = time.Time{}, b.clock.Now()
		b.put(ended)
		require.Zero(t, b.get(name).Claimed, "%s: the holder's write ends it", name)
		again := b.claim()
		require.Equal(t, []string{name}, keys(again), "%s: then it is due at once", name)

		b.clock.Advance(30 * time.Second)
		over := b.claim()
		require.Equal(t, []string{name}, keys(over), "%s: a claim that has run out is taken over", name)
		require.Equal(t, b.clock.Now().Add(30*time.Second), over[0].Claimed, name)
		require.NoError(t, b.Delete(t.Context(), kind, name, over[0].Version))
	}
}

// testClaimRead reads and writes a claim in the moment in which it was made, and
// by every way of reading; times are uneven, as a clock's are.
func testClaimRead(t *testing.T, suite Suite) {
	b := newBench(t, suite)
	for _, uneven := range []time.Duration{0, time.Nanosecond, time.Microsecond, time.Millisecond - time.Nanosecond} {
		b.clock.Advance(uneven)
		b.put(store.Record{Key: "a", Due: b.clock.Now().Add(-time.Millisecond)})
		mine := b.claim()
		require.Len(t, mine, 1)
		require.True(t, mine[0].Claimed.After(b.clock.Now()))

		require.Equal(t, mine[0], b.get("a"), "what a claim returns is what is stored")
		listed, err := b.List(t.Context(), kind, "", 10)
		require.NoError(t, err)
		require.Equal(t, mine, listed)
		written := b.put(b.get("a"))
		require.Equal(t, mine[0].Claimed, b.get("a").Claimed)
		written.Claimed = time.Time{}
		written = b.put(written)
		require.NoError(t, b.Delete(t.Context(), kind, "a", written.Version))
	}
}

func testClaimDue(t *testing.T, suite Suite) {
	b := newBench(t, suite)
	next := func() time.Time {
		due, err := b.NextDue(t.Context(), kind)
		require.NoError(t, err)
		return due
	}
	due := b.clock.Now().Add(-time.Hour)
	b.put(store.Record{Key: "a", Due: due, Value: []byte("x")})
	mine := b.claim()
	require.Len(t, mine, 1)
	require.Equal(t, due, mine[0].Due)
	require.Equal(t, due, b.get("a").Due)
	require.Equal(t, b.clock.Now().Add(30*time.Second), next(), "while it is claimed, the claim's end counts")

	released := mine[0]
	released.Claimed = time.Time{}
	b.put(released)
	require.Equal(t, due, next())
}
