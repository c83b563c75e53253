package crash_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/githubsim"
	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/internal/store"
	"github.com/ghscoped/ghscoped-service/internal/store/bolt"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

// world is one Hub with as many services as there are lanes, and a GitHub.
type world struct {
	hub    *hubtest.Hub
	github *githubsim.Server
	lanes  []*lane
	folder string // stores of the services
	keys   string
}

func newWorld(ctx context.Context, t *testing.T) *world {
	t.Helper()
	w := &world{github: newGitHub(t), folder: t.TempDir(), keys: filepath.Join(t.TempDir(), "keys")}
	require.NoError(t, os.WriteFile(w.keys, []byte(store.NewKey().Reveal()+"\n"), 0o600))
	moves := rig.WatchMoves(t)
	for _, user := range users {
		w.lanes = append(w.lanes, &lane{user: user, github: w.github, moves: moves})
	}
	others := w.others(t)
	w.hub = hubtest.New(t, hubtest.Options{
		Users: users, ServerEnv: map[string]string{"PATH": moves.Path}, Extra: rig.Register(others...),
		External: func(env []string) error { return w.startAll(ctx, env, others) },
	})
	t.Cleanup(func() {
		for _, l := range w.lanes {
			require.NoError(t, l.stop())
		}
	})
	var group sync.WaitGroup
	for i, l := range w.lanes {
		if l.hub = w.hub; i > 0 {
			l.hub = others[i-1].Hub(w.hub)
		}
		group.Go(func() { l.enter(ctx, t) })
	}
	group.Wait()
	require.False(t, t.Failed())
	return w
}

// enter starts the user's server and signs the user in.
func (l *lane) enter(ctx context.Context, t *testing.T) {
	if _, err := l.hub.StartServer(ctx, l.user, ""); err != nil {
		t.Error(err)
		return
	}
	person, err := l.hub.Visit(ctx, l.user)
	if err != nil {
		t.Error(err)
	}
	l.person = person
}

func newGitHub(t *testing.T) *githubsim.Server {
	t.Helper()
	o := githubsim.Options{Interval: time.Second, Limits: githubsim.Limits{
		RevokePerHour: 1e6, AnonymousPerHour: 1e6, UserPerHour: 1e6, TokensPerUser: 1e6,
	}}
	for _, user := range users {
		o.Accounts = append(o.Accounts, account(user))
		o.Repositories = append(o.Repositories, repository(user))
	}
	github := rig.NewGitHub(t, o)
	for _, user := range users {
		_, err := github.InstallApp(githubsim.DefaultClientID, user, true)
		require.NoError(t, err)
	}
	return github
}

// others are the services of all lanes but the first, whose service is the one
// that every Hub of hubtest has.
func (w *world) others(t *testing.T) (services []rig.Service) {
	for i := range w.lanes[1:] {
		services = append(services, rig.NewService(fmt.Sprintf("%s-%d", hubtest.ServiceName, i+2), hubtest.FreePort(t)))
	}
	return services
}

// startAll starts every lane's service; env is that of the first.
func (w *world) startAll(ctx context.Context, env []string, others []rig.Service) error {
	for i, l := range w.lanes {
		if l.env = env; i > 0 {
			l.env = others[i-1].Env(env)
		}
		l.store, l.keys = filepath.Join(w.folder, l.user+".db"), w.keys
		l.env = append(append(slices.Clip(l.env), rig.GitHubEnv(w.github)...), "GHSCOPED_LOG_LEVEL=debug", "GHSCOPED_KEY_FILE="+l.keys,
			"GHSCOPED_STORE=bolt:"+l.store)
		if err := l.start(ctx, "", ""); err != nil {
			return fmt.Errorf("%w:\n%s", err, l.service.Log.Tail(20))
		}
	}
	return nil
}

// requireNoSecrets ends the services, and searches the stores and the logs, the
// Hub's too, for all that was ever issued.
func (w *world) requireNoSecrets(ctx context.Context, t *testing.T) {
	t.Helper()
	secrets := rig.SecretsOf(w.github)
	require.NoError(t, secrets.AddKeyFile(w.keys))
	for _, l := range w.lanes {
		secrets.Add("the service's Hub token", rig.Variable(l.env, "JUPYTERHUB_API_TOKEN"))
		for _, cookie := range l.cookies(t) {
			secrets.Add("the cookie "+cookie.Name, cookie.Value)
		}
	}
	hubTokens := 0
	for _, l := range w.lanes {
		require.NoError(t, l.stop()) // it holds its file
		backend, err := bolt.Open(filepath.Join(w.folder, l.user+".db"), time.Now)
		require.NoError(t, err)
		hubTokens, err = secrets.AddStored(ctx, backend, w.keys)
		require.NoError(t, errors.Join(err, backend.Close()))
	}
	require.GreaterOrEqual(t, hubTokens, len(w.lanes), "each user has an own Hub token here")
	found, size, err := secrets.FindIn(w.folder)
	require.NoError(t, err)
	require.Empty(t, found)
	size += len(w.hub.Log.Bytes())
	require.Empty(t, secrets.FindInHub(w.hub.Log.Bytes()), "the Hub's log")
	for _, l := range w.lanes {
		for _, log := range append(l.logs, l.service.Log.Bytes()) {
			size += len(log)
			require.Empty(t, secrets.Find(log), "the log of the service of %s", l.user)
		}
	}
	t.Logf("%d secrets, %d of them users' own Hub tokens, none in %d kB of stores and logs", secrets.Len(), hubTokens, size>>10)
}

func (l *lane) cookies(t *testing.T) []*http.Cookie {
	t.Helper()
	address, err := url.Parse(l.hub.ServiceURL)
	require.NoError(t, err)
	return l.person.Cookies(address)
}
