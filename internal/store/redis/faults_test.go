package redis_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/store"
	"github.com/ghscoped/ghscoped-service/internal/store/redis"
	"github.com/ghscoped/ghscoped-service/internal/store/redistest"
)

// patience bounds waits for servers to find together again.
const patience = time.Minute

// hears waits until a watch names a key, or with "" says that any may have changed.
func hears(t *testing.T, changes <-chan store.KeySet, key string) {
	t.Helper()
	for deadline := time.After(patience); ; {
		select {
		case keys := <-changes:
			require.NotNil(t, keys, "the watch was closed")
			if _, heard := keys[key]; heard {
				return
			}
		case <-deadline:
			require.FailNow(t, "nothing of this came from the watch", key)
		}
	}
}

func put(t *testing.T, s *redis.Store, record store.Record) store.Record {
	t.Helper()
	record.Kind = kind
	version, err := s.Put(t.Context(), record)
	require.NoError(t, err)
	record.Version = version
	return record
}

func TestBackendLosesNothingInARestartOfRedisAndHearsOfIt(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Redis, "--appendonly", "yes", "--appendfsync", "always")
	s := open(t, server.URL(""), time.Now)
	changes := s.Watch(t.Context(), kind, "")
	hears(t, changes, "")
	record := put(t, s, store.Record{Key: "a", Value: []byte("x"), Due: time.Now()})
	hears(t, changes, "a")

	for name, end := range map[string]func(testing.TB){"in order": server.Stop, "by a crash": server.Kill} {
		end(t)
		start := time.Now()
		_, err := s.Get(t.Context(), kind, "a")
		require.ErrorIs(t, err, store.ErrUnavailable, name)
		_, err = s.Put(t.Context(), record)
		require.ErrorIs(t, err, store.ErrUnavailable, name)
		require.ErrorIs(t, s.Ping(t.Context()), store.ErrUnavailable, name)
		meanwhile := s.Watch(t.Context(), kind, "a")
		require.Less(t, time.Since(start), patience, name)

		server.Restart(t)
		hears(t, changes, "")
		hears(t, meanwhile, "")
		require.NoError(t, s.Ping(t.Context()), name)
		stored, err := s.Get(t.Context(), kind, "a")
		require.NoError(t, err, name)
		require.Equal(t, record.Version, stored.Version, name)
		record = put(t, s, stored)
		require.Greater(t, record.Version, stored.Version, name)
		hears(t, changes, "a")
		hears(t, meanwhile, "a")
	}
}

// A change between the beginning of a watch and that of the subscription is not
// lost, however long that takes.
func TestWatchThatBeginsWithoutRedisHearsOnceItIsBack(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Redis)
	s := open(t, server.URL(""), time.Now)
	server.Stop(t)
	changes := s.Watch(t.Context(), kind, "a")
	server.Restart(t)
	hears(t, changes, "")
	put(t, s, store.Record{Key: "a"})
	hears(t, changes, "a")
}

func TestWatchesShareOneSubscription(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Redis)
	s := open(t, server.URL(""), time.Now)
	var all []<-chan store.KeySet
	for range 50 {
		all = append(all, s.Watch(t.Context(), kind, ""), s.Watch(t.Context(), kind, "a"))
	}
	hears(t, all[0], "")
	put(t, s, store.Record{Key: "a"})
	for _, changes := range all {
		hears(t, changes, "a")
	}
	subscribers := func() int64 {
		count, err := server.Client(t).PubSubNumSub(t.Context(), "{ghscoped:thing}:changed").Result()
		require.NoError(t, err)
		return count["{ghscoped:thing}:changed"]
	}
	require.EqualValues(t, 1, subscribers())
	require.NoError(t, s.Close())
	require.Eventually(t, func() bool { return subscribers() == 0 }, patience, 10*time.Millisecond, "it ends with the store")
}

func TestBackendWritersGetThroughARestartWithoutLosingACount(t *testing.T) {
	t.Parallel()
	const writers, each = 4, 60
	server := redistest.Start(t, redistest.Redis, "--appendonly", "yes", "--appendfsync", "always")
	s := open(t, server.URL(""), time.Now)
	put(t, s, store.Record{Key: "count", Value: []byte("0")})
	var group sync.WaitGroup
	for range writers {
		group.Go(func() {
			for range each {
				countUp(t, s)
			}
		})
	}
	for range 2 {
		server.Kill(t)
		server.Restart(t)
	}
	group.Wait()
	record, err := s.Get(t.Context(), kind, "count")
	require.NoError(t, err)
	// A write whose answer was lost to the crash is counted again by its
	// writer: what is counted is at least what was promised.
	var count int
	fmt.Sscan(string(record.Value), &count)
	require.GreaterOrEqual(t, count, writers*each)
	require.LessOrEqual(t, count, writers*each+2*writers)
}

func countUp(t *testing.T, s *redis.Store) {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		record, err := s.Get(t.Context(), kind, "count")
		if err != nil {
			continue
		}
		var count int
		fmt.Sscan(string(record.Value), &count)
		record.Value = fmt.Append(nil, count+1)
		if _, err = s.Put(t.Context(), record); err == nil {
			return
		}
	}
	t.Error("no write came through")
}

func TestRedisMayBeDownAtStart(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Redis)
	server.Stop(t)
	s := open(t, server.URL(""), time.Now)
	require.ErrorIs(t, s.Ping(t.Context()), store.ErrUnavailable)
	server.Restart(t)
	require.NoError(t, s.Ping(t.Context()))
	put(t, s, store.Record{Key: "a"})
}

func TestBackendGivesUpARedisThatHangs(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Redis)
	s := open(t, server.URL(""), time.Now)
	require.NoError(t, s.Ping(t.Context()))
	server.Pause(t)
	start := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, s.Ping(ctx), context.DeadlineExceeded)
	require.ErrorIs(t, s.Ping(t.Context()), store.ErrUnavailable)
	require.Less(t, time.Since(start), patience)
	server.Resume(t)
	require.NoError(t, s.Ping(t.Context()))
}

func TestBackendRefusesWritesOfAReplicaUntilItIsPromoted(t *testing.T) {
	t.Parallel()
	master, replica := redistest.Start(t, redistest.Redis), redistest.Start(t, redistest.Redis)
	s := open(t, replica.URL(""), time.Now)
	record := put(t, s, store.Record{Key: "a"})
	host, port, _ := strings.Cut(master.Addr, ":")
	admin := replica.Client(t)
	require.NoError(t, admin.ReplicaOf(t.Context(), host, port).Err())
	_, err := s.Put(t.Context(), record)
	require.ErrorIs(t, err, store.ErrUnavailable)
	_, err = s.Claim(t.Context(), kind, time.Minute, 1)
	if err != nil { // with nothing due, there is nothing to write
		require.ErrorIs(t, err, store.ErrUnavailable)
	}
	require.ErrorIs(t, s.Ping(t.Context()), store.ErrUnavailable)
	require.NoError(t, admin.ReplicaOf(t.Context(), "NO", "ONE").Err())
	require.NoError(t, s.Ping(t.Context()))
	put(t, s, store.Record{Key: "b"})
}

func TestBackendUsesTheNewMasterAfterAFailOver(t *testing.T) {
	t.Parallel()
	servers := redistest.StartSentinels(t, redistest.Redis)
	s := open(t, servers.Sentinel.URL("master_name=ours"), time.Now)
	changes := s.Watch(t.Context(), kind, "a")
	hears(t, changes, "")
	record := put(t, s, store.Record{Key: "a"})
	hears(t, changes, "a")
	acknowledged, err := servers.Master.Client(t).Wait(t.Context(), 1, patience).Result()
	require.NoError(t, err)
	require.EqualValues(t, 1, acknowledged)

	servers.Master.Kill(t)
	require.Eventually(t, func() bool { return s.Ping(t.Context()) == nil }, patience, 50*time.Millisecond)
	hears(t, changes, "")
	next := put(t, s, record)
	require.Greater(t, next.Version, record.Version)
	hears(t, changes, "a")
}

func TestBackendFollowsASlotThatMoves(t *testing.T) {
	t.Parallel()
	nodes := redistest.StartCluster(t, redistest.Redis)
	s := open(t, nodes[0].URL("cluster=true"), time.Now)
	record := put(t, s, store.Record{Key: "a"})
	require.NoError(t, s.Delete(t.Context(), kind, "a", record.Version))
	// What is left of the kind is the last version. An operator would move
	// the key; here the slot is emptied instead.
	var ids []string
	for _, node := range nodes {
		id, err := node.Client(t).ClusterMyID(t.Context()).Result()
		require.NoError(t, err)
		ids = append(ids, id)
	}
	slot, err := nodes[0].Client(t).ClusterKeySlot(t.Context(), "{ghscoped:thing}").Result()
	require.NoError(t, err)
	owner := int(slot * 3 / 16384)
	require.NoError(t, nodes[owner].Client(t).FlushAll(t.Context()).Err())
	target := (owner + 1) % 3
	for _, at := range []int{target, owner, (owner + 2) % 3} {
		require.NoError(t, nodes[at].Client(t).Do(t.Context(), "CLUSTER", "SETSLOT", slot, "NODE", ids[target]).Err())
	}
	again := put(t, s, store.Record{Key: "a"})
	require.Greater(t, again.Version, record.Version)
	held, err := nodes[target].Client(t).ClusterCountKeysInSlot(t.Context(), int(slot)).Result()
	require.NoError(t, err)
	require.Positive(t, held)
}

func TestBackendTakesOldVersionsForWorthlessAfterAFlush(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Redis)
	s := open(t, server.URL(""), time.Now)
	record := put(t, s, store.Record{Key: "a", Due: time.Now().Add(-time.Minute)})
	require.NoError(t, server.Client(t).FlushAll(t.Context()).Err())
	_, err := s.Get(t.Context(), kind, "a")
	require.ErrorIs(t, err, store.ErrNotFound)
	_, err = s.Put(t.Context(), record)
	require.ErrorIs(t, err, store.ErrConflict)
	require.ErrorIs(t, s.Delete(t.Context(), kind, "a", record.Version), store.ErrNotFound)
	again := put(t, s, store.Record{Key: "a"})
	require.Greater(t, again.Version, record.Version)
	_, err = s.Put(t.Context(), record)
	require.ErrorIs(t, err, store.ErrConflict)
}

func TestBackendForgetsARecordThatRedisThrewAway(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Redis)
	s := open(t, server.URL(""), time.Now)
	put(t, s, store.Record{Key: "a", Due: time.Now().Add(-time.Minute)})
	next := time.Now().Add(-time.Second)
	put(t, s, store.Record{Key: "b", Due: next})
	require.NoError(t, server.Client(t).Del(t.Context(), "{ghscoped:thing}:r:a").Err())
	due, err := s.NextDue(t.Context(), kind)
	require.NoError(t, err)
	require.WithinDuration(t, next, due, time.Millisecond)
	claimed, err := s.Claim(t.Context(), kind, time.Minute, 1)
	require.NoError(t, err)
	require.Len(t, claimed, 1)
	listed, err := s.List(t.Context(), kind, "", 10)
	require.NoError(t, err)
	require.Len(t, listed, 1)
}

func TestRedisRemovesWhatHasExpired(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Redis)
	s := open(t, server.URL(""), time.Now)
	record := put(t, s, store.Record{Key: "a", Expires: time.Now().Add(time.Hour)})
	client := server.Client(t)
	left, err := client.PTTL(t.Context(), "{ghscoped:thing}:r:a").Result()
	require.NoError(t, err)
	require.InDelta(t, time.Hour, left, float64(10*time.Second))
	record.Expires = time.Time{}
	put(t, s, record)
	left, err = client.TTL(t.Context(), "{ghscoped:thing}:r:a").Result()
	require.NoError(t, err)
	require.Equal(t, time.Duration(-1), left, "no limit any more")
}
