package store_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/bot"
	"github.com/ghscoped/ghscoped-service/internal/flow"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/hubauth"
	"github.com/ghscoped/ghscoped-service/internal/secret"
	"github.com/ghscoped/ghscoped-service/internal/store"
	"github.com/ghscoped/ghscoped-service/internal/store/redis"
	"github.com/ghscoped/ghscoped-service/internal/store/redistest"
)

// markers makes secrets that can be found again.
type markers struct{ made []string }

func (m *markers) new() secret.Stored {
	value := fmt.Sprintf("MARKER-%d-%s", len(m.made), store.NewKey().Reveal()[:12])
	m.made = append(m.made, value)
	return secret.Store(secret.New(value))
}

func (m *markers) user(now time.Time) *flow.User {
	token := func() github.Token {
		return github.Token{Access: m.new(), ExpiresAt: now.Add(time.Hour), Refresh: m.new(), RefreshExpiresAt: now.Add(time.Hour)}
	}
	return &flow.User{
		Name: "ann",
		Flow: &flow.Flow{
			State: flow.Pending, Retry: flow.Retry{Due: now.Add(-time.Second)}, UserCode: m.new().Reveal(), DeviceCode: m.new(),
			WebState: m.new(), CodeVerifier: m.new(), Token: token(),
		},
		Connection:  &flow.Connection{Token: token(), Account: github.Account{Email: m.new().Reveal()}},
		Revocations: []flow.Revocation{{Token: m.new(), Retry: flow.Retry{Due: now}}},
		HubToken:    m.new(),
	}
}

// write does all that is ever done with a record that holds a secret.
func (m *markers) write(t *testing.T, backend store.Backend, clock func() time.Time) {
	t.Helper()
	key := store.NewKey()
	m.made = append(m.made, key.Reveal())
	keys, err := store.NewKeyring(key)
	require.NoError(t, err)
	require.NoError(t, store.Verify(t.Context(), backend, keys))
	users := store.NewUsers(backend, keys, clock, slog.New(slog.DiscardHandler))
	require.NoError(t, users.Save(t.Context(), m.user(clock())))
	claimed, err := users.Claim(t.Context(), time.Minute, 1)
	require.NoError(t, err)
	require.Len(t, claimed, 1)
	claimed[0].Flow.Token.Access = m.new()
	require.NoError(t, users.Save(t.Context(), claimed[0]))
	id, err := store.NewSessions(backend, keys).Create(t.Context(), hubauth.Session{
		User: "ann", HubToken: m.new(), CSRF: m.new(), HubSessionID: m.new().Reveal(), ExpiresAt: clock().Add(time.Hour),
	})
	require.NoError(t, err)
	m.made = append(m.made, id, id[:43])
	require.NoError(t, store.NewBots(backend, keys).Add(t.Context(), bot.Live{
		ID: "hash", Caller: "service:nbbot", Token: m.new(), ExpiresAt: clock().Add(time.Hour),
	}))
}

// findNone reads every file of a directory.
func (m *markers) findNone(t *testing.T, dir string) {
	t.Helper()
	size := 0
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		size += len(content)
		for _, marker := range m.made {
			for _, form := range []string{marker, hex.EncodeToString([]byte(marker)), base64.StdEncoding.EncodeToString([]byte(marker))} {
				require.NotContains(t, string(content), form, path)
			}
		}
		return err
	}))
	require.Greater(t, size, 1000, "there is something to search")
	require.Greater(t, len(m.made), 15)
}

func TestBoltFileHoldsNoSecretInClear(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var m markers
	m.write(t, f.Backend, f.clock.Now)
	require.NoError(t, f.Close())
	m.findNone(t, filepath.Dir(f.path))
}

func TestRedisDumpHoldsNoSecretInClear(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Redis, "--appendonly", "yes", "--rdbcompression", "no")
	backend, err := redis.Open(server.URL(""), time.Now, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer backend.Close()
	var m markers
	m.write(t, backend, time.Now)
	require.NoError(t, server.Client(t).Save(t.Context()).Err())
	server.Stop(t)
	dumps, err := filepath.Glob(filepath.Join(server.Dir, "*.rdb"))
	require.NoError(t, err)
	require.Len(t, dumps, 1)
	logs, err := filepath.Glob(filepath.Join(server.Dir, "appendonlydir", "*"))
	require.NoError(t, err)
	require.NotEmpty(t, logs)
	m.findNone(t, server.Dir)
}
