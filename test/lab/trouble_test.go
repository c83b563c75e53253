package lab_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hubtest"
)

// hostile is a name that GitHub would not take.
const hostile = `<img src=x onerror="window.pwned=1">`

// comeBack is a person who goes to another tab and comes back.
var comeBack = chromedp.Evaluate[chromedp.Void](`for (const hidden of [true, false]) {
	Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
	document.dispatchEvent(new Event("visibilitychange"));
}`)

// Names run as nothing; what is wrong is one word with a tooltip; nothing throws, and
// the service is not asked again at once. The tests of the extension and of its part
// for Jupyter Server have every kind of answer, and the half minute between requests.
func TestTroubleIsSaidInLab(t *testing.T) {
	t.Parallel()
	ctx := hubtest.Context(t)
	service := newPlayed(t)
	service.become(connect(hostile, 8*time.Hour, hostile+"/"+hostile, "ada/papers"))
	jupyter := withoutHub(t, "jupyterlab", service)
	browser := hubtest.NewBrowser(t)
	open(ctx, t, browser, jupyter, "lab")
	tooltip := func() string {
		t.Helper()
		title, err := hubtest.Read(ctx, browser.Tab(), chromedp.AttributeValue(statusItem, "title"))
		require.NoError(t, err)
		return title.Value
	}
	until(ctx, t, browser.Tab(), statusItem, connected)
	require.Contains(t, tooltip(), hostile)
	require.NoError(t, browser.Run(ctx, chromedp.Click(statusItem)))
	until(ctx, t, browser.Tab(), connection, `Connected as <img src=x.*You can push to:.*<img src=x.*ada/papers`)
	images, err := hubtest.Read(ctx, browser.Tab(), chromedp.Evaluate[int](`document.querySelectorAll(".jp-ghscoped-Connection img, .jp-ghscoped-Status img").length`))
	require.NoError(t, err)
	require.Zero(t, images)
	require.NoError(t, browser.Run(ctx, chromedp.Click(goToGitHub), chromedp.WaitNotPresent(connection)))

	service.become(ask(false))
	until(ctx, t, browser.Tab(), codeText, aCode)
	service.become(connect(hostile, 20*time.Minute, hostile))
	until(ctx, t, browser.Tab(), ".Toastify__toast--warning", `ends in 20 min`)
	pwned, err := hubtest.Read(ctx, browser.Tab(), chromedp.Evaluate[bool](`"pwned" in window`))
	require.NoError(t, err)
	require.False(t, pwned)

	service.become(refuse(http.StatusServiceUnavailable, "<html>"))
	until(ctx, t, browser.Tab(), statusItem, `^GitHub: unavailable$`)
	require.Contains(t, tooltip(), "does not answer")
	before := service.requests()
	require.NoError(t, browser.Run(ctx, comeBack))
	until(ctx, t, browser.Tab(), statusItem, `^GitHub: unavailable$`)
	require.Equal(t, before, service.requests())
	for _, complaint := range browser.Complaints(jupyter.URL) {
		require.NotContains(t, complaint.Text, "ghscoped/static", "%s", complaint)
	}
}
