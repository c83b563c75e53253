package e2e_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/githubsim"
	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/internal/hubtest/journey"
)

const (
	chosen = "octocat/hello"
	other  = "octocat/other"
	// interval is the simulator's, shorter than GitHub's 5 s.
	interval = time.Second
)

// service is the program under test, built once.
var service string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	folder, err := os.MkdirTemp("", "e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(folder)
	service = filepath.Join(folder, "ghscoped-service")
	build := exec.Command("go", "build", "-trimpath", "-o", service, "../../cmd/ghscoped-service")
	build.Stdout, build.Stderr = os.Stdout, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "the service does not build:", err)
		return 1
	}
	return m.Run()
}

// world is a Hub that manages the service, with user ada, and a GitHub.
type world struct {
	hub    *hubtest.Hub
	github *githubsim.Server
}

func newGitHub(t testing.TB) *githubsim.Server {
	t.Helper()
	github := githubsim.New(githubsim.Options{Interval: interval})
	require.NoError(t, github.Start())
	t.Cleanup(func() { require.NoError(t, github.Close()) })
	return github
}

func serviceEnv(github *githubsim.Server) map[string]string {
	return map[string]string{
		"GHSCOPED_CLIENT_ID": githubsim.DefaultClientID, "GHSCOPED_APP_URL": github.Info().AppURL,
		"GHSCOPED_GITHUB_URL": github.URL(),
	}
}

func newWorld(t testing.TB, o hubtest.Options) *world {
	t.Helper()
	w := &world{github: newGitHub(t)}
	env := serviceEnv(w.github)
	maps.Copy(env, o.ServiceEnv)
	o.ServiceCommand, o.ServiceEnv, o.Users = []string{service, "serve"}, env, append(o.Users, "ada")
	w.hub = hubtest.New(t, o)
	return w
}

func (w *world) journey(browser *hubtest.Browser) *journey.Journey {
	return &journey.Journey{
		Hub: w.hub, Browser: browser, User: "ada", GitHubURL: w.github.URL(), AppURL: w.github.Info().AppURL,
		Account: "octocat", Chosen: chosen, Other: other,
	}
}

func (w *world) onlyToken(t *testing.T) githubsim.TokenInfo {
	t.Helper()
	tokens := w.github.Tokens()
	require.Len(t, tokens, 1)
	return tokens[0]
}

func (w *world) tokenState(sha256 string) string {
	for _, token := range w.github.Tokens() {
		if token.SHA256 == sha256 {
			return token.State
		}
	}
	return "unknown"
}

// polls are those that the simulator counted for a code.
func (w *world) polls(userCode string) githubsim.DevicePolls {
	for _, polls := range w.github.Stats().DeviceCodes {
		if polls.UserCode == userCode {
			return polls
		}
	}
	return githubsim.DevicePolls{}
}

type flowAnswer struct {
	State    string `json:"state"`
	UserCode string `json:"user_code"`
	Error    struct {
		Code string `json:"code"`
	} `json:"error"`
}

type errorAnswer struct {
	Error struct{ Code, Message, Hint string } `json:"error"`
}

// connect starts a flow.
func (w *world) connect(ctx context.Context, t testing.TB, who *hubtest.Visitor) flowAnswer {
	t.Helper()
	var flow flowAnswer
	status, err := who.Call(ctx, http.MethodPost, "api/flows", nil, &flow)
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, status)
	return flow
}

func (w *world) current(ctx context.Context, t testing.TB, who *hubtest.Visitor) flowAnswer {
	t.Helper()
	var flow flowAnswer
	_, err := who.Call(ctx, http.MethodGet, "api/flows/current", nil, &flow)
	require.NoError(t, err)
	return flow
}

func (w *world) waitState(ctx context.Context, t testing.TB, who *hubtest.Visitor, state string) {
	t.Helper()
	require.Eventually(t, func() bool { return w.current(ctx, t, who).State == state }, time.Minute, 20*time.Millisecond, state)
}

// open signs a user in at the Hub and opens the service's page.
func open(ctx context.Context, t *testing.T, browser *hubtest.Browser, hub *hubtest.Hub, user string) {
	t.Helper()
	require.NoError(t, browser.SignIn(ctx, hub, user))
	require.NoError(t, browser.Run(ctx,
		chromedp.Navigate(hub.ServiceURL), chromedp.Click(hubtest.HubConsent, chromedp.NodeVisible), chromedp.WaitReady(journey.State)))
}
