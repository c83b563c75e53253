package attack_test

import (
	"context"
	"net/http"
	"os"
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
	return `curl -s -X ` + method + ` -H "Authorization: token $JUPYTERHUB_API_TOKEN" -d '` + body + `' ` + w.Hub.ServiceURL + path
}

// askCredential asks as git's helper does.
func (w *world) askCredential() string {
	return w.ask(http.MethodPost, "api/credential", `{"protocol":"http","host":"`+w.host()+`"}`)
}

// host is that of the simulated GitHub, as git names it.
func (w *world) host() string { return strings.TrimPrefix(w.GitHub.URL(), "http://") }

// state is what GitHub says of a token.
func (w *world) state(token string) string {
	for _, known := range w.GitHub.Tokens() {
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
func (w *world) connect(t *testing.T, who journey.Caller) string {
	t.Helper()
	w.Connect(t, who, "octocat")
	tokens := w.GitHub.Tokens()
	return tokens[len(tokens)-1].Token
}

// Whoever is given the name of a user who was deleted or renamed gets nothing of
// theirs.
func TestNamesThatAreGivenAgain(t *testing.T) {
	gone := map[string]func(ctx context.Context, w *world, name string) (int, error){
		"deleted": func(ctx context.Context, w *world, name string) (int, error) {
			return w.Hub.API(ctx, w.Hub.AdminToken, http.MethodDelete, "/users/"+name, nil, nil)
		},
		"renamed": func(ctx context.Context, w *world, name string) (int, error) {
			return w.Hub.API(ctx, w.Hub.AdminToken, http.MethodPatch, "/users/"+name, map[string]string{"name": name + "-old"}, nil)
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
	w.StartServer(t, name, "")
	former := w.Visit(t, name)
	token := w.connect(t, former)
	require.NoError(t, w.Hub.StopServer(ctx, name, ""))
	status, err := leave(ctx, w, name)
	require.NoError(t, err)
	require.Less(t, status, 300)
	require.NoError(t, os.RemoveAll(w.Hub.Home(name)))

	require.NoError(t, w.Hub.CreateUser(ctx, name))
	w.StartServer(t, name, "")
	terminal := w.OpenTerminal(t, name, "")
	said := rig.Shell(t, terminal, w.askCredential())
	require.NotContains(t, said, token)
	require.Contains(t, said, "not_connected")

	newcomer := w.Visit(t, name)
	for method, path := range map[string]string{http.MethodGet: "api/connection", http.MethodDelete: "api/connection", http.MethodPost: "api/deliveries"} {
		require.Equal(t, http.StatusNotFound, rig.Call(t, newcomer, method, path, nil, nil), "%s %s", method, path)
	}
	w.requireRevoked(t, token)
	require.NoFileExists(t, w.CredentialFile(name))
	w.Connect(t, newcomer, "mona") // the former owner's account does not bind
}

func (w *world) endedByCommand(t *testing.T) {
	ended := w.Visit(t, "ended")
	token := w.connect(t, ended)
	env := slices.Concat([]string{
		"JUPYTERHUB_SERVICE_NAME=" + hubtest.ServiceName, "JUPYTERHUB_SERVICE_URL=" + w.Hub.ServiceAddr, "JUPYTERHUB_API_URL=" + w.Hub.APIURL,
		"GHSCOPED_PROXY_URL=" + w.Hub.ProxyURL,
	}, rig.GitHubEnv(w.GitHub))
	require.Contains(t, run(t, append(env, "JUPYTERHUB_API_TOKEN=another-token"), service, "user", "end", "ended"), "own_token_only")
	env = append(env, "JUPYTERHUB_API_TOKEN="+w.Hub.ServiceToken)
	require.Contains(t, run(t, env, service, "user", "end", "nobody"), "no_record")
	require.Equal(t, "live", w.state(token))
	require.Contains(t, run(t, env, service, "user", "end", "ended"), "ended ended")
	w.requireRevoked(t, token)
	require.Equal(t, http.StatusNotFound, rig.Call(t, ended, http.MethodGet, "api/connection", nil, nil))
}
