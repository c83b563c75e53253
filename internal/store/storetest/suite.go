package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/store"
)

// Suite says how to come by a backend.
type Suite struct {
	// New makes an empty store for one test and returns how to open it.
	New func(t *testing.T, clock func() time.Time) (open func() store.Backend)
	// Shared says that the store may be opened several times at once, as by
	// several replicas.
	Shared bool
}

const (
	kind  store.Kind = "thing"
	other store.Kind = "other"
)

// patience bounds every wait, so that a test fails rather than hangs.
const patience = 10 * time.Second

// Run runs the suite.
func Run(t *testing.T, suite Suite) {
	for name, test := range map[string]func(*testing.T, Suite){
		"a record reads as it was written":                                         testRoundTrip,
		"writes are refused unless they name the stored version":                   testVersions,
		"a version is never used twice for a key":                                  testVersionsNeverRepeat,
		"a record of odd key is like any other":                                    testOddKeys,
		"a record without a kind or a key is refused":                              testInvalid,
		"due records are claimed, earliest first, up to the limit":                 testClaimOrder,
		"a claimed record is put off and its old version is worthless":             testClaimFence,
		"a claim is kept by who writes meanwhile, and ended by a write without it": testClaimKept,
		"a claim is read as it was set, at once":                                   testClaimRead,
		"a claim leaves the due time as the record gave it":                        testClaimDue,
		"two claimers never get the same record":                                   testClaimRace,
		"the next due time follows writes, claims and deletions":                   testNextDue,
		"a record ceases to exist when it expires":                                 testExpiry,
		"records are listed in the order of their keys, in pages":                  testList,
		"kinds do not see each other":                                              testKinds,
		"a watcher hears of every write and deletion":                              testWatch,
		"a watcher of one key hears of that key only":                              testWatchOfOneKey,
		"a slow watcher loses no key":                                              testSlowWatcher,
		"a watch ends with its context and with the store":                         testWatchEnds,
		"a watch that has ended keeps nothing of its caller":                       testWatchKeepsNothing,
		"of writers at once, one wins each version":                                testConcurrentWriters,
		"a cancelled context stops a call before it begins":                        testCancelled,
		"nothing works after Close":                                                testClosed,
		"what was written is there after the store is opened again":                testReopen,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, suite)
		})
	}
	if suite.Shared {
		t.Run("one handle hears of and obeys what another did", func(t *testing.T) {
			t.Parallel()
			testTwoHandles(t, suite)
		})
	}
}

// bench is what most tests need.
type bench struct {
	*testing.T
	store.Backend
	clock *Clock
}

func newBench(t *testing.T, suite Suite) bench {
	clock := NewClock()
	return bench{t, opened(t, suite.New(t, clock.Now)), clock}
}

func opened(t *testing.T, open func() store.Backend) store.Backend {
	backend := open()
	t.Cleanup(func() { _ = backend.Close() }) // a second Close does no harm
	return backend
}

// put writes a record that must be accepted and returns it with its version.
func (b bench) put(record store.Record) store.Record {
	b.Helper()
	if record.Kind == "" {
		record.Kind = kind
	}
	version, err := b.Put(b.Context(), record)
	require.NoError(b, err)
	record.Version = version
	return record
}

// keys are those of records, in order.
func keys(records []store.Record) []string {
	found := []string{}
	for _, record := range records {
		found = append(found, record.Key)
	}
	return found
}

func testRoundTrip(t *testing.T, suite Suite) {
	b := newBench(t, suite)
	for name, record := range map[string]store.Record{
		"bytes of every value": {Key: "bytes", Value: everyByte()},
		"no value":             {Key: "none", Value: []byte{}},
		"a megabyte":           {Key: "large", Value: make([]byte, 1<<20)},
		"times":                {Key: "times", Value: []byte("x"), Due: b.clock.Now().Add(time.Hour), Expires: b.clock.Now().Add(2 * time.Hour)},
		"a time in the past":   {Key: "past", Value: []byte("x"), Due: b.clock.Now().Add(-time.Hour)},
		"a claim":              {Key: "claim", Value: []byte("x"), Due: b.clock.Now(), Claimed: b.clock.Now().Add(time.Hour)},
		"a claim alone":        {Key: "claim alone", Value: []byte("x"), Claimed: b.clock.Now().Add(time.Hour)},
	} {
		written := b.put(record)
		read, err := b.Get(t.Context(), kind, record.Key)
		require.NoError(t, err, name)
		if len(read.Value) == 0 {
			read.Value = []byte{}
		}
		require.Equal(t, written, read, name)
	}
	uneven := b.put(store.Record{Key: "uneven", Value: []byte("x"), Due: b.clock.Now().Add(time.Microsecond)})
	read, err := b.Get(t.Context(), kind, uneven.Key)
	require.NoError(t, err)
	require.Equal(t, b.clock.Now().Add(time.Millisecond), read.Due, "times are rounded up to milliseconds")
	require.NoError(t, b.Ping(t.Context()))
}

func everyByte() []byte {
	value := make([]byte, 256)
	for i := range value {
		value[i] = byte(i)
	}
	return value
}

func testInvalid(t *testing.T, suite Suite) {
	b := newBench(t, suite)
	for name, record := range map[string]store.Record{
		"no kind":      {Key: "a"},
		"no key":       {Kind: kind},
		"too long key": {Kind: kind, Key: string(make([]byte, store.MaxKey+1))},
	} {
		_, err := b.Put(t.Context(), record)
		require.Error(t, err, name)
		require.NotErrorIs(t, err, store.ErrUnavailable, name)
	}
}

func testCancelled(t *testing.T, suite Suite) {
	b := newBench(t, suite)
	record := b.put(store.Record{Key: "a", Due: b.clock.Now()})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range map[string]func() error{
		"Get":     func() error { _, err := b.Get(ctx, kind, "a"); return err },
		"Put":     func() error { _, err := b.Put(ctx, record); return err },
		"Delete":  func() error { return b.Delete(ctx, kind, "a", record.Version) },
		"Claim":   func() error { _, err := b.Claim(ctx, kind, time.Minute, 1); return err },
		"NextDue": func() error { _, err := b.NextDue(ctx, kind); return err },
		"List":    func() error { _, err := b.List(ctx, kind, "", 1); return err },
		"Ping":    func() error { return b.Ping(ctx) },
	} {
		require.ErrorIs(t, call(), context.Canceled, name)
	}
	unchanged, err := b.Get(t.Context(), kind, "a")
	require.NoError(t, err)
	require.Equal(t, record.Version, unchanged.Version)
}

func testClosed(t *testing.T, suite Suite) {
	b := newBench(t, suite)
	record := b.put(store.Record{Key: "a"})
	require.NoError(t, b.Close())
	_, err := b.Get(t.Context(), kind, "a")
	require.ErrorIs(t, err, store.ErrUnavailable)
	_, err = b.Put(t.Context(), record)
	require.ErrorIs(t, err, store.ErrUnavailable)
	require.ErrorIs(t, b.Ping(t.Context()), store.ErrUnavailable)
}

func testReopen(t *testing.T, suite Suite) {
	clock := NewClock()
	open := suite.New(t, clock.Now)
	first := opened(t, open)
	version, err := first.Put(t.Context(), store.Record{Kind: kind, Key: "a", Value: []byte("x"), Due: clock.Now()})
	require.NoError(t, err)
	require.NoError(t, first.Close())

	second := opened(t, open)
	record, err := second.Get(t.Context(), kind, "a")
	require.NoError(t, err)
	require.Equal(t, version, record.Version)
	claimed, err := second.Claim(t.Context(), kind, time.Minute, 1)
	require.NoError(t, err)
	require.Equal(t, []string{"a"}, keys(claimed))
	require.Greater(t, claimed[0].Version, version)
}
