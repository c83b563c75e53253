package e2e_test

import (
	"strings"
	"testing"
	"time"

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

// world is a Hub with user ada, the service, and a GitHub.
type world struct{ *rig.World }

// newWorld starts a Hub that manages the service.
func newWorld(t testing.TB, hub hubtest.Options) *world {
	t.Helper()
	return startWorld(t, hub, nil)
}

// startWorld has serve start the service.
func startWorld(t testing.TB, hub hubtest.Options, serve func(*rig.World) error) *world {
	t.Helper()
	hub.Users = append(hub.Users, "ada")
	github := rig.NewGitHub(t, githubsim.Options{Interval: interval})
	return &world{rig.NewWorld(t, rig.WorldOptions{Program: service, Hub: hub, GitHub: github, Serve: serve})}
}

// travel is ada's whole journey; it returns the way to its end.
func (w *world) travel(t *testing.T, browser *hubtest.Browser) *journey.Journey {
	t.Helper()
	j := &journey.Journey{
		Hub: w.Hub, Browser: browser, User: "ada", GitHubURL: w.GitHub.URL(), AppURL: w.GitHub.Info().AppURL,
		Account: "octocat", Chosen: chosen, Other: other,
	}
	require.NoError(t, j.Run(hubtest.Context(t), func(step string, took time.Duration) { t.Logf("%s (%.1f s)", step, took.Seconds()) }))
	return j
}

func (w *world) onlyToken(t *testing.T) githubsim.TokenInfo {
	t.Helper()
	tokens := w.GitHub.Tokens()
	require.Len(t, tokens, 1)
	return tokens[0]
}

// install installs the App on the chosen repository.
func (w *world) install(t *testing.T) {
	t.Helper()
	_, err := w.GitHub.Install("octocat", chosen)
	require.NoError(t, err)
}

// shownCode reads the code that the page shows.
func shownCode(t *testing.T, browser *hubtest.Browser) string {
	t.Helper()
	code, err := browser.Text(hubtest.Context(t), journey.UserCode)
	require.NoError(t, err)
	return strings.Join(strings.Fields(code), "")
}

// waitDelivery waits until somebody's one delivery is in a state.
func (w *world) waitDelivery(t testing.TB, who journey.Caller, state string) {
	t.Helper()
	require.Eventually(t, func() bool {
		deliveries := rig.Connection(t, who).Deliveries
		return len(deliveries) == 1 && deliveries[0].State == state
	}, hubtest.Patience, 100*time.Millisecond, state)
}

// push does a real git push from a terminal of the user's server.
func (w *world) push(t testing.TB, user, server string) {
	t.Helper()
	terminal := w.OpenTerminal(t, user, server)
	for _, line := range []string{
		"export GIT_TERMINAL_PROMPT=0",
		"git clone -q " + w.GitHub.URL() + "/" + chosen + ".git && cd hello",
		"date +%N >>note.txt && git add note.txt && git -c user.name=Me -c user.email=me@example.org commit -qm 'A note'",
		"git pull -q --rebase && git push -q",
	} {
		rig.Shell(t, terminal, line)
	}
}
