package redis_test

import (
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/store"
	"github.com/ghscoped/ghscoped-service/internal/store/redis"
	"github.com/ghscoped/ghscoped-service/internal/store/redistest"
	"github.com/ghscoped/ghscoped-service/internal/store/storetest"
)

const kind store.Kind = "thing"

// conformance runs the suite on a server; each test has a prefix of its own.
func conformance(t *testing.T, url string) {
	var count atomic.Int64
	storetest.Run(t, storetest.Suite{Shared: true, New: func(t *testing.T, clock func() time.Time) func() store.Backend {
		mine := fmt.Sprintf("%s&prefix=test%d:", url, count.Add(1))
		return func() store.Backend { return open(t, mine, clock) }
	}})
}

func TestMain(m *testing.M) {
	redis.LogTo(slog.New(slog.DiscardHandler)) // outages are what many tests are about
	os.Exit(m.Run())
}

func open(t *testing.T, url string, clock func() time.Time) *redis.Store {
	t.Helper()
	opened, err := redis.Open(url, clock, slog.New(slog.NewTextHandler(t.Output(), nil)))
	require.NoError(t, err)
	t.Cleanup(func() { _ = opened.Close() })
	return opened
}

func TestRedisIsABackend(t *testing.T) {
	t.Parallel()
	conformance(t, redistest.Start(t, redistest.Redis).URL(""))
}

func TestValkeyIsABackend(t *testing.T) {
	t.Parallel()
	conformance(t, redistest.Start(t, valkey(t)).URL(""))
}

func valkey(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("valkey-server")
	if err != nil {
		program, err = filepath.Abs("../../../.demo/bin/valkey-server")
		require.NoError(t, err)
		require.FileExists(t, program, "run demo/install.sh valkey; make test-unit leaves these tests out")
	}
	return program
}

func TestRedisWithTLSAndAUserIsABackend(t *testing.T) {
	t.Parallel()
	server, ca := redistest.StartTLS(t, redistest.Redis,
		"--user", "default", "off",
		"--user", "ghscoped", "on", ">pass%word", "~*", "&*", "+@all", "-@dangerous", "+info")
	files := t.TempDir()
	user, password := filepath.Join(files, "user"), filepath.Join(files, "password")
	require.NoError(t, os.WriteFile(user, []byte("ghscoped\n"), 0o600))
	require.NoError(t, os.WriteFile(password, []byte("pass%word\n"), 0o600))
	conformance(t, fmt.Sprintf("rediss://%s/?ca_file=%s&username_file=%s&password_file=%s", server.Addr, ca, user, password))
}

func TestClusterIsABackend(t *testing.T) {
	t.Parallel()
	nodes := redistest.StartCluster(t, redistest.Redis)
	conformance(t, nodes[0].URL("cluster=true&addr="+nodes[1].Addr))
}

func TestRedisBehindSentinelIsABackend(t *testing.T) {
	t.Parallel()
	servers := redistest.StartSentinels(t, redistest.Redis)
	conformance(t, servers.Sentinel.URL("master_name=ours"))
}
