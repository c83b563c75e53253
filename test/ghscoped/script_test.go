package ghscoped_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ghscoped/ghscoped-service/internal/hubtest"
)

// scriptLimit bounds whatever a script waits for.
const scriptLimit = hubtest.Patience

// TestScripts runs scripts/*.txtar with the service in either mode, since a
// server's own token gets no delivery in push mode, and must not need one.
// Besides testscript's own commands the scripts know those in the table below.
func TestScripts(t *testing.T) {
	t.Parallel()
	commands := map[string]func(*testscript.TestScript, bool, []string){
		"approve": approve, "approve-later": approveLater, "deny": deny, "connect": connect, "hub": hub,
		"without-hub": withoutHub, "revoke-at-github": revokeAtGitHub, "until-disconnected": untilDisconnected,
		"until-shown": untilShown, "stranger-got-nothing": strangerGotNothing, "broken-service": brokenService,
		"one-repository": oneRepository(narrowService(t)), "choose": choose, "leaked": leaked, "until-tokens-dead": untilTokensDead,
		"pushed": pushed, "tokens-alive": tokensAlive, "mode": mode,
	}
	for _, service := range hubtest.Some([]struct{ mode, url string }{
		{"pull", shared.Hub.ServiceURL}, {"push", serviceBeside(t, "GHSCOPED_DELIVERY=push")},
	}, 2) {
		t.Run(service.mode, func(t *testing.T) {
			t.Parallel()
			testscript.Run(t, testscript.Params{
				Dir: "scripts", Setup: func(env *testscript.Env) error { return setUp(env, service.url) }, Cmds: commands,
			})
		})
	}
}

// key under which a script finds its person.
type key string

const personKey key = "person"

func setUp(env *testscript.Env, service string) error {
	ctx, cancel := context.WithTimeout(context.Background(), scriptLimit)
	defer cancel()
	p, err := shared.newPerson(ctx)
	if err != nil {
		return err
	}
	p.use(service)
	env.Values[personKey] = p
	home := filepath.Join(env.WorkDir, "home")
	if err := os.Mkdir(home, 0o755); err != nil {
		return err
	}
	packages, err := filepath.Abs("../../python/src")
	if err != nil {
		return err
	}
	python, err := filepath.Abs("../../.demo/hub6/bin/python")
	if err != nil {
		return err
	}
	panel, err := filepath.Glob("../../.demo/labgit/lib/python3*/site-packages")
	if err != nil || len(panel) != 1 {
		return fmt.Errorf("jupyterlab-git is not installed: demo/install.sh labgit: %w", err)
	}
	if panel[0], err = filepath.Abs(panel[0]); err != nil {
		return err
	}
	host := strings.TrimPrefix(shared.GitHub.URL(), "http://")
	vars := map[string]string{
		"HOME": home, "PATH": shared.bin + string(os.PathListSeparator) + os.Getenv("PATH"), "GIT_CONFIG_NOSYSTEM": "1",
		"GITHUB": shared.GitHub.URL(), "GITHUB_HOST": host, "GITHUB_FOLDER": strings.ReplaceAll(host, ":", "_"), "GHSCOPED_GITHUB_URL": shared.GitHub.URL(),
		"ME": p.name, "CLIENT_ID": p.clientID, "SERVICE": service, "STRANGER": shared.evil.server.URL,
		"GIT_AUTHOR_NAME": p.name, "GIT_AUTHOR_EMAIL": "a@example.org", "GIT_COMMITTER_NAME": p.name, "GIT_COMMITTER_EMAIL": "a@example.org",
		"TERM": "xterm", "BIN": filepath.Join(shared.bin, "ghscoped"), "BINDIR": shared.bin, "NOTES_ID": strconv.FormatInt(p.notesID, 10),
		"PYTHON": python, "PYTHONPATH": packages, "PYTHONDONTWRITEBYTECODE": "1",
		"JUPYTERLAB_GIT": panel[0],
	}
	maps.Copy(vars, shared.serverEnv(p))
	for name, value := range vars {
		env.Setenv(name, value)
	}
	return nil
}

// in gives a script's command its person and some time.
func in(ts *testscript.TestScript) (*person, context.Context, func()) {
	ctx, cancel := context.WithTimeout(context.Background(), scriptLimit)
	return ts.Value(personKey).(*person), ctx, cancel
}

func alone(args []string) bool { return len(args) > 0 && args[0] == "alone" }

// approve [alone] approves the code that the person was shown.
func approve(ts *testscript.TestScript, _ bool, args []string) {
	p, ctx, cancel := in(ts)
	defer cancel()
	ts.Check(shared.approve(ctx, p, alone(args)))
}

// approve-later [alone] does so as soon as there is one, while the script goes on.
func approveLater(ts *testscript.TestScript, _ bool, args []string) {
	p, ctx, cancel := in(ts)
	go func() {
		defer cancel()
		_ = shared.approve(ctx, p, alone(args)) // what waits for it fails then
	}()
}

// deny refuses the code at GitHub.
func deny(ts *testscript.TestScript, _ bool, args []string) {
	p, ctx, cancel := in(ts)
	defer cancel()
	code, err := shared.pending(ctx, p, alone(args))
	ts.Check(err)
	ts.Check(shared.GitHub.Deny(code))
}

// connect connects the person, as with the page.
func connect(ts *testscript.TestScript, _ bool, _ []string) {
	p, ctx, cancel := in(ts)
	defer cancel()
	ts.Check(shared.connect(ctx, p))
}

// hub token-without-scope gives the server a token that may not call the service.
func hub(ts *testscript.TestScript, _ bool, args []string) {
	p, ctx, cancel := in(ts)
	defer cancel()
	if len(args) != 1 || args[0] != "token-without-scope" {
		ts.Fatalf("usage: hub token-without-scope")
	}
	token, err := shared.Hub.UserToken(ctx, p.name, "read:users:name!user")
	ts.Check(err)
	ts.Setenv("JUPYTERHUB_API_TOKEN", token)
}

// without-hub takes away whatever comes from a JupyterHub.
func withoutHub(ts *testscript.TestScript, _ bool, _ []string) {
	for name := range shared.serverEnv(ts.Value(personKey).(*person)) {
		ts.Setenv(name, "")
	}
}

// revoke-at-github [alone] kills the person's tokens there.
func revokeAtGitHub(ts *testscript.TestScript, _ bool, args []string) {
	p := ts.Value(personKey).(*person)
	clientID := shared.GitHub.Info().ClientID
	if alone(args) {
		clientID = p.clientID
	}
	shared.GitHub.RevokeGrant(clientID, p.name)
}

// until-disconnected waits for the service to find out that GitHub refuses the
// token. It asks for the flow: to ask for the connection makes the service look.
func untilDisconnected(ts *testscript.TestScript, _ bool, _ []string) {
	p, ctx, cancel := in(ts)
	defer cancel()
	ts.Check(shared.untilAt(ctx, p, "api/flows/current", func(body string) bool { return strings.Contains(body, "connection_revoked") }))
}

// until-shown FILE PATTERN waits for what a program in the background writes there.
func untilShown(ts *testscript.TestScript, _ bool, args []string) {
	_, ctx, cancel := in(ts)
	defer cancel()
	wanted := regexp.MustCompile(args[1])
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		shown, _ := os.ReadFile(ts.MkAbs(args[0])) // not there yet: nothing shown
		if wanted.Match(shown) {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			ts.Fatalf("%s does not show %q: %s", args[0], args[1], shown)
		}
	}
}

// stranger-got-nothing [!] fails where the other host was given anything.
func strangerGotNothing(ts *testscript.TestScript, _ bool, _ []string) {
	shared.evil.mu.Lock()
	defer shared.evil.mu.Unlock()
	if len(shared.evil.given) > 0 {
		ts.Fatalf("the other host was given %q", shared.evil.given)
	}
}

// broken-service KIND puts something in the service's place: nothing, slow,
// other (a page that is not it), old (a service without the route).
func brokenService(ts *testscript.TestScript, _ bool, args []string) {
	ended := make(chan struct{})
	kinds := map[string]http.HandlerFunc{
		"slow": func(http.ResponseWriter, *http.Request) { <-ended },
		"other": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(404)
			_, _ = io.WriteString(w, "<html>404 : Not Found</html>")
		},
		"old": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(404)
			_, _ = io.WriteString(w, `{"error":{"code":"not_found"}}`)
		},
		// Its clock is right; this machine's is nine hours ahead.
		"clock": func(w http.ResponseWriter, _ *http.Request) {
			now := time.Now().Add(-9 * time.Hour)
			w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
			_ = json.NewEncoder(w).Encode(map[string]any{"username": "x-access-token", "password": "p", "password_expiry_utc": now.Add(8 * time.Hour).Unix()})
		},
	}
	address := "http://127.0.0.1:1/"
	if handler := kinds[args[0]]; handler != nil {
		server := httptest.NewServer(handler)
		ts.Defer(func() { close(ended); server.Close() })
		address = server.URL + "/"
	}
	ts.Setenv("GHSCOPED_URL", address)
}

// pushed REPOSITORY fails unless the person has pushed there.
func pushed(ts *testscript.TestScript, neg bool, args []string) {
	found := shared.hasPushed(ts.Value(personKey).(*person), args[0])
	if found == neg {
		ts.Fatalf("pushed to %s: %v", args[0], found)
	}
}

// tokens-alive N fails unless the person has that many live tokens of their own App.
func tokensAlive(ts *testscript.TestScript, _ bool, args []string) {
	p := ts.Value(personKey).(*person)
	alive := 0
	for _, token := range shared.GitHub.Tokens() {
		if token.ClientID == p.clientID && token.State == "live" {
			alive++
		}
	}
	if strconv.Itoa(alive) != args[0] {
		ts.Fatalf("%d tokens are alive, want %s", alive, args[0])
	}
}

// mode FILE BITS compares a file's permissions, as in 600.
func mode(ts *testscript.TestScript, _ bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if bits := fmt.Sprintf("%o", info.Mode().Perm()); bits != args[1] {
		ts.Fatalf("%s has mode %s, want %s", args[0], bits, args[1])
	}
}
