package e2e_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/client"
	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/internal/hubtest/journey"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

func TestTheJourneyRunsOnOlderLinesOfJupyterHub(t *testing.T) {
	t.Parallel()
	for _, line := range []struct{ version, base string }{{"hub5", "/jhub/"}, {"hub4", "/"}} {
		t.Run(line.version+" at "+line.base, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, hubtest.Options{Version: line.version, BaseURL: line.base})
			browser := hubtest.NewBrowser(t)
			j := w.journey(browser)
			require.NoError(t, j.Run(hubtest.Context(t), func(step string, took time.Duration) { t.Logf("%s (%.1f s)", step, took.Seconds()) }))
			require.Empty(t, browser.Complaints(w.hub.ServiceURL))
		})
	}
}

func TestEachUserHasAHostOfTheirOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hubtest.Options{Subdomains: true, BaseURL: "/jhub/"})
	ctx, browser := hubtest.Context(t), hubtest.NewBrowser(t)
	j := w.journey(browser)
	require.NoError(t, j.Run(ctx, func(step string, took time.Duration) { t.Logf("%s (%.1f s)", step, took.Seconds()) }))

	server, err := w.hub.ServerURL(ctx, "ada", "")
	require.NoError(t, err)
	require.Contains(t, server, "http://ada.hub.localhost:")
	require.NotContains(t, w.hub.ServiceURL, "http://hub.localhost:")
	links, err := hubtest.Read(ctx, browser.Tab(), chromedp.Evaluate[[]string](`[...document.links].map(a => a.href)`))
	require.NoError(t, err)
	require.Subset(t, links, []string{server, w.hub.URL + "hub/", w.hub.URL + "hub/home", w.hub.URL + "hub/logout", w.hub.ServiceURL})
	loaded, err := hubtest.Read(ctx, browser.Tab(), chromedp.Evaluate[bool](`document.querySelector("a.brand img").naturalWidth > 0`))
	require.NoError(t, err)
	require.True(t, loaded, "the Hub's logo")
	require.Equal(t, w.hub.ServiceURL, w.found(ctx, t, "ada"), "where the program in a server looks for the service")

	require.NoError(t, j.Leave(ctx))
	token := w.onlyToken(t).SHA256
	require.Eventually(t, func() bool {
		_, err := os.Stat(filepath.Join(w.hub.Home("ada"), journey.CredentialFile))
		return os.IsNotExist(err) && rig.TokenState(w.github, token) == "revoked"
	}, hubtest.Patience, 100*time.Millisecond)
	require.Empty(t, browser.Complaints(w.hub.ServiceURL))

	// A plain form of somebody who has signed out leads to the Hub's login.
	tab, closeTab, err := browser.OpenTab()
	require.NoError(t, err)
	defer closeTab()
	require.NoError(t, hubtest.RunIn(ctx, tab, chromedp.Navigate(w.hub.URL+"hub/logout")))
	require.NoError(t, browser.Run(ctx,
		chromedp.Evaluate[chromedp.Void](`document.querySelector("#connect").form.submit()`), chromedp.WaitVisible(hubtest.HubSignIn)))
}

// found is where the program in a user's server finds the service by what the
// Hub tells that server.
func (w *world) found(ctx context.Context, t testing.TB, user string) string {
	t.Helper()
	terminal, err := w.hub.OpenTerminal(ctx, user, "")
	require.NoError(t, err)
	told, _, err := terminal.Run(ctx, "env")
	require.NoError(t, err)
	environ := rig.ByName(slices.DeleteFunc(strings.Fields(told), func(word string) bool { return !strings.HasPrefix(word, "JUPYTERHUB_") }))
	return client.Find(func(name string) string { return environ[name] }).URL.String()
}

// TestNamesOfEveryKind has no browser: what may go wrong with a name is in the
// addresses, the scripts and the paths.
func TestNamesOfEveryKind(t *testing.T) {
	t.Parallel()
	people := []struct{ user, server string }{
		{"a+b", ""}, {"o'malley", "gpu test"}, {"ü$&", ""}, {"x@y.org", "ü's"},
	}
	options := hubtest.Options{Version: "hub5", BaseURL: "/jhub/"}
	for _, person := range people {
		options.Users = append(options.Users, person.user)
	}
	w := newWorld(t, options)
	_, err := w.github.Install("octocat", chosen)
	require.NoError(t, err)
	for _, person := range people {
		t.Run(person.user+" "+person.server, func(t *testing.T) {
			ctx := hubtest.Context(t)
			_, err := w.hub.StartServer(ctx, person.user, person.server)
			require.NoError(t, err)
			who, err := w.hub.Visit(ctx, person.user)
			require.NoError(t, err)
			w.connect(ctx, t, who)
			require.Equal(t, []journey.Delivery{{Server: person.server, State: "delivered"}}, w.connection(ctx, t, who).Deliveries)
			require.FileExists(t, filepath.Join(w.hub.Home(person.user), journey.CredentialFile))
			w.push(ctx, t, person.user, person.server)
			require.NoError(t, w.hub.StopServer(ctx, person.user, person.server))
		})
	}
}

func TestAStoppedServerIsStartedOrWaitedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hubtest.Options{})
	ctx := hubtest.Context(t)
	ada, err := w.hub.Visit(ctx, "ada")
	require.NoError(t, err)
	w.connect(ctx, t, ada)
	credential := filepath.Join(w.hub.Home("ada"), journey.CredentialFile)

	require.Equal(t, []journey.Delivery{{State: "waiting"}}, w.connection(ctx, t, ada).Deliveries)
	require.NoFileExists(t, credential)

	status, err := ada.Call(ctx, http.MethodPost, "api/deliveries", map[string]any{"server": "", "start": true}, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusAccepted, status)
	w.waitDelivery(ctx, t, ada, "delivered")
	require.FileExists(t, credential)

	// Disconnected while the server is stopped: the file is taken out when the
	// server runs again.
	require.NoError(t, w.hub.StopServer(ctx, "ada", ""))
	status, err = ada.Call(ctx, http.MethodDelete, "api/connection", nil, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusNoContent, status)
	require.FileExists(t, credential)
	_, err = w.hub.StartServer(ctx, "ada", "")
	require.NoError(t, err)
	_, err = w.hub.Visit(ctx, "ada") // the next sign-in
	require.NoError(t, err)
	require.Eventually(t, func() bool { _, err := os.Stat(credential); return os.IsNotExist(err) }, hubtest.Patience, 100*time.Millisecond)
}

func TestADeliverySurvivesTheServersDeath(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hubtest.Options{})
	ctx := hubtest.Context(t)
	ada, err := w.hub.Visit(ctx, "ada")
	require.NoError(t, err)
	_, err = w.hub.StartServer(ctx, "ada", "")
	require.NoError(t, err)
	flow := begin(ctx, t, ada)
	require.NoError(t, w.hub.StopServer(ctx, "ada", ""))
	require.NoError(t, w.github.Approve(flow.UserCode, "octocat"))
	require.NoError(t, journey.Until(ctx, ada, "connected"))
	require.Equal(t, "waiting", w.connection(ctx, t, ada).Deliveries[0].State)
	_, err = w.hub.StartServer(ctx, "ada", "")
	require.NoError(t, err)
	w.waitDelivery(ctx, t, ada, "delivered")
}

func TestAFlowGoesOnWithoutItsPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hubtest.Options{})
	ctx := hubtest.Context(t)
	_, err := w.github.Install("octocat", chosen)
	require.NoError(t, err)
	_, err = w.hub.StartServer(ctx, "ada", "")
	require.NoError(t, err)
	browser := hubtest.NewBrowser(t)
	open(ctx, t, browser, w.hub, "ada")
	require.NoError(t, browser.Run(ctx, chromedp.Click(journey.Connect, chromedp.NodeVisible), chromedp.WaitVisible(journey.UserCode)))
	code, err := browser.Text(ctx, journey.UserCode)
	require.NoError(t, err)
	browser.Stop() // nobody looks any more

	require.NoError(t, w.github.Approve(strings.Join(strings.Fields(code), ""), "octocat"))
	credential := filepath.Join(w.hub.Home("ada"), journey.CredentialFile)
	require.Eventually(t, func() bool {
		content, err := os.ReadFile(credential)
		return err == nil && strings.Contains(string(content), w.onlyToken(t).Token)
	}, hubtest.Patience, 50*time.Millisecond)
}

func (w *world) connection(ctx context.Context, t testing.TB, who *hubtest.Visitor) journey.Connection {
	t.Helper()
	var connection journey.Connection
	_, err := who.Call(ctx, http.MethodGet, "api/connection", nil, &connection)
	require.NoError(t, err)
	return connection
}

func (w *world) waitDelivery(ctx context.Context, t testing.TB, who *hubtest.Visitor, state string) {
	t.Helper()
	require.Eventually(t, func() bool {
		deliveries := w.connection(ctx, t, who).Deliveries
		return len(deliveries) == 1 && deliveries[0].State == state
	}, hubtest.Patience, 100*time.Millisecond, state)
}

// push does a real git push from a terminal of the user's server.
func (w *world) push(ctx context.Context, t testing.TB, user, server string) {
	t.Helper()
	terminal, err := w.hub.OpenTerminal(ctx, user, server)
	require.NoError(t, err)
	for _, line := range []string{
		"export GIT_TERMINAL_PROMPT=0",
		"git clone -q " + w.github.URL() + "/" + chosen + ".git && cd hello",
		"date +%N >>note.txt && git add note.txt && git -c user.name=Me -c user.email=me@example.org commit -qm 'A note'",
		"git pull -q --rebase && git push -q",
	} {
		out, status, err := terminal.Run(ctx, line)
		require.NoError(t, err, line)
		require.Zero(t, status, "%s:\n%s", line, out)
	}
}
