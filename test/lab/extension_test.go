package lab_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/internal/hubtest/journey"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

// Selectors of the extension, and of JupyterLab's dialogs.
const (
	statusItem = chromedp.CSS(`.jp-ghscoped-Status`)
	codeText   = chromedp.CSS(`.jp-ghscoped-Code-text`)
	goToGitHub = chromedp.CSS(`.jp-Dialog button.jp-mod-accept`)
	webFlow    = chromedp.CSS(`.jp-Dialog-footerButtons button:last-child`)
	cancelCode = chromedp.CSS(`.jp-Dialog-footerButtons button:first-child`)
	connection = chromedp.CSS(`.jp-ghscoped-Connection`)
	disconnect = chromedp.CSS(`.jp-Dialog button.jp-mod-warn`)
	cloneHello = chromedp.CSS(`.jp-ghscoped-Connection li button`)
)

// What is shown.
const (
	notConnected = `^GitHub: not connected$`
	connected    = `^GitHub: (8 h 0|7 h 59) min$` // just now
	aCode        = `^[A-Z0-9]{4}-[A-Z0-9]{4}$`
)

// The whole way of a person who never leaves JupyterLab but for GitHub's own pages,
// a second tab that is in step with the first, and the end of the sign-in at the Hub.
func TestConnectInLab(t *testing.T) {
	t.Parallel()
	ctx := hubtest.Context(t)
	p := newPerson(t)
	browser := p.openLab(ctx, t, "lab")
	until(ctx, t, browser.Tab(), statusItem, notConnected)
	second, closeSecond, err := browser.OpenTab()
	require.NoError(t, err)
	defer closeSecond()
	require.NoError(t, hubtest.RunIn(ctx, second, chromedp.Navigate(p.server+"lab/workspaces/second")))
	until(ctx, t, second, statusItem, notConnected)

	require.NoError(t, browser.Run(ctx, chromedp.Click(statusItem)))
	code := until(ctx, t, browser.Tab(), codeText, aCode)
	until(ctx, t, second, statusItem, `^GitHub: waiting$`)
	focused, err := hubtest.Read(ctx, browser.Tab(), chromedp.Evaluate[string](`document.activeElement.innerText`))
	require.NoError(t, err)
	require.Equal(t, "Copy code and open GitHub", focused)
	noBarriers(ctx, t, browser, `".jp-ghscoped-Code", ".jp-ghscoped-Status"`)

	tab, closeTab, err := browser.ClickToTab(ctx, goToGitHub)
	require.NoError(t, err)
	require.NoError(t, journey.EnterCode(ctx, tab, p.name, code))
	require.NoError(t, journey.Authorize(ctx, tab))
	closeTab()
	for _, tab := range []context.Context{browser.Tab(), second} {
		until(ctx, t, tab, statusItem, connected)
	}
	rig.Shell(t, p.terminal, "git -C hello push -q")
	require.True(t, p.hasPushed())

	require.NoError(t, browser.Run(ctx, chromedp.Click(statusItem)))
	until(ctx, t, browser.Tab(), connection, `(?s)Connected as `+p.name+`.*You can push to:.*`+p.repository)
	noBarriers(ctx, t, browser, `".jp-ghscoped-Connection"`)
	rig.Shell(t, p.terminal, "rm -rf hello")
	require.NoError(t, browser.Run(ctx, chromedp.Click(cloneHello)))
	require.Eventually(t, func() bool {
		_, err := os.Stat(filepath.Join(p.Hub.Home(p.name), "hello", ".git", "refs", "remotes", "origin"))
		return err == nil
	}, hubtest.Patience, 100*time.Millisecond, "the terminal that was opened must clone")

	require.NoError(t, browser.Run(ctx, chromedp.Click(statusItem), chromedp.Click(disconnect, chromedp.NodeVisible)))
	for _, tab := range []context.Context{browser.Tab(), second} {
		until(ctx, t, tab, statusItem, notConnected)
	}

	require.NoError(t, hubtest.RunIn(ctx, second, chromedp.Navigate(p.Hub.URL+"hub/logout")))
	require.NoError(t, browser.Run(ctx, comeBack))
	until(ctx, t, browser.Tab(), statusItem, `^GitHub: signed out$`)
}

// A push that waits in a terminal shows its code in JupyterLab.
func TestPushInATerminalShowsItsCodeInLab(t *testing.T) {
	t.Parallel()
	ctx := hubtest.Context(t)
	p := newPerson(t)
	browser := p.openLab(ctx, t, "lab")
	until(ctx, t, browser.Tab(), statusItem, notConnected)
	approved := make(chan error, 1)
	go func() {
		code, err := browser.Text(ctx, codeText)
		if err == nil {
			err = p.GitHub.Approve(code, p.name)
		}
		approved <- err
	}()
	rig.Shell(t, p.terminal, "git -C hello push -q")
	require.NoError(t, <-approved)
	require.True(t, p.hasPushed())
	until(ctx, t, browser.Tab(), statusItem, connected)
	require.NoError(t, browser.Run(ctx, chromedp.WaitNotPresent(codeText)))
}

// The routes answer who is signed in at this server, and change nothing for a page of
// somebody else's, which cannot read the token against forged requests.
func TestRoutesOfTheServerExtension(t *testing.T) {
	t.Parallel()
	ctx := hubtest.Context(t)
	p := newPerson(t)
	who := p.Visit(t, p.name)
	require.NoError(t, who.Open(ctx, p.server+"lab"))
	address, err := url.Parse(p.server)
	require.NoError(t, err)
	cookies, xsrf := "", ""
	for _, cookie := range who.Cookies(address) {
		cookies += cookie.Name + "=" + cookie.Value + "; "
		if cookie.Name == "_xsrf" {
			xsrf = cookie.Value
		}
	}
	require.NotEmpty(t, xsrf)
	for _, route := range []string{"POST events", "DELETE flow", "DELETE connection", "POST flow"} {
		method, path, _ := strings.Cut(route, " ")
		ask := func(header http.Header) int {
			request, err := http.NewRequestWithContext(ctx, method, p.server+"ghscoped/"+path, nil)
			require.NoError(t, err)
			request.Header = header
			answer, err := http.DefaultTransport.RoundTrip(request)
			require.NoError(t, err)
			require.NoError(t, answer.Body.Close())
			return answer.StatusCode
		}
		require.Equal(t, http.StatusForbidden, ask(http.Header{}), "%s without a sign-in", route)
		require.Equal(t, http.StatusForbidden, ask(http.Header{"Cookie": {cookies}}), "%s without the XSRF token", route)
		require.NotEqual(t, http.StatusForbidden, ask(http.Header{"Cookie": {cookies}, "X-Xsrftoken": {xsrf}}), route)
	}
}

// noBarriers looks for barriers to accessibility within elements.
func noBarriers(ctx context.Context, t *testing.T, browser *hubtest.Browser, within string) {
	t.Helper()
	source, err := os.ReadFile(filepath.Join("..", "..", ".demo", "axe", "node_modules", "axe-core", "axe.min.js"))
	require.NoError(t, err, "install it by: demo/install.sh axe")
	script := string(source) + `;axe.run({include: [` + within + `]}, {resultTypes: ["violations"]}).then(found => JSON.stringify(found.violations.map(v => [v.id, v.nodes.map(n => n.html)])))`
	found, err := hubtest.Read(ctx, browser.Tab(), chromedp.Evaluate[string](script, chromedp.EvalAwaitPromise))
	require.NoError(t, err)
	require.Equal(t, "[]", found)
}

// until waits for an element's text in a tab to match, and returns it.
func until(ctx context.Context, t *testing.T, tab context.Context, selector chromedp.CSS, pattern string) (text string) {
	t.Helper()
	script := fmt.Sprintf(`(document.querySelector(%q) || {textContent: ""}).textContent`, string(selector))
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		var err error
		text, err = hubtest.Read(ctx, tab, chromedp.Evaluate[string](script))
		require.NoError(c, err)
		require.Regexp(c, pattern, text, "%s", selector)
	}, hubtest.Patience, 100*time.Millisecond)
	return text
}
