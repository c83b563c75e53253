package lab_test

import (
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hubtest"
)

// Notebook 7 has no status bar: the item is at the top right, and leads to the code and
// to the panel; a push that waits shows its code by itself, and the end is warned of.
func TestExtensionInNotebook7(t *testing.T) {
	t.Parallel()
	ctx := hubtest.Context(t)
	service := newPlayed(t)
	jupyter := withoutHub(t, "notebook", service)
	browser := hubtest.NewBrowser(t)
	open(ctx, t, browser, jupyter, "tree")
	title, err := hubtest.Read(ctx, browser.Tab(), chromedp.Evaluate[string](`(config => config.notebookPage + " " + config.appVersion)(JSON.parse(document.querySelector("#jupyter-config-data").textContent))`))
	require.NoError(t, err)
	require.Regexp(t, `^tree 7\.`, title)
	until(ctx, t, browser.Tab(), statusItem, notConnected)
	noBarriers(ctx, t, browser, `".jp-ghscoped-Status"`)

	require.NoError(t, browser.Run(ctx, chromedp.Click(statusItem)))
	until(ctx, t, browser.Tab(), codeText, aCode)
	service.become(connect("ada", 8*time.Hour, "ada/papers"))
	until(ctx, t, browser.Tab(), statusItem, connected)
	require.NoError(t, browser.Run(ctx, chromedp.WaitNotPresent(codeText), chromedp.Click(statusItem)))
	until(ctx, t, browser.Tab(), connection, `Connected as ada.*ada/papers`)
	require.NoError(t, browser.Run(ctx, chromedp.Click(disconnect)))
	until(ctx, t, browser.Tab(), statusItem, notConnected)

	service.become(ask(false)) // by a push in a terminal
	until(ctx, t, browser.Tab(), codeText, aCode)
	service.become(connect("ada", 20*time.Minute, "ada/papers"))
	until(ctx, t, browser.Tab(), warning, `ends in 20 min`)
}
