package storetest

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/store"
)

func testVersions(t *testing.T, suite Suite) {
	b := newBench(t, suite)
	first := b.put(store.Record{Key: "a", Value: []byte("1")})
	second := b.put(store.Record{Key: "a", Value: []byte("2"), Version: first.Version})
	require.Greater(t, second.Version, first.Version)
	gone := b.put(store.Record{Key: "gone"})
	require.NoError(t, b.Delete(t.Context(), kind, "gone", gone.Version))

	for name, try := range map[string]struct {
		call func() error
		want error
	}{
		"creating what exists":         {func() error { _, err := b.Put(t.Context(), store.Record{Kind: kind, Key: "a"}); return err }, store.ErrConflict},
		"writing over a newer version": {func() error { _, err := b.Put(t.Context(), first); return err }, store.ErrConflict},
		"writing a version to come": {func() error {
			_, err := b.Put(t.Context(), store.Record{Kind: kind, Key: "a", Version: second.Version + 1})
			return err
		}, store.ErrConflict},
		"changing what does not exist":   {func() error { _, err := b.Put(t.Context(), store.Record{Kind: kind, Key: "b", Version: 1}); return err }, store.ErrConflict},
		"changing what was deleted":      {func() error { _, err := b.Put(t.Context(), gone); return err }, store.ErrConflict},
		"deleting an older version":      {func() error { return b.Delete(t.Context(), kind, "a", first.Version) }, store.ErrConflict},
		"deleting what does not exist":   {func() error { return b.Delete(t.Context(), kind, "b", 1) }, store.ErrNotFound},
		"deleting what was deleted":      {func() error { return b.Delete(t.Context(), kind, "gone", gone.Version) }, store.ErrNotFound},
		"deleting in a kind never used":  {func() error { return b.Delete(t.Context(), "unused", "a", 1) }, store.ErrNotFound},
		"reading what does not exist":    {func() error { _, err := b.Get(t.Context(), kind, "b"); return err }, store.ErrNotFound},
		"reading what was deleted":       {func() error { _, err := b.Get(t.Context(), kind, "gone"); return err }, store.ErrNotFound},
		"reading from a kind never used": {func() error { _, err := b.Get(t.Context(), "unused", "a"); return err }, store.ErrNotFound},
		"reading the beginning of a key": {func() error { _, err := b.Get(t.Context(), kind, "gon"); return err }, store.ErrNotFound},
		"reading an empty key":           {func() error { _, err := b.Get(t.Context(), kind, ""); return err }, store.ErrNotFound},
	} {
		require.ErrorIs(t, try.call(), try.want, name)
	}
	stored, err := b.Get(t.Context(), kind, "a")
	require.NoError(t, err)
	require.Equal(t, "2", string(stored.Value), "nothing that was refused left a trace")
	require.NoError(t, b.Delete(t.Context(), kind, "a", second.Version))
}

func testVersionsNeverRepeat(t *testing.T, suite Suite) {
	b := newBench(t, suite)
	last := uint64(0)
	for range 5 {
		record := b.put(store.Record{Key: "a"})
		require.Greater(t, record.Version, last)
		last = b.put(record).Version
		require.NoError(t, b.Delete(t.Context(), kind, "a", last))
	}
}

func testOddKeys(t *testing.T, suite Suite) {
	b := newBench(t, suite)
	odd := []string{
		"a+b", "ü$&", "o'malley", "x@y.org", "two words", " ", "a/b", "a%2Fb", "{user}", "}", "{}", "*", "[a]", "a:b", `"`, `\`,
		"line\nbreak", "nul\x00inside", "\x00", "\xff\xfe", "日本語", strings.Repeat("k", 1000), strings.Repeat("é", store.MaxKey/2),
	}
	listen(t, b, kind)
	changes := b.Watch(t.Context(), kind, "")
	for i, key := range odd {
		b.put(store.Record{Key: key, Value: []byte(key), Due: b.clock.Now().Add(time.Duration(i) * time.Millisecond)})
		require.Equal(t, only(key), receive(t, changes))
	}
	listed, err := b.List(t.Context(), kind, "", len(odd)+1)
	require.NoError(t, err)
	require.ElementsMatch(t, odd, keys(listed))

	b.clock.Advance(time.Second)
	claimed, err := b.Claim(t.Context(), kind, time.Minute, len(odd)+1)
	require.NoError(t, err)
	require.Equal(t, odd, keys(claimed))
	for _, record := range claimed {
		require.Equal(t, record.Key, string(record.Value))
		require.NoError(t, b.Delete(t.Context(), kind, record.Key, record.Version), "%q", record.Key)
	}
}

func testKinds(t *testing.T, suite Suite) {
	b := newBench(t, suite)
	b.put(store.Record{Key: "a", Value: []byte("1"), Due: b.clock.Now()})
	b.put(store.Record{Kind: other, Key: "a", Value: []byte("2"), Due: b.clock.Now()})
	claimed, err := b.Claim(t.Context(), other, time.Minute, 10)
	require.NoError(t, err)
	require.Len(t, claimed, 1)
	require.Equal(t, other, claimed[0].Kind)
	require.Equal(t, "2", string(claimed[0].Value))
	require.NoError(t, b.Delete(t.Context(), other, "a", claimed[0].Version))
	left, err := b.Get(t.Context(), kind, "a")
	require.NoError(t, err)
	require.Equal(t, "1", string(left.Value))
}

// testConcurrentWriters lets writers count up a record, each by reading and
// writing it until it was not overtaken: no count may be lost.
func testConcurrentWriters(t *testing.T, suite Suite) {
	const writers, each = 8, 10
	b := newBench(t, suite)
	b.put(store.Record{Key: "count", Value: []byte("0")})
	var group sync.WaitGroup
	for writer := range writers {
		group.Go(func() {
			for i := range each {
				if !countUp(b) {
					return
				}
				_, err := b.Put(t.Context(), store.Record{Kind: kind, Key: fmt.Sprintf("%d/%d", writer, i)})
				if err != nil {
					t.Errorf("a key of its own is refused: %v", err)
				}
			}
		})
	}
	group.Wait()
	record, err := b.Get(t.Context(), kind, "count")
	require.NoError(t, err)
	require.Equal(t, fmt.Sprint(writers*each), string(record.Value))
	all, err := b.List(t.Context(), kind, "", 2*writers*each)
	require.NoError(t, err)
	require.Len(t, all, writers*each+1)
}

func countUp(b bench) bool {
	for {
		record, err := b.Get(b.Context(), kind, "count")
		if err != nil {
			b.Errorf("reading: %v", err)
			return false
		}
		count := 0
		fmt.Sscan(string(record.Value), &count)
		record.Value = fmt.Append(nil, count+1)
		_, err = b.Put(b.Context(), record)
		switch err {
		case nil:
			return true
		case store.ErrConflict:
			continue
		}
		b.Errorf("writing: %v", err)
		return false
	}
}
