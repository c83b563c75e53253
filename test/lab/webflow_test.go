package lab_test

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/internal/hubtest/journey"
)

// Where the web flow is configured, "Continue with GitHub" comes first, and opens the
// page; the code comes second. What is connected there is seen in JupyterLab.
func TestWebFlowComesFirstInLab(t *testing.T) {
	t.Parallel()
	ctx := hubtest.Context(t)
	p := withWebFlow(t).newPerson(t)
	browser := p.openLab(ctx, t, "lab")
	until(ctx, t, browser.Tab(), statusItem, notConnected)
	require.NoError(t, browser.Run(ctx, chromedp.Click(statusItem)))
	until(ctx, t, browser.Tab(), codeText, aCode)
	focused, err := hubtest.Read(ctx, browser.Tab(), chromedp.Evaluate[string](`document.activeElement.innerText`))
	require.NoError(t, err)
	require.Equal(t, "Continue with GitHub", focused)
	buttons, err := hubtest.Read(ctx, browser.Tab(), chromedp.Evaluate[[]string](`[...document.querySelectorAll(".jp-Dialog-footerButtons button")].map(b => b.innerText)`))
	require.NoError(t, err)
	require.Equal(t, []string{"Cancel", "Later", "Copy code and open GitHub", "Continue with GitHub"}, buttons)

	tab, closeTab, err := browser.ClickToTab(ctx, webFlow)
	require.NoError(t, err)
	for _, step := range []chromedp.CSS{hubtest.HubConsent, journey.Connect, journey.SimSignIn(p.name), journey.SimAuthorize, journey.Confirm} {
		require.NoError(t, hubtest.RunIn(ctx, tab, hubtest.Click(step)), step)
	}
	require.NoError(t, hubtest.RunIn(ctx, tab, chromedp.WaitVisible(journey.Connected)))
	closeTab()
	until(ctx, t, browser.Tab(), statusItem, connected)
	require.NoError(t, browser.Run(ctx, chromedp.WaitNotPresent(codeText)))
}
