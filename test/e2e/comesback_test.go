package e2e_test

import (
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/internal/hubtest/journey"
)

func TestPageHasTheFreshListWhenSomebodyComesBackFromGitHub(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hubtest.Options{})
	ctx := hubtest.Context(t)
	browser := hubtest.NewBrowser(t)
	w.OpenPage(t, browser, "ada")
	require.NoError(t, browser.Run(ctx, hubtest.Click(journey.Connect)))
	require.NoError(t, w.GitHub.Approve(shownCode(t, browser), "octocat"))
	const install, add = chromedp.CSS("#fix-access"), chromedp.CSS("#repositories > p > a[target=_blank]")
	require.NoError(t, browser.Run(ctx, chromedp.WaitVisible(install)))

	for _, step := range []struct {
		link    chromedp.CSS
		choose  []string
		appears string
	}{
		{install, []string{chosen}, "hello"}, // installs the App
		{add, []string{chosen, other}, "other"},
	} {
		_, closeGitHub, err := browser.ClickToTab(ctx, step.link)
		require.NoError(t, err)
		_, err = w.GitHub.Install("octocat", step.choose...)
		require.NoError(t, err)
		began := time.Now()
		_, err = chromedp.Call(browser.Tab(), page.BringToFront, cdp.Empty{})
		require.NoError(t, err)
		_, err = hubtest.Read(ctx, browser.Tab(), chromedp.Poll[bool](
			`[...document.querySelectorAll("#repositories li")].some((li) => li.textContent.trim() === "`+step.appears+`")`))
		require.NoError(t, err, step.appears)
		took := time.Since(began)
		t.Logf("%s: after %.1f s", step.appears, took.Seconds())
		require.Less(t, took, 5*time.Second, step.appears)
		closeGitHub()
	}
	require.Empty(t, browser.Complaints(w.Hub.ServiceURL))
}
