package replicas_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/githubsim"
	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/internal/hubtest/journey"
	"github.com/ghscoped/ghscoped-service/internal/store"
	"github.com/ghscoped/ghscoped-service/internal/store/redistest"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

// program is the service, built once.
var program string

func TestMain(m *testing.M) {
	rig.Main(m, rig.Building(map[*string]string{&program: "cmd/ghscoped-service"}))
}

// world is a Hub whose one service is two replicas that share a Redis.
type world struct {
	hub      *hubtest.Hub
	github   *githubsim.Server
	redis    *redistest.Server
	replicas []*replica
	people   []*person
	moves    rig.Moves
	keys     string
	address  *url.URL // of the service's page
}

// newWorld has so many people, the first of whom have a server that runs.
func newWorld(ctx context.Context, t *testing.T, people, servers int) *world {
	t.Helper()
	w := &world{keys: filepath.Join(t.TempDir(), "keys"), moves: rig.WatchMoves(t)}
	require.NoError(t, os.WriteFile(w.keys, []byte(store.NewKey().Reveal()+"\n"), 0o600))
	w.redis = redistest.Start(t, redistest.Redis, "--appendonly", "yes", "--appendfsync", "always")
	w.startGitHub(t, people)
	w.hub = hubtest.New(t, hubtest.Options{
		ServerEnv: map[string]string{"PATH": w.moves.Path},
		External:  func(env []string) error { return w.startService(ctx, t, env) },
	})
	var err error
	w.address, err = url.Parse(w.hub.ServiceURL)
	require.NoError(t, err)
	w.enter(ctx, t, people, servers)
	return w
}

func (w *world) startGitHub(t *testing.T, people int) {
	o := githubsim.Options{Limits: githubsim.Limits{RevokePerHour: 1e6, UserPerHour: 1e6, AnonymousPerHour: 1e6}}
	o.Accounts, o.Repositories = accounts(people)
	w.github = rig.NewGitHub(t, o)
}

// startService starts the replicas, and the balancer where the Hub expects the
// service.
func (w *world) startService(ctx context.Context, t *testing.T, env []string) error {
	env = append(append(env, rig.GitHubEnv(w.github)...), "GHSCOPED_LOG_LEVEL=debug", "GHSCOPED_KEY_FILE="+w.keys,
		"GHSCOPED_STORE=redis://"+w.redis.Addr+"/0")
	for range replicas {
		listen := rig.FreeAddress(t)
		r := &replica{url: "http://" + listen + rig.Variable(env, "JUPYTERHUB_SERVICE_PREFIX"),
			env: append(env[:len(env):len(env)], "GHSCOPED_LISTEN="+listen)}
		if err := r.start(ctx); err != nil {
			return fmt.Errorf("%w:\n%s", err, r.process.Log.Tail(20))
		}
		t.Cleanup(func() { require.NoError(t, r.stop()) })
		w.replicas = append(w.replicas, r)
	}
	at, err := url.Parse(rig.Variable(env, "JUPYTERHUB_SERVICE_URL"))
	if err != nil {
		return err
	}
	balancing, err := balancer(at.Host, w.replicas)
	if err == nil {
		t.Cleanup(func() { _ = balancing.Close() })
	}
	return err
}

// enter starts the servers and signs everybody in.
func (w *world) enter(ctx context.Context, t *testing.T, people, servers int) {
	t.Helper()
	began := time.Now()
	w.people = make([]*person, people)
	require.NoError(t, eachAtOnce(people, 6, func(i int) error {
		name := nameOf(i)
		if err := w.hub.CreateUser(ctx, name); err != nil {
			return err
		}
		if i < servers {
			if _, err := w.hub.StartServer(ctx, name, ""); err != nil {
				return err
			}
		}
		visitor, err := w.hub.Visit(ctx, name)
		w.people[i] = &person{Visitor: visitor, name: name, intent: intents[i%len(intents)]}
		return err
	}))
	t.Logf("%d people signed in within %.0f s", people, time.Since(began).Seconds())
}

// logs are those of all processes that were ever started.
func (w *world) logs() (logs [][]byte) {
	for _, r := range w.replicas {
		logs = append(logs, r.logs...)
		logs = append(logs, r.process.Log.Bytes())
	}
	return logs
}

// request asks a replica itself, with a user's Hub token.
func (w *world) request(ctx context.Context, t *testing.T, r *replica, token, method, path string) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, method, r.url+path, nil)
	require.NoError(t, err)
	request.Header.Set("Authorization", "token "+token)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	return response
}

// direct begins (POST) or cancels (DELETE) a flow at one replica.
func (w *world) direct(ctx context.Context, t *testing.T, r *replica, token, method string) int {
	t.Helper()
	path := map[string]string{http.MethodPost: "api/flows", http.MethodDelete: "api/flows/current"}[method]
	response := w.request(ctx, t, r, token, method, path)
	require.NoError(t, response.Body.Close())
	return response.StatusCode
}

// listen follows a user's flow at one replica (server-sent events).
func (w *world) listen(ctx context.Context, t *testing.T, r *replica, token string) <-chan journey.Flow {
	t.Helper()
	response := w.request(ctx, t, r, token, http.MethodGet, "api/flows/current/events")
	require.Equal(t, http.StatusOK, response.StatusCode)
	events := make(chan journey.Flow, 100)
	go func() {
		defer close(events)
		defer response.Body.Close()
		for lines := bufio.NewScanner(response.Body); lines.Scan(); {
			var event journey.Flow
			if data, found := strings.CutPrefix(lines.Text(), "data: "); found && json.Unmarshal([]byte(data), &event) == nil {
				events <- event
			}
		}
	}()
	return events
}
