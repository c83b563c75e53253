package attack_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/internal/hubtest/journey"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

// ask is what a program in a server calls the service with, as a shell command.
func (w *world) ask(method, path, body string) string {
	return `curl -s -X ` + method + ` -H "Authorization: token $JUPYTERHUB_API_TOKEN" -d '` + body + `' ` + w.hub.ServiceURL + path
}

// askCredential asks as git's helper does.
func (w *world) askCredential() string {
	return w.ask(http.MethodPost, "api/credential", `{"protocol":"http","host":"`+w.host()+`"}`)
}

// host is that of the simulated GitHub, as git names it.
func (w *world) host() string { return strings.TrimPrefix(w.github.URL(), "http://") }

// state is what GitHub says of a token.
func (w *world) state(token string) string {
	for _, known := range w.github.Tokens() {
		if known.Token == token {
			return known.State
		}
	}
	return ""
}

func (w *world) requireRevoked(t *testing.T, token string) {
	t.Helper()
	require.Eventually(t, func() bool { return w.state(token) == "revoked" }, hubtest.Patience, 50*time.Millisecond, "it is %s", w.state(token))
}

// connect has a user approve as octocat, and returns the token that GitHub gave.
func (w *world) connect(ctx context.Context, t *testing.T, who journey.Caller) string {
	t.Helper()
	require.NoError(t, journey.ConnectByAPI(ctx, who, func(code string) error { return w.github.Approve(code, "octocat") }))
	tokens := w.github.Tokens()
	return tokens[len(tokens)-1].Token
}

// Whoever is given the name of a user who was deleted or renamed gets nothing of
// theirs.
func TestNamesThatAreGivenAgain(t *testing.T) {
	gone := map[string]func(ctx context.Context, w *world, name string) (int, error){
		"deleted": func(ctx context.Context, w *world, name string) (int, error) {
			return w.hub.API(ctx, w.hub.AdminToken, http.MethodDelete, "/users/"+name, nil, nil)
		},
		"renamed": func(ctx context.Context, w *world, name string) (int, error) {
			return w.hub.API(ctx, w.hub.AdminToken, http.MethodPatch, "/users/"+name, map[string]string{"name": name + "-old"}, nil)
		},
	}
	for _, version := range []string{"hub4", "hub5", "hub6"} {
		t.Run(version, func(t *testing.T) {
			w := newWorld(t, hubtest.Options{Version: version, Users: []string{"deleted", "renamed", "ended"},
				ServiceEnv: map[string]string{"GHSCOPED_IDENTITY": "bound"}})
			for name, leave := range gone {
				t.Run(name, func(t *testing.T) { w.givenAgain(t, name, leave) })
			}
			t.Run("ended by an admin's command", w.endedByCommand)
		})
	}
}

func (w *world) givenAgain(t *testing.T, name string, leave func(context.Context, *world, string) (int, error)) {
	ctx := hubtest.Context(t)
	_, err := w.hub.StartServer(ctx, name, "")
	require.NoError(t, err)
	former, err := w.hub.Visit(ctx, name)
	require.NoError(t, err)
	token := w.connect(ctx, t, former)
	require.NoError(t, w.hub.StopServer(ctx, name, ""))
	status, err := leave(ctx, w, name)
	require.NoError(t, err)
	require.Less(t, status, 300)
	require.NoError(t, os.RemoveAll(w.hub.Home(name)))

	require.NoError(t, w.hub.CreateUser(ctx, name))
	_, err = w.hub.StartServer(ctx, name, "")
	require.NoError(t, err)
	terminal, err := w.hub.OpenTerminal(ctx, name, "")
	require.NoError(t, err)
	said, _, err := terminal.Run(ctx, w.askCredential())
	require.NoError(t, err)
	require.NotContains(t, said, token)
	require.Contains(t, said, "not_connected")

	newcomer, err := w.hub.Visit(ctx, name)
	require.NoError(t, err)
	for method, path := range map[string]string{http.MethodGet: "api/connection", http.MethodDelete: "api/connection", http.MethodPost: "api/deliveries"} {
		status, err := newcomer.Call(ctx, method, path, nil, nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusNotFound, status, "%s %s", method, path)
	}
	w.requireRevoked(t, token)
	require.NoFileExists(t, filepath.Join(w.hub.Home(name), journey.CredentialFile))
	require.NoError(t, journey.ConnectByAPI(ctx, newcomer, func(code string) error { return w.github.Approve(code, "mona") }),
		"the former owner's account does not bind")
}

func (w *world) endedByCommand(t *testing.T) {
	ctx := hubtest.Context(t)
	ended, err := w.hub.Visit(ctx, "ended")
	require.NoError(t, err)
	token := w.connect(ctx, t, ended)
	env := slices.Concat([]string{
		"JUPYTERHUB_SERVICE_NAME=" + hubtest.ServiceName, "JUPYTERHUB_SERVICE_URL=" + w.hub.ServiceAddr, "JUPYTERHUB_API_URL=" + w.hub.APIURL,
		"GHSCOPED_PROXY_URL=" + w.hub.ProxyURL,
	}, rig.GitHubEnv(w.github))
	require.Contains(t, run(t, append(env, "JUPYTERHUB_API_TOKEN=another-token"), service, "user", "end", "ended"), "own_token_only")
	env = append(env, "JUPYTERHUB_API_TOKEN="+w.hub.ServiceToken)
	require.Contains(t, run(t, env, service, "user", "end", "nobody"), "no_record")
	require.Equal(t, "live", w.state(token))
	require.Contains(t, run(t, env, service, "user", "end", "ended"), "ended ended")
	w.requireRevoked(t, token)
	status, err := ended.Call(ctx, http.MethodGet, "api/connection", nil, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusNotFound, status)
}
