package e2e_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/githubsim"
	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/internal/hubtest/journey"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

func TestWebFlowNeedsNoCodeAndOneClickMoreTheFirstTime(t *testing.T) {
	t.Parallel()
	secretFile := filepath.Join(t.TempDir(), "client-secret")
	require.NoError(t, os.WriteFile(secretFile, []byte("web-flow-secret\n"), 0o600))
	w := newWorld(t, hubtest.Options{ServiceEnv: map[string]string{"GHSCOPED_CLIENT_SECRET_FILE": secretFile}})
	require.NoError(t, w.GitHub.PutApp(githubsim.App{
		ClientID: githubsim.DefaultClientID, Slug: githubsim.DefaultSlug, ClientSecret: "web-flow-secret",
		CallbackURLs: []string{w.Hub.ServiceURL + "github_callback"},
	}))
	w.install(t)
	ctx := hubtest.Context(t)
	w.StartServer(t, "ada", "")
	browser := hubtest.NewBrowser(t)
	w.OpenPage(t, browser, "ada")
	click := func(selectors ...chromedp.CSS) {
		t.Helper()
		for _, selector := range selectors {
			require.NoError(t, browser.Run(ctx, hubtest.Click(selector)), selector)
		}
	}
	connected := chromedp.WaitVisible(chromedp.CSS("#state[data-state=connected]"))

	click(journey.Connect, journey.SimSignIn("octocat"), journey.SimAuthorize) // as many as ever, and
	account, err := browser.Text(ctx, journey.GitHubAccount)
	require.NoError(t, err)
	user, err := browser.Text(ctx, journey.HubUser)
	require.NoError(t, err)
	require.Equal(t, []string{"octocat", "ada"}, []string{account, user})
	require.NoFileExists(t, w.CredentialFile("ada"))
	click(journey.Confirm) // one more, the first time
	require.NoError(t, browser.Run(ctx, connected))
	require.Equal(t, "web", w.onlyToken(t).Via)
	require.FileExists(t, w.CredentialFile("ada"))

	// Somebody who comes back has one click, to connect.
	click(journey.Disconnect, journey.ConfirmDisconnect)
	require.NoError(t, browser.Run(ctx, chromedp.WaitVisible(journey.NotConnected)))
	click(journey.Connect)
	require.NoError(t, browser.Run(ctx, connected))

	// Whoever is another person at GitHub by now chooses there, and is asked here.
	click(journey.Disconnect, journey.ConfirmDisconnect)
	require.NoError(t, browser.Run(ctx, chromedp.WaitVisible(journey.NotConnected),
		chromedp.Navigate(w.GitHub.URL()+"/login"), chromedp.Click(journey.SimSignIn("mona"), chromedp.NodeVisible), chromedp.WaitNotPresent(journey.SimSignIn("mona")), chromedp.Navigate(w.Hub.ServiceURL)))
	click(journey.Connect, journey.SimContinueAs, journey.SimAuthorize)
	account, err = browser.Text(ctx, journey.GitHubAccount)
	require.NoError(t, err)
	require.Equal(t, "mona", account)
	click(journey.NotYou)
	require.NoError(t, browser.Run(ctx, chromedp.WaitVisible(chromedp.CSS("#state[data-state=cancelled]"))))
	require.Eventually(t, func() bool {
		tokens := w.GitHub.Tokens()
		return len(tokens) == 3 && tokens[2].State == "revoked"
	}, hubtest.Patience, 50*time.Millisecond)
	require.Empty(t, browser.Complaints(w.Hub.ServiceURL))
}

func TestJourneyWithoutJavaScript(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hubtest.Options{})
	w.install(t)
	ctx := hubtest.Context(t)
	w.StartServer(t, "ada", "")
	browser := hubtest.NewBrowser(t)
	w.OpenPage(t, browser, "ada")
	_, err := chromedp.Call(browser.Tab(), emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	require.NoError(t, err)
	require.NoError(t, browser.Run(ctx, chromedp.Navigate(w.Hub.ServiceURL), hubtest.Click(journey.Connect)))
	require.NoError(t, w.GitHub.Approve(shownCode(t, browser), "octocat"))
	require.NoError(t, browser.Run(ctx, chromedp.WaitVisible(chromedp.CSS("#state[data-state=connected]"))), "the page loads itself again")
	w.push(t, "ada", "")
	require.NoError(t, browser.Run(ctx,
		hubtest.Click(journey.Disconnect),
		hubtest.Click(journey.ConfirmDisconnect),
		chromedp.WaitVisible(journey.NotConnected),
	))
}

func TestPageDoesNotWaitForGitHub(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hubtest.Options{})
	ctx := hubtest.Context(t)
	_, err := w.GitHub.Fault(githubsim.Fault{Endpoint: "GET /user/installations*", Kind: githubsim.FaultBlackHole})
	require.NoError(t, err)
	ada := w.Visit(t, "ada")
	w.Connect(t, ada, "octocat")
	require.Eventually(t, func() bool { return w.GitHub.Faults()[0].Hits > 0 }, hubtest.Patience, 10*time.Millisecond)

	soon, cancel := context.WithTimeout(ctx, 10*time.Second) // less than the service waits for GitHub
	defer cancel()
	page, err := ada.Page(soon)
	require.NoError(t, err)
	require.Contains(t, page, `data-state="connected"`)
	require.NotContains(t, page, chosen, "which repositories are reached is not known yet")
}

// TestPageGivesAScriptOfItsOriginNothing runs an attacker's script in a page of
// the user's own Jupyter server, which shares the Hub's origin.
func TestPageGivesAScriptOfItsOriginNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hubtest.Options{})
	ctx := hubtest.Context(t)
	address := w.StartServer(t, "ada", "")
	browser := hubtest.NewBrowser(t, chromedp.Flag("disable-popup-blocking", true))
	w.OpenPage(t, browser, "ada") // signed in at the service, too
	require.NoError(t, browser.Run(ctx, chromedp.Navigate(address+"lab"), chromedp.WaitReady(chromedp.CSS("#jupyter-config-data"))))
	attack := func(script string) string {
		t.Helper()
		result, err := hubtest.Read(ctx, browser.Tab(), chromedp.Evaluate[string](
			"(async (page) => { "+script+" })('"+strings.TrimPrefix(w.Hub.ServiceURL, strings.TrimSuffix(w.Hub.URL, "/"))+"')", chromedp.EvalAwaitPromise))
		require.NoError(t, err, script)
		return result
	}
	t.Run("fetching the page brings no CSRF token", func(t *testing.T) {
		page := attack(`return await (await fetch(page)).text()`)
		require.Contains(t, page, "data-state")
		require.NotContains(t, page, "csrf")
	})
	t.Run("writes are refused", func(t *testing.T) {
		for _, headers := range []string{`{}`, `{"X-CSRF-Token": "guess"}`} {
			require.Equal(t, "403", attack(`return String((await fetch(page + "api/flows", {method: "POST", headers: `+headers+`})).status)`))
		}
		require.Equal(t, "403", attack(`return String((await fetch(page + "connect", {method: "POST", body: new URLSearchParams({csrf: "guess"})})).status)`))
	})
	t.Run("the page cannot be framed", func(t *testing.T) {
		require.Equal(t, "nothing to read", attack(`
			const frame = document.createElement("iframe"); frame.src = page; document.body.append(frame);
			await new Promise(loaded => { frame.onload = loaded; setTimeout(loaded, 3000); });
			try { return frame.contentDocument?.querySelector("#state") ? "the page" : "nothing to read"; }
			catch { return "nothing to read"; }`))
	})
	t.Run("a window of it cannot be reached into", func(t *testing.T) {
		require.Equal(t, "nothing to read", attack(`
			const opened = window.open(page);
			if (!opened) return "no window";
			for (let i = 0; i < 30; i++) {
				await new Promise(done => setTimeout(done, 100));
				try { const token = opened?.document?.querySelector("meta[name=csrf-token]")?.content; if (token) return token; }
				catch { return "nothing to read"; }
			}
			return "nothing to read";`))
	})
	t.Run("no token is in any answer", func(t *testing.T) {
		require.Equal(t, "403", attack(`return String((await fetch(page + "api/credential", {method: "POST"})).status)`))
	})
	ada := w.Visit(t, "ada")
	require.Equal(t, http.StatusNotFound, rig.Call(t, ada, http.MethodGet, "api/flows/current", nil, nil), "nothing was begun")
}

func TestAdminPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hubtest.Options{
		Users: []string{"root", "eve"}, ServiceEnv: map[string]string{"GHSCOPED_ADMIN_SCOPE": "custom:connect-github:admin",
			"GHSCOPED_HUB_ALLOWED_SCOPES": `["read:users!user","read:servers!user","tokens!user","servers!user","custom:connect-github:admin"]`},
		Extra: `
c.JupyterHub.custom_scopes = {"custom:connect-github:admin": {"description": "Manage connections to GitHub"}}
c.JupyterHub.load_roles.append({"name": "github-admin", "users": ["root"], "scopes": ["custom:connect-github:admin"]})
connect_github["oauth_client_allowed_scopes"].append("custom:connect-github:admin")
`})
	ctx := hubtest.Context(t)
	ada := w.Visit(t, "ada")
	w.Connect(t, ada, "octocat")

	for _, user := range []string{"ada", "eve"} {
		who := w.Visit(t, user)
		for _, route := range []struct{ method, path string }{
			{http.MethodGet, "admin"}, {http.MethodGet, "bots"}, {http.MethodPost, "admin/disconnect"}, {http.MethodPost, "admin/disconnect-all"},
			{http.MethodPost, "admin/forget-account"},
		} {
			require.Equal(t, http.StatusNotFound, rig.Call(t, who, route.method, route.path, nil, nil), "%s: %s %s", user, route.method, route.path)
		}
		shown := rig.Page(t, who)
		require.NotContains(t, shown, `href="/services/connect-github/admin"`)
	}

	browser := hubtest.NewBrowser(t)
	w.OpenPage(t, browser, "root")
	require.NoError(t, browser.Run(ctx, chromedp.Navigate(w.Hub.ServiceURL+"admin"), chromedp.WaitVisible(chromedp.CSS("tr[data-user=ada]"))))
	page, err := hubtest.Read(ctx, browser.Tab(), chromedp.OuterHTML(chromedp.CSS("html")))
	require.NoError(t, err)
	require.Contains(t, page, "flow_finished")
	require.NotContains(t, page, w.onlyToken(t).Token)

	require.NoError(t, browser.Run(ctx, chromedp.Click(chromedp.CSS("main a[href$='/bots']"), chromedp.NodeVisible),
		chromedp.WaitVisible(chromedp.CSS("tr[data-people=connected]"))))
	page, err = hubtest.Read(ctx, browser.Tab(), chromedp.OuterHTML(chromedp.CSS("main")))
	require.NoError(t, err)
	require.Contains(t, page, `<td class="count">1`)
	require.NotRegexp(t, `\b(ada|octocat)\b`, page, "numbers, without names")
	require.NoError(t, browser.Run(ctx, chromedp.Navigate(w.Hub.ServiceURL+"admin"), chromedp.WaitVisible(chromedp.CSS("tr[data-user=ada]"))))

	require.NoError(t, browser.Run(ctx,
		chromedp.Click(chromedp.CSS("tr[data-user=ada] button"), chromedp.NodeVisible),
		chromedp.WaitNotPresent(chromedp.CSS("tr[data-user=ada]")),
	))
	require.Eventually(t, func() bool { return w.onlyToken(t).State == "revoked" }, hubtest.Patience, 50*time.Millisecond)
	require.Empty(t, browser.Complaints(w.Hub.ServiceURL))
}

func TestPageInTwoTabsAgrees(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hubtest.Options{})
	ctx := hubtest.Context(t)
	browser := hubtest.NewBrowser(t)
	w.OpenPage(t, browser, "ada")
	second, closeSecond, err := browser.OpenTab()
	require.NoError(t, err)
	defer closeSecond()
	require.NoError(t, hubtest.RunIn(ctx, second, chromedp.Navigate(w.Hub.ServiceURL), chromedp.WaitVisible(journey.Connect)))
	require.NoError(t, browser.Run(ctx, hubtest.Click(journey.Connect), chromedp.WaitVisible(journey.UserCode)))
	require.NoError(t, hubtest.RunIn(ctx, second, chromedp.WaitVisible(journey.UserCode)), "without being touched")
	other, err := hubtest.Read(ctx, second, chromedp.TextContent(journey.UserCode))
	require.NoError(t, err)
	require.Equal(t, shownCode(t, browser), strings.Join(strings.Fields(other), ""))
	require.NoError(t, hubtest.RunIn(ctx, second, hubtest.Click(chromedp.CSS("#cancel"))))
	require.NoError(t, browser.Run(ctx, chromedp.WaitVisible(chromedp.CSS("#state[data-state=cancelled]"))))
}

func TestPageContinuesWhereEventsDoNotComeThrough(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hubtest.Options{})
	ctx := hubtest.Context(t)
	browser := hubtest.NewBrowser(t)
	_, err := chromedp.Call(browser.Tab(), page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{
		Source: `window.EventSource = class extends EventTarget { constructor() { super(); setTimeout(() => this.onerror?.(new Event("error"))); } close() {} };`,
	})
	require.NoError(t, err)
	w.OpenPage(t, browser, "ada")
	require.NoError(t, browser.Run(ctx, hubtest.Click(journey.Connect)))
	require.NoError(t, w.GitHub.Approve(shownCode(t, browser), "octocat"))
	require.NoError(t, browser.Run(ctx, chromedp.WaitVisible(chromedp.CSS("#state[data-state=connected]"))))
}
