package e2e_test

import (
	"context"
	"maps"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/githubsim"
	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/internal/hubtest/journey"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

const (
	chosen = "octocat/hello"
	other  = "octocat/other"
	// interval is the simulator's, shorter than GitHub's 5 s.
	interval = time.Second
)

// service is the program under test, built once.
var service string

func TestMain(m *testing.M) {
	rig.Main(m, rig.Building(map[*string]string{&service: "cmd/ghscoped-service"}))
}

// world is a Hub that manages the service, with user ada, and a GitHub.
type world struct {
	hub    *hubtest.Hub
	github *githubsim.Server
}

func newGitHub(t testing.TB) *githubsim.Server {
	t.Helper()
	return rig.NewGitHub(t, githubsim.Options{Interval: interval})
}

func newWorld(t testing.TB, o hubtest.Options) *world {
	t.Helper()
	w := &world{github: newGitHub(t)}
	env := rig.ByName(rig.GitHubEnv(w.github))
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

// polls are those that the simulator counted for a code.
func (w *world) polls(userCode string) githubsim.DevicePolls {
	for _, polls := range w.github.Stats().DeviceCodes {
		if polls.UserCode == userCode {
			return polls
		}
	}
	return githubsim.DevicePolls{}
}

type errorAnswer struct {
	Error struct{ Code, Message, Hint string } `json:"error"`
}

// connect connects somebody whom octocat's approval is for.
func (w *world) connect(ctx context.Context, t testing.TB, who *hubtest.Visitor) {
	t.Helper()
	require.NoError(t, journey.ConnectByAPI(ctx, who, func(code string) error { return w.github.Approve(code, "octocat") }))
}

func begin(ctx context.Context, t testing.TB, who *hubtest.Visitor) journey.Flow {
	t.Helper()
	flow, err := journey.Begin(ctx, who)
	require.NoError(t, err)
	return flow
}

func current(ctx context.Context, t testing.TB, who *hubtest.Visitor) journey.Flow {
	t.Helper()
	flow, err := journey.Current(ctx, who)
	require.NoError(t, err)
	return flow
}

// open signs a user in at the Hub and opens the service's page.
func open(ctx context.Context, t *testing.T, browser *hubtest.Browser, hub *hubtest.Hub, user string) {
	t.Helper()
	require.NoError(t, browser.SignIn(ctx, hub, user))
	require.NoError(t, browser.Run(ctx,
		chromedp.Navigate(hub.ServiceURL), chromedp.Click(hubtest.HubConsent, chromedp.NodeVisible), chromedp.WaitReady(journey.State)))
}
