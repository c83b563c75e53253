package e2e_test

import (
	"net/http"
	"os"
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

func TestJourneyOnOlderLinesOfJupyterHub(t *testing.T) {
	t.Parallel()
	for _, line := range hubtest.Some([]struct{ version, base string }{{"hub5", "/jhub/"}, {"hub4", "/"}}, 2) {
		t.Run(line.version+" at "+line.base, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, hubtest.Options{Version: line.version, BaseURL: line.base})
			browser := hubtest.NewBrowser(t)
			w.travel(t, browser)
			require.Empty(t, browser.Complaints(w.Hub.ServiceURL))
		})
	}
}

func TestJourneyWithAHostForEachUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hubtest.Options{Subdomains: true, BaseURL: "/jhub/"})
	ctx, browser := hubtest.Context(t), hubtest.NewBrowser(t)
	j := w.travel(t, browser)

	server, err := w.Hub.ServerURL(ctx, "ada", "")
	require.NoError(t, err)
	require.Contains(t, server, "http://ada.hub.localhost:")
	require.NotContains(t, w.Hub.ServiceURL, "http://hub.localhost:")
	links, err := hubtest.Read(ctx, browser.Tab(), chromedp.Evaluate[[]string](`[...document.links].map(a => a.href)`))
	require.NoError(t, err)
	require.Subset(t, links, []string{server, w.Hub.URL + "hub/", w.Hub.URL + "hub/home", w.Hub.URL + "hub/logout", w.Hub.ServiceURL})
	loaded, err := hubtest.Read(ctx, browser.Tab(), chromedp.Evaluate[bool](`document.querySelector("a.brand img").naturalWidth > 0`))
	require.NoError(t, err)
	require.True(t, loaded, "the Hub's logo")
	require.Equal(t, w.Hub.ServiceURL, w.found(t, "ada"), "where the program in a server looks for the service")

	require.NoError(t, j.Leave(ctx))
	token := w.onlyToken(t).SHA256
	require.Eventually(t, func() bool {
		_, err := os.Stat(w.CredentialFile("ada"))
		return os.IsNotExist(err) && rig.TokenState(w.GitHub, token) == "revoked"
	}, hubtest.Patience, 100*time.Millisecond)
	require.Empty(t, browser.Complaints(w.Hub.ServiceURL))

	// A plain form of somebody who has signed out leads to the Hub's login.
	tab, closeTab, err := browser.OpenTab()
	require.NoError(t, err)
	defer closeTab()
	require.NoError(t, hubtest.RunIn(ctx, tab, chromedp.Navigate(w.Hub.URL+"hub/logout")))
	require.NoError(t, browser.Run(ctx,
		chromedp.Evaluate[chromedp.Void](`document.querySelector("#connect").form.submit()`), chromedp.WaitVisible(hubtest.HubSignIn)))
}

// found is where the program in a user's server finds the service by what the
// Hub tells that server.
func (w *world) found(t testing.TB, user string) string {
	t.Helper()
	terminal := w.OpenTerminal(t, user, "")
	told := rig.Shell(t, terminal, "env")
	environ := rig.ByName(slices.DeleteFunc(strings.Fields(told), func(word string) bool { return !strings.HasPrefix(word, "JUPYTERHUB_") }))
	return client.Find(func(name string) string { return environ[name] }).URL.String()
}

// TestDeliveryToNamesOfEveryKind has no browser: what may go wrong with a name is in the
// addresses, the scripts and the paths.
func TestDeliveryToNamesOfEveryKind(t *testing.T) {
	t.Parallel()
	people := hubtest.Some([]struct{ user, server string }{
		{"o'malley", "gpu test"}, {"a+b", ""}, {"x@y.org", "ü's"}, {"ü$&", ""},
	}, 4)
	options := hubtest.Options{Version: "hub5", BaseURL: "/jhub/"}
	for _, person := range people {
		options.Users = append(options.Users, person.user)
	}
	w := newWorld(t, options)
	w.install(t)
	for _, person := range people {
		t.Run(person.user+" "+person.server, func(t *testing.T) {
			ctx := hubtest.Context(t)
			w.StartServer(t, person.user, person.server)
			who := w.Visit(t, person.user)
			w.Connect(t, who, "octocat")
			require.Equal(t, []journey.Delivery{{Server: person.server, State: "delivered"}}, rig.Connection(t, who).Deliveries)
			require.FileExists(t, w.CredentialFile(person.user))
			w.push(t, person.user, person.server)
			require.NoError(t, w.Hub.StopServer(ctx, person.user, person.server))
		})
	}
}

func TestDeliveryStartsAStoppedServerOrWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hubtest.Options{})
	ctx := hubtest.Context(t)
	ada := w.Visit(t, "ada")
	w.Connect(t, ada, "octocat")
	credential := w.CredentialFile("ada")

	require.Equal(t, []journey.Delivery{{State: "waiting"}}, rig.Connection(t, ada).Deliveries)
	require.NoFileExists(t, credential)

	require.Equal(t, http.StatusAccepted, rig.Call(t, ada, http.MethodPost, "api/deliveries", map[string]any{"server": "", "start": true}, nil))
	w.waitDelivery(t, ada, "delivered")
	require.FileExists(t, credential)

	// Disconnected while the server is stopped: the file is taken out when the
	// server runs again.
	require.NoError(t, w.Hub.StopServer(ctx, "ada", ""))
	require.Equal(t, http.StatusNoContent, rig.Call(t, ada, http.MethodDelete, "api/connection", nil, nil))
	require.FileExists(t, credential)
	w.StartServer(t, "ada", "")
	w.Visit(t, "ada") // the next sign-in
	require.Eventually(t, func() bool { _, err := os.Stat(credential); return os.IsNotExist(err) }, hubtest.Patience, 100*time.Millisecond)
}

func TestDeliverySurvivesItsServersDeath(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hubtest.Options{})
	ctx := hubtest.Context(t)
	ada := w.Visit(t, "ada")
	w.StartServer(t, "ada", "")
	flow := rig.Begin(t, ada)
	require.NoError(t, w.Hub.StopServer(ctx, "ada", ""))
	require.NoError(t, w.GitHub.Approve(flow.UserCode, "octocat"))
	rig.UntilFlow(t, ada, "connected")
	require.Equal(t, "waiting", rig.Connection(t, ada).Deliveries[0].State)
	w.StartServer(t, "ada", "")
	w.waitDelivery(t, ada, "delivered")
}

func TestFlowContinuesWithoutItsPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hubtest.Options{})
	ctx := hubtest.Context(t)
	w.install(t)
	w.StartServer(t, "ada", "")
	browser := hubtest.NewBrowser(t)
	w.OpenPage(t, browser, "ada")
	require.NoError(t, browser.Run(ctx, hubtest.Click(journey.Connect), chromedp.WaitVisible(journey.UserCode)))
	code := shownCode(t, browser)
	browser.Stop() // nobody looks any more

	require.NoError(t, w.GitHub.Approve(code, "octocat"))
	credential := w.CredentialFile("ada")
	require.Eventually(t, func() bool {
		content, err := os.ReadFile(credential)
		return err == nil && strings.Contains(string(content), w.onlyToken(t).Token)
	}, hubtest.Patience, 50*time.Millisecond)
}
