package hubtest_test

import (
	"context"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hubtest"
)

// hello compiles the trivial service.
func hello(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "hello")
	out, err := exec.Command("go", "build", "-o", program, "./testdata/hello").CombinedOutput()
	require.NoError(t, err, string(out))
	return program
}

func TestStartEachLineOfJupyterHub(t *testing.T) {
	program := hello(t)
	// JupyterHub 6 takes only letters, digits and dashes in the name of a new server.
	for _, line := range hubtest.Some([]struct{ version, base, user, server string }{
		{"hub6", "/", "ada", "gpu"},
		{"hub5", "/jhub/", "o'malley", "gpu test"},
		{"hub4", "/", "x@y.org", "gpu test"},
	}, 3) {
		t.Run(line.version, func(t *testing.T) {
			ctx := hubtest.Context(t)
			hub := hubtest.New(t, hubtest.Options{
				Version: line.version, BaseURL: line.base, Users: []string{line.user},
				ServiceCommand: []string{program}, ServiceEnv: map[string]string{"GREETING": "good morning"},
				ServerEnv: map[string]string{"GREETING": "good evening"},
			})
			browser := hubtest.NewBrowser(t)

			require.NoError(t, browser.SignIn(ctx, hub, line.user))
			openFromMenu(ctx, t, hub, browser)
			runInServer(ctx, t, hub, line.user, "")
			runInServer(ctx, t, hub, line.user, line.server)
			assertServiceTokenHasNoScopes(ctx, t, hub, line.user)
		})
	}
}

func openFromMenu(ctx context.Context, t *testing.T, hub *hubtest.Hub, browser *hubtest.Browser) {
	t.Helper()
	require.NoError(t, browser.OpenServices(ctx, hub))
	entry, err := browser.Text(ctx, hubtest.HubMenuEntry)
	require.NoError(t, err)
	require.NoError(t, browser.Run(ctx, chromedp.Click(hubtest.HubMenuEntry)))
	greeting, err := browser.Text(ctx, "#hello")
	require.NoError(t, err)
	require.Equal(t, "Connect GitHub", entry)
	require.Equal(t, "good morning", greeting)

	require.Eventually(t, func() bool { // the browser says it by itself, some time after the page is there
		return slices.ContainsFunc(browser.Complaints(hub.ServiceURL), func(c hubtest.Complaint) bool { return c.Kind == "csp" })
	}, hubtest.Patience, 20*time.Millisecond, "the inline script and the foreign picture break the page's policy")
}

func runInServer(ctx context.Context, t *testing.T, hub *hubtest.Hub, user, server string) {
	t.Helper()
	_, err := hub.StartServer(ctx, user, server)
	require.NoError(t, err)
	terminal, err := hub.OpenTerminal(ctx, user, server)
	require.NoError(t, err)

	out, status, err := terminal.Run(ctx, `echo "$GREETING"; pwd; exit_with() { return 7; }; exit_with`)
	require.NoError(t, err)
	require.Equal(t, 7, status)
	require.Equal(t, "good evening\n"+hub.Home(user), out)

	require.NoError(t, terminal.Close(ctx))
	require.NoError(t, hub.StopServer(ctx, user, server))
}

func assertServiceTokenHasNoScopes(ctx context.Context, t *testing.T, hub *hubtest.Hub, user string) {
	t.Helper()
	status, err := hub.API(ctx, hub.ServiceToken, http.MethodPost, "/users/"+user+"/server", nil, nil)
	require.NoError(t, err)
	require.Contains(t, []int{http.StatusForbidden, http.StatusNotFound}, status)
}

func TestStartWithAnExternalService(t *testing.T) {
	program := hello(t)
	ctx := hubtest.Context(t)
	var service *exec.Cmd
	t.Cleanup(func() {
		if service != nil {
			_ = service.Process.Kill()
			_ = service.Wait()
		}
	})
	hub := hubtest.New(t, hubtest.Options{External: func(env []string) error {
		service = exec.Command(program)
		service.Env = append(env, "GREETING=from outside")
		return service.Start()
	}})

	req, err := http.NewRequestWithContext(ctx, http.MethodGet, hub.ServiceURL, nil)
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusOK, res.StatusCode)
}

func TestStartSaysThatAServiceCannotStart(t *testing.T) {
	_, err := hubtest.Start(hubtest.Context(t), hubtest.Options{ServiceCommand: []string{"/nonexistent"}})
	require.ErrorContains(t, err, "does not start")
	require.ErrorContains(t, err, "/nonexistent")
}

func TestBrowserReachesLoopbackOnly(t *testing.T) {
	browser := hubtest.NewBrowser(t)
	ctx := hubtest.Context(t)
	for _, address := range []string{"http://example.org/", "http://198.51.100.1/"} {
		require.ErrorContains(t, browser.Run(ctx, chromedp.Navigate(address)), "ERR_NAME_NOT_RESOLVED")
		require.Contains(t, browser.Complaints(""), hubtest.Complaint{Kind: "foreign", Page: address, Text: address})
	}
}
