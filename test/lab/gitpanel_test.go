package lab_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hubtest"
)

// Selectors of jupyterlab-git 0.55, and of JupyterLab 4.
const (
	gitTab      = chromedp.CSS(`li[data-id="jp-git-sessions"]`)
	pushAhead   = chromedp.CSS(`#jp-git-sessions button[title^="Push committed changes (ahead by 1 "]`)
	nothingMore = chromedp.CSS(`#jp-git-sessions button[title="Push committed changes"]`)
	dialogs     = `document.querySelectorAll(".jp-Dialog").length`
)

// A person who is connected clicks Push in the Git panel: GitHub has the commit, the
// panel knows that nothing is left to push, and nobody was asked for a password.
func TestGitPanelPushes(t *testing.T) {
	t.Parallel()
	ctx := hubtest.Context(t)
	p := newPerson(t)
	p.connect(t)
	browser := p.openLab(ctx, t, "lab/tree/hello")
	require.NoError(t, browser.Run(ctx, chromedp.Click(gitTab, chromedp.NodeVisible), hubtest.Click(pushAhead)))
	require.Eventually(t, p.hasPushed, hubtest.Patience, 100*time.Millisecond, "%s", shows{ctx, browser})
	require.NoError(t, browser.Run(ctx, chromedp.WaitVisible(nothingMore)))
	asking, err := hubtest.Read(ctx, browser.Tab(), chromedp.Evaluate[int](dialogs))
	require.NoError(t, err)
	require.Zero(t, asking, "%s", shows{ctx, browser})
}

// openLab signs the person in and opens a page of their server.
func (p *person) openLab(ctx context.Context, t *testing.T, page string) *hubtest.Browser {
	t.Helper()
	browser := hubtest.NewBrowser(t)
	require.NoError(t, browser.SignIn(ctx, shared.Hub, p.name))
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
