package redis_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/store"
	"github.com/ghscoped/ghscoped-service/internal/store/redis"
	"github.com/ghscoped/ghscoped-service/internal/store/redistest"
)

func TestRedisThatIsFullRefusesNewRecordsAndStopsNothingUnderWay(t *testing.T) {
	t.Parallel()
	whenFull(t, redistest.Redis)
}

func TestValkeyThatIsFullRefusesNewRecordsAndStopsNothingUnderWay(t *testing.T) {
	t.Parallel()
	whenFull(t, valkey(t))
}

func whenFull(t *testing.T, program string) {
	t.Helper()
	server := redistest.Start(t, program)
	s := open(t, server.URL(""), time.Now)
	record := put(t, s, store.Record{Key: "a", Due: time.Now().Add(-time.Minute)})
	admin := server.Client(t)
	require.NoError(t, admin.ConfigSet(t.Context(), "maxmemory", "1").Err())
	_, err := s.Put(t.Context(), store.Record{Kind: kind, Key: "new"})
	require.ErrorIs(t, err, store.ErrFull)
	require.ErrorIs(t, err, store.ErrUnavailable)

	record.Value = []byte("changed")
	record = put(t, s, record)
	claimed, err := s.Claim(t.Context(), kind, time.Minute, 10)
	require.NoError(t, err)
	require.Len(t, claimed, 1)
	require.Equal(t, record.Value, claimed[0].Value)
	_, err = s.Put(t.Context(), record)
	require.ErrorIs(t, err, store.ErrConflict, "as ever")
	_, err = s.Put(t.Context(), store.Record{Kind: store.KindSession, Key: "ann/x"})
	require.NoError(t, err, "who cannot sign in cannot disconnect")
	require.NoError(t, s.Ping(t.Context()), "this process is still needed")
	require.NoError(t, s.Delete(t.Context(), kind, "a", claimed[0].Version))

	require.NoError(t, admin.ConfigSet(t.Context(), "maxmemory", "0").Err())
	put(t, s, store.Record{Key: "new"})
}

func TestOpenTellsHarmfulSettingsOnce(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Redis, "--maxmemory-policy", "allkeys-lru")
	var mu sync.Mutex
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(lockedWriter{&mu, &out}, nil))
	late := func() time.Time { return time.Now().Add(-time.Minute) }
	s, err := redis.Open(server.URL(""), late, log)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	var group sync.WaitGroup
	for range 5 { // several connections
		group.Go(func() { _ = s.Ping(t.Context()) })
	}
	group.Wait()
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, 1, strings.Count(out.String(), "maxmemory_policy=allkeys-lru"), out.String())
	require.Equal(t, 1, strings.Count(out.String(), "redis_ahead_seconds=60"), out.String())
}

func TestWatchThatRedisRefusesIsToldAndBeginsOnceItMay(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Redis, "--user", "ghscoped", "on", ">secret", "~*", "resetchannels", "+@all")
	var mu sync.Mutex
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(lockedWriter{&mu, &out}, nil))
	s, err := redis.Open("redis://ghscoped:secret@"+server.Addr, time.Now, log)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	changes := s.Watch(t.Context(), kind, "a")
	require.Eventually(t, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return strings.Contains(out.String(), "channel={ghscoped:thing}:changed")
	}, patience, time.Millisecond)

	require.NoError(t, server.Client(t).Do(t.Context(), "ACL", "SETUSER", "ghscoped", "&{ghscoped:*").Err())
	hears(t, changes, "")
	put(t, s, store.Record{Key: "a"})
	hears(t, changes, "a")
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, 1, strings.Count(out.String(), "refuses the subscription"), out.String())
}

type lockedWriter struct {
	mu  *sync.Mutex
	out *bytes.Buffer
}

func (w lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out.Write(p)
}

func TestOpenReadsAPasswordFileAgain(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Redis, "--requirepass", "first")
	file := filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(file, []byte("first\n"), 0o600))
	s := open(t, server.URL("password_file="+file), time.Now)
	require.NoError(t, s.Ping(t.Context()))

	admin := goredis.NewClient(&goredis.Options{Addr: server.Addr, Password: "first"})
	defer admin.Close()
	require.NoError(t, admin.ConfigSet(t.Context(), "requirepass", "second").Err())
	require.NoError(t, os.WriteFile(file, []byte("second\n"), 0o600))
	require.NoError(t, admin.ClientKillByFilter(t.Context(), "TYPE", "normal", "SKIPME", "yes").Err())
	require.NoError(t, s.Ping(t.Context()))

	require.NoError(t, os.WriteFile(file, []byte("wrong\n"), 0o600))
	require.NoError(t, admin.ClientKillByFilter(t.Context(), "TYPE", "normal", "SKIPME", "yes").Err())
	err := s.Ping(t.Context())
	require.ErrorIs(t, err, store.ErrUnavailable)
	require.ErrorContains(t, err, "WRONGPASS")
	require.NotContains(t, err.Error(), "wrong\n")
}
