package lab_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

// Selectors of jupyterlab-git 0.55, and of JupyterLab 4.
const (
	gitTab      = chromedp.CSS(`li[data-id="jp-git-sessions"]`)
	gitPanel    = chromedp.CSS(`#jp-git-sessions`)
	pushAhead   = chromedp.CSS(`#jp-git-sessions button[title^="Push committed changes (ahead by 1 "]`)
	nothingMore = chromedp.CSS(`#jp-git-sessions button[title="Push committed changes"]`)
	gitClone    = chromedp.CSS(`#filebrowser [data-jp-item-name="gitClone"] [title="Git Clone"]`)
	cloneFrom   = chromedp.CSS(`#input-link`)
	dialogs     = `document.querySelectorAll(".jp-Dialog").length`
)

const (
	// showMore shows what git said, from the notification of what failed.
	showMore  = `[...document.querySelectorAll("button")].find(b => b.textContent === "Show").click()`
	saysWhere = `The attempt to connect was cancelled\.\s+Click GitHub .* “Connect GitHub”`
)

// A person who is connected clicks Push in the Git panel: GitHub has the commit, the
// panel knows that nothing is left to push, and nobody was asked for a password.
func TestGitPanelPushes(t *testing.T) {
	t.Parallel()
	ctx := hubtest.Context(t)
	p := newPerson(t)
	p.connect(t)
	browser := p.openLab(ctx, t, "lab/tree/hello")
	require.NoError(t, browser.Run(ctx, hubtest.ClickUntil(gitTab, gitPanel), hubtest.Click(pushAhead)))
	require.Eventually(t, p.hasPushed, hubtest.Patience, 100*time.Millisecond, "%s", shows{ctx, browser})
	require.NoError(t, browser.Run(ctx, chromedp.WaitVisible(nothingMore)))
	asking, err := hubtest.Read(ctx, browser.Tab(), chromedp.Evaluate[int](dialogs))
	require.NoError(t, err)
	require.Zero(t, asking, "%s", shows{ctx, browser})
}

// Nobody is connected: a click on Push shows the code, and the push goes through
// once it is approved. No password is asked for.
func TestGitPanelWaitsForTheCode(t *testing.T) {
	t.Parallel()
	ctx := hubtest.Context(t)
	p := newPerson(t)
	browser := p.openLab(ctx, t, "lab/tree/hello")
	until(ctx, t, browser.Tab(), statusItem, notConnected)

	// What the panel does by a timer begins nothing.
	rig.Shell(t, p.terminal, "git init -q private && git -C private remote add origin "+p.GitHub.URL()+"/"+p.name+"/private")
	require.Contains(t, p.panel(ctx, t, browser, "private/remote/fetch"), "could not read Username")
	until(ctx, t, browser.Tab(), statusItem, notConnected)

	// Given up: the push ends, and says where to connect.
	require.NoError(t, browser.Run(ctx, hubtest.ClickUntil(gitTab, gitPanel), hubtest.Click(pushAhead)))
	until(ctx, t, browser.Tab(), codeText, aCode)
	require.Less(t, p.cancelUntil(ctx, t, browser, "Failed to push"), time.Second)
	require.NoError(t, browser.Run(ctx, chromedp.Evaluate[chromedp.Void](showMore)))
	until(ctx, t, browser.Tab(), ".jp-Dialog", saysWhere)
	require.NoError(t, browser.Run(ctx, hubtest.Click(goToGitHub), chromedp.WaitNotPresent(chromedp.CSS(".jp-Dialog"))))
	until(ctx, t, browser.Tab(), statusItem, notConnected)
	require.False(t, p.hasPushed())

	require.NoError(t, browser.Run(ctx, hubtest.Click(pushAhead)))
	first := until(ctx, t, browser.Tab(), codeText, aCode)
	require.NoError(t, p.GitHub.Approve(first, p.name))
	require.Eventually(t, p.hasPushed, hubtest.Patience, 100*time.Millisecond, "%s", shows{ctx, browser})
	require.NoError(t, browser.Run(ctx, chromedp.WaitVisible(nothingMore)))
	until(ctx, t, browser.Tab(), statusItem, connected)
	asking, err := hubtest.Read(ctx, browser.Tab(), chromedp.Evaluate[int](dialogs))
	require.NoError(t, err)
	require.Zero(t, asking, "%s", shows{ctx, browser})
}

// The dialog that clones, with nobody connected: cancelled, it ends at once and says
// where to connect; approved, it clones.
func TestGitPanelClonesOnceTheCodeIsApproved(t *testing.T) {
	t.Parallel()
	ctx := hubtest.Context(t)
	p := newPerson(t)
	browser := p.openLab(ctx, t, "lab")
	until(ctx, t, browser.Tab(), statusItem, notConnected)
	clone := func() {
		t.Helper()
		require.NoError(t, browser.Run(ctx, hubtest.ClickUntil(gitClone, cloneFrom),
			chromedp.SendKeys(cloneFrom, p.GitHub.URL()+"/"+p.name+"/private"), hubtest.Click(goToGitHub)))
	}
	clone()
	until(ctx, t, browser.Tab(), codeText, aCode)
	// jupyterlab-git 0.55 fails over the clone that failed, and keeps git's words to itself.
	require.Less(t, p.cancelUntil(ctx, t, browser, "Failed to clone"), time.Second)
	until(ctx, t, browser.Tab(), ".Toastify", `Cancelled: git ends without a connection\. Connect GitHub`)
	until(ctx, t, browser.Tab(), statusItem, notConnected)

	clone()
	require.NoError(t, p.GitHub.Approve(until(ctx, t, browser.Tab(), codeText, aCode), p.name))
	until(ctx, t, browser.Tab(), "body", "Successfully cloned")
	require.FileExists(t, filepath.Join(p.Hub.Home(p.name), "private", "README.md"))
	asking, err := hubtest.Read(ctx, browser.Tab(), chromedp.Evaluate[int](dialogs))
	require.NoError(t, err)
	require.Zero(t, asking, "%s", shows{ctx, browser})
}

// cancelUntil clicks Cancel in the dialog with the code, and returns how long it took,
// as the page saw it, until a text was there.
func (p *person) cancelUntil(ctx context.Context, t *testing.T, browser *hubtest.Browser, text string) time.Duration {
	t.Helper()
	script := fmt.Sprintf(`new Promise(resolve => {
		const began = performance.now();
		const look = () => document.body.textContent.includes(%q) && resolve(performance.now() - began);
		new MutationObserver(look).observe(document.body, {subtree: true, childList: true, characterData: true});
		document.querySelector(%q).click();
	})`, text, string(cancelCode))
	took, err := hubtest.Read(ctx, browser.Tab(), chromedp.Evaluate[float64](script, chromedp.EvalAwaitPromise))
	require.NoError(t, err)
	t.Logf("%s %.0f ms after Cancel", text, took)
	return time.Duration(took * float64(time.Millisecond))
}

// panel asks the server's part of jupyterlab-git, as its panel does, and returns the
// answer.
func (p *person) panel(ctx context.Context, t *testing.T, browser *hubtest.Browser, path string) string {
	t.Helper()
	script := fmt.Sprintf(`fetch(%q, {method: "POST", body: "{}", headers: {"X-XSRFToken": document.cookie.match(/_xsrf=([^;]*)/)[1]}}).then(answer => answer.text())`, p.server+"git/"+path)
	answer, err := hubtest.Read(ctx, browser.Tab(), chromedp.Evaluate[string](script, chromedp.EvalAwaitPromise))
	require.NoError(t, err)
	return answer
}

// openLab signs the person in and opens a page of their server.
func (p *person) openLab(ctx context.Context, t *testing.T, page string) *hubtest.Browser {
	t.Helper()
	browser := hubtest.NewBrowser(t)
	require.NoError(t, browser.SignIn(ctx, p.Hub, p.name))
	require.NoError(t, browser.Run(ctx, chromedp.Navigate(p.server+page)))
	return browser
}

// shows is the page's text, for a message.
type shows struct {
	ctx     context.Context
	browser *hubtest.Browser
}

func (s shows) String() string {
	text, err := hubtest.Read(s.ctx, s.browser.Tab(), chromedp.Evaluate[string](`document.body.innerText`))
	return fmt.Sprint(text, err)
}
