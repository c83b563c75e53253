package doctor_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/audit"
	"github.com/ghscoped/ghscoped-service/internal/check"
	"github.com/ghscoped/ghscoped-service/internal/githubsim"
	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/internal/store"
	"github.com/ghscoped/ghscoped-service/internal/store/bolt"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

// broken is something set up wrongly, and what the doctor must call it.
type broken struct {
	// set breaks it and returns the environment to look at.
	set func(t *testing.T, w *world) []string
	// fails are the checks that fail, all of them; says is part of the first one's
	// line.
	fails []string
	says  string
}

func change(changes ...string) func(*testing.T, *world) []string {
	return func(_ *testing.T, w *world) []string { return with(w.Env, changes...) }
}

// app is the service's environment with a GitHub that has this App.
func app(edit func(*githubsim.App)) func(*testing.T, *world) []string {
	return func(t *testing.T, w *world) []string {
		a := githubsim.App{ClientID: githubsim.DefaultClientID, Slug: githubsim.DefaultSlug, ClientSecret: "right"}
		edit(&a)
		return with(w.Env, rig.GitHubEnv(rig.NewGitHub(t, githubsim.Options{Apps: []githubsim.App{a}}))...)
	}
}

func file(t *testing.T, content string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte(content), mode))
	require.NoError(t, os.Chmod(path, mode))
	return path
}

// written is a store that a service has used, and its events.
func written(t *testing.T, path string, events ...audit.Event) {
	t.Helper()
	keys, err := store.EnsureKeyring(path + ".key")
	require.NoError(t, err)
	opened, err := bolt.Open(path, time.Now)
	require.NoError(t, err)
	require.NoError(t, store.Verify(t.Context(), opened, keys))
	for _, event := range events {
		require.NoError(t, store.NewEvents(opened, keys).Add(t.Context(), event))
	}
	require.NoError(t, opened.Close())
}

func TestDoctorNamesEachMisconfiguration(t *testing.T) {
	w := newWorld(t, hubtest.Options{})
	for name, test := range allBroken() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := test.set(t, w)
			code, seen := findings(t, env)
			require.Equal(t, 1, code)
			var failed []string
			said := ""
			for _, f := range seen {
				if f.State != check.Fail {
					continue
				}
				require.NotEmpty(t, f.Fix, f.Name)
				said += f.Message + "\n"
				failed = append(failed, f.Name)
			}
			require.Equal(t, test.fails, failed, "%v", seen)
			require.Contains(t, said, test.says)
		})
	}
}

func allBroken() map[string]broken {
	all := brokenHere()
	for name, test := range brokenAtTheHub() {
		all[name] = test
	}
	for name, test := range brokenAtGitHub() {
		all[name] = test
	}
	return all
}

func brokenHere() map[string]broken {
	return map[string]broken{
		"settings misspelt": {set: change("GHSCOPED_IDENTIY=match", "GHSCOPED_DELIVERY=shove"),
			fails: []string{"settings", "settings"}, says: "GHSCOPED_IDENTIY"},
		"key file open to all": {fails: []string{"key-file"}, says: "open to others",
			set: func(t *testing.T, w *world) []string {
				_, env := w.alone(t, "GHSCOPED_KEY_FILE="+file(t, store.NewKey().Reveal(), 0o644))
				return env
			}},
		"key file lost": {fails: []string{"key-file"}, says: "is not there",
			set: func(t *testing.T, w *world) []string {
				path, env := w.alone(t)
				written(t, path)
				require.NoError(t, os.Remove(path+".key"))
				return env
			}},
		"key file of another store": {fails: []string{"store"}, says: "does not hold the key",
			set: func(t *testing.T, w *world) []string {
				path, env := w.alone(t, "GHSCOPED_KEY_FILE="+file(t, store.NewKey().Reveal(), 0o600))
				written(t, path)
				return env
			}},
		"store damaged": {fails: []string{"store"}, says: "damaged",
			set: func(t *testing.T, w *world) []string {
				path, env := w.alone(t)
				written(t, path)
				require.NoError(t, os.Truncate(path, 8192))
				return env
			}},
		"store in no folder": {fails: []string{"store"}, says: "no such file or directory",
			set: func(t *testing.T, w *world) []string {
				_, env := w.alone(t, "GHSCOPED_STORE=bolt:/nowhere/ghscoped.db")
				return env
			}},
		"store held by a stranger": {fails: []string{"store"}, says: "A process holds",
			set: func(t *testing.T, w *world) []string {
				path, env := w.alone(t)
				written(t, path)
				held, err := bolt.Open(path, time.Now)
				require.NoError(t, err)
				t.Cleanup(func() { require.NoError(t, held.Close()) })
				return env
			}},
		"Redis away": {fails: []string{"store"}, says: "unavailable",
			set: func(t *testing.T, w *world) []string {
				_, env := w.alone(t, "GHSCOPED_STORE=redis"+strings.TrimPrefix(nobody(t), "http")+"/0",
					"GHSCOPED_KEY_FILE="+file(t, store.NewKey().Reveal(), 0o600))
				return env
			}},
		"service not ready": {fails: []string{"service"}, says: "not ready",
			set: func(t *testing.T, w *world) []string {
				_, env := w.alone(t)
				service := rig.Run(t, with(env, "JUPYTERHUB_API_TOKEN=wrong-token"), program)
				require.NoError(t, hubtest.Answers(t.Context(), "http://"+rig.Variable(env, "GHSCOPED_LISTEN"), service.Done()))
				return env
			}},
		"address of another program": {fails: []string{"service"}, says: "Something else answers",
			set: func(t *testing.T, w *world) []string {
				other := httptest.NewServer(http.NotFoundHandler())
				t.Cleanup(other.Close)
				_, env := w.alone(t)
				return with(env, "GHSCOPED_LISTEN="+strings.TrimPrefix(other.URL, "http://"))
			}},
	}
}

func brokenAtTheHub() map[string]broken {
	return map[string]broken{
		"Hub down": {fails: []string{"hub-api"}, says: "Nothing answers",
			set: func(t *testing.T, w *world) []string {
				return with(w.Env, "JUPYTERHUB_API_URL="+nobody(t)+"/hub/api")
			}},
		"Hub address that is no API": {fails: []string{"hub-api"}, says: "no JupyterHub's REST API",
			set: func(_ *testing.T, w *world) []string {
				return with(w.Env, "JUPYTERHUB_API_URL="+w.Hub.URL+"hub")
			}},
		"Hub token wrong": {set: change("JUPYTERHUB_API_TOKEN=no-such-token"), fails: []string{"hub-token"}, says: "does not know the service's token"},
		"Hub token of a user": {fails: []string{"hub-token"}, says: "of the user ada",
			set: func(t *testing.T, w *world) []string {
				return with(w.Env, "JUPYTERHUB_API_TOKEN="+w.UserToken(t, "ada"))
			}},
		"Hub token of another service": {fails: []string{"hub-token"}, says: "of the service greedy",
			set: func(_ *testing.T, w *world) []string { return with(w.Env, "JUPYTERHUB_API_TOKEN="+w.greedy.Token) }},
		"service with a role": {fails: []string{"hub-scopes"}, says: "access:servers",
			set: func(t *testing.T, w *world) []string {
				_, env := w.alone(t)
				return w.greedy.Env(env)
			}},
		"another OAuth client": {set: change("JUPYTERHUB_CLIENT_ID=service-other"), fails: []string{"settings"}, says: "the service signs in as"},
		"proxy where nothing is": {fails: []string{"proxy"}, says: "nothing answers",
			set: func(t *testing.T, w *world) []string { return with(w.Env, "GHSCOPED_PROXY_URL="+nobody(t)) }},
		"proxy that is the Hub itself": {fails: []string{"proxy"}, says: "is the Hub itself",
			set: func(_ *testing.T, w *world) []string {
				return with(w.Env, "GHSCOPED_PROXY_URL="+strings.TrimSuffix(w.Hub.APIURL, "/hub/api"))
			}},
		"proxy that is something else": {fails: []string{"proxy"}, says: "is not this Hub's proxy",
			set: func(_ *testing.T, w *world) []string { return with(w.Env, "GHSCOPED_PROXY_URL="+w.GitHub.URL()) }},
	}
}

func brokenAtGitHub() map[string]broken {
	return map[string]broken{
		"GitHub out of reach": {fails: []string{"github-web", "github-api"}, says: "does not answer",
			set: func(t *testing.T, w *world) []string {
				address := nobody(t)
				return with(w.Env, "GHSCOPED_GITHUB_URL="+address, "GHSCOPED_APP_URL="+address+"/apps/x")
			}},
		"GitHub that is something else": {fails: []string{"github-web", "github-api"}, says: "is not GitHub",
			set: func(t *testing.T, w *world) []string {
				other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }))
				t.Cleanup(other.Close)
				return with(w.Env, "GHSCOPED_GITHUB_URL="+other.URL, "GHSCOPED_APP_URL="+other.URL+"/apps/"+githubsim.DefaultSlug)
			}},
		"GitHub without its API": {fails: []string{"github-api"}, says: "is not GitHub's API",
			set: func(t *testing.T, w *world) []string {
				address, err := url.Parse(w.GitHub.URL())
				require.NoError(t, err)
				pages := httputil.NewSingleHostReverseProxy(address)
				front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if strings.HasPrefix(r.URL.Path, "/api/") {
						http.NotFound(w, r)
						return
					}
					pages.ServeHTTP(w, r)
				}))
				t.Cleanup(front.Close)
				return with(w.Env, "GHSCOPED_GITHUB_URL="+front.URL, "GHSCOPED_APP_URL="+front.URL+"/apps/"+githubsim.DefaultSlug)
			}},
		"client id wrong": {set: change("GHSCOPED_CLIENT_ID=Iv23wrong"), fails: []string{"device-flow", "app-public"}, says: "knows no App with the client id Iv23wrong"},
		"device flow off": {set: app(func(a *githubsim.App) { a.NoDeviceFlow = true }), fails: []string{"device-flow"}, says: "does not allow the device flow"},
		"client secret wrong": {fails: []string{"client-secret"}, says: "does not take the client secret",
			set: func(t *testing.T, w *world) []string {
				return with(app(func(*githubsim.App) {})(t, w), "GHSCOPED_CLIENT_SECRET_FILE="+file(t, "wrong", 0o600))
			}},
		"App private": {set: app(func(a *githubsim.App) { a.Private = true }), fails: []string{"app-public"}, says: "is private, or there is none"},
		"App may only read": {set: app(func(a *githubsim.App) { a.Permissions = map[string]string{"contents": "read"} }),
			fails: []string{"permissions"}, says: `Contents is "read"`},
		"App's key wrong": {fails: []string{"app-key"}, says: "do not fit together",
			set: func(t *testing.T, w *world) []string {
				bots, _, err := rig.BotSettings(t.TempDir(), "version: 1\nrules:\n  - name: r\n    callers: [\"service:nbbot\"]\n    repositories: [octocat/hello]\n    permissions: {contents: read}\n    reason: \"to look\"\n")
				require.NoError(t, err)
				return with(w.Env, bots...)
			}},
		"issuer away": {fails: []string{"app-key", "issuers"}, says: "These do not say their keys: http://127.0.0.1:1: ",
			set: func(t *testing.T, w *world) []string {
				bots, _, err := rig.BotSettings(t.TempDir(), "version: 1\nrules: []\n")
				require.NoError(t, err)
				return with(w.Env, append(bots, "GHSCOPED_BOT_ISSUERS=actions=http://127.0.0.1:1")...)
			}},
		"tokens that never expire": {fails: []string{"token-expiry"}, says: "would never have expired",
			set: func(t *testing.T, w *world) []string {
				path, env := w.alone(t)
				written(t, path,
					audit.Event{Time: time.Now().Add(-time.Hour), Action: "flow_finished", Outcome: "connected"},
					audit.Event{Time: time.Now(), Action: "flow_finished", Outcome: "failed", Code: "token_never_expires"})
				return env
			}},
		"clock slow": {fails: []string{"clock"}, says: "behind GitHub's",
			set: func(t *testing.T, w *world) []string {
				github := rig.NewGitHub(t, githubsim.Options{})
				github.Advance(10 * time.Minute)
				return with(w.Env, rig.GitHubEnv(github)...)
			}},
	}
}

func TestDoctorWhereAllIsWell(t *testing.T) {
	for _, line := range hubtest.Some([]struct {
		name string
		hub  hubtest.Options
	}{
		{"hub6", hubtest.Options{}},
		{"hub5", hubtest.Options{Version: "hub5", BaseURL: "/jhub/"}},
		{"hub4", hubtest.Options{Version: "hub4"}},
		{"hub6 with a host for each user", hubtest.Options{Subdomains: true, BaseURL: "/jhub/"}},
	}, 4) {
		t.Run(line.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, line.hub)
			t.Run("each check says so", func(t *testing.T) { eachCheckSaysSo(t, w) })
			t.Run("before the first start nothing is made", func(t *testing.T) { nothingIsMade(t, w) })
			t.Run("a client secret is taken", func(t *testing.T) { secretIsTaken(t, w) })
			t.Run("a connection shows that tokens expire", func(t *testing.T) { tokensExpire(t, w) })
		})
	}
}

func eachCheckSaysSo(t *testing.T, w *world) {
	code, out := examine(t, w.Env)
	t.Log("\n" + out)
	require.Contains(t, out, "leads to the Hub and to this service")
	require.Equal(t, 0, code, out)
	require.NotContains(t, out, "\x1b", "no colours in a pipe")
	require.NotContains(t, out, rig.Variable(w.Env, "JUPYTERHUB_API_TOKEN"))
	lines := slices.DeleteFunc(strings.Split(strings.TrimSpace(out), "\n"), func(line string) bool { return strings.HasPrefix(line, " ") }) // what to do
	require.Len(t, lines, 20)
	for _, line := range lines {
		want := "ok  "
		if strings.Contains(line, "token-expiry") {
			want = "skip"
			require.Contains(t, line, "open to it alone")
		}
		require.Equal(t, want, line[:4], line)
	}
	require.Contains(t, out, "is held by the running service")
	require.Contains(t, out, "It runs and is ready")

	// The same from the file of a process's environment, as for a service that
	// the Hub manages.
	environ := file(t, strings.Join(w.Env, "\x00")+"\x00", 0o600)
	code, out = examine(t, nil, "--env-file", environ)
	require.Equal(t, 0, code, out)
}

func secretIsTaken(t *testing.T, w *world) {
	env := app(func(*githubsim.App) {})(t, w)
	_, seen := findings(t, with(env, "GHSCOPED_CLIENT_SECRET_FILE="+file(t, "right\n", 0o600)))
	i := slices.IndexFunc(seen, func(f check.Result) bool { return f.Name == "client-secret" })
	require.GreaterOrEqual(t, i, 0, "%v", seen)
	require.Equal(t, check.OK, seen[i].State, seen[i].Message)
	require.Contains(t, seen[i].Message, "GitHub takes it.")
}

func nothingIsMade(t *testing.T, w *world) {
	path, env := w.alone(t)
	code, seen := findings(t, env)
	require.Equal(t, 0, code, "%v", seen)
	left, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Empty(t, left)
	require.Equal(t, check.Skip, seen[2].State, "no service runs with these settings")
	require.Contains(t, seen[len(seen)-2].Message, "before somebody has connected")
}

func tokensExpire(t *testing.T, w *world) {
	path, env := w.alone(t)
	written(t, path, audit.Event{Time: time.Now(), Action: "flow_finished", Outcome: "connected"})
	_, seen := findings(t, env)
	require.Contains(t, seen, check.Result{Name: "token-expiry", State: check.OK,
		Message: "On: the token of " + time.Now().UTC().Format(time.DateOnly) + " had an expiry."})
}
