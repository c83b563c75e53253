package e2e_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

// A connection ends in front of somebody who is signed in at the Hub, as all are here.
// The record keeps no Hub token by then, since nothing has needed one since the delivery:
// what is to be taken out of the server has to continue with that of whoever looks at
// the page.
func TestPageLeftOpenPastTheEnd(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		opened time.Duration // after the connection was made
		end    func(t *testing.T, p *inProcess)
		says   string
		// session: the one of the page ends as well, of which Chromium notes the 401.
		session bool
	}{
		"the 8 hours are over, and the session is not": {
			time.Hour, func(_ *testing.T, p *inProcess) { p.pass(7 * time.Hour) }, "Your access has ended", false,
		},
		"the 8 hours of both are over": {
			0, func(_ *testing.T, p *inProcess) { p.pass(8*time.Hour + time.Minute) }, "Your access has ended", true,
		},
		"disconnected by a program": {
			0, func(t *testing.T, p *inProcess) {
				program := p.Hub.Holder(p.ServerToken(t, "ada", ""))
				require.Equal(t, http.StatusNoContent, rig.Call(t, program, http.MethodDelete, "api/connection", nil, nil))
			}, "Connect GitHub", false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newInProcess(t, nil)
			ctx := hubtest.Context(t)
			p.connected(t)
			p.pass(test.opened)
			browser := hubtest.NewBrowser(t)
			require.NoError(t, browser.SignIn(ctx, p.Hub, "ada")) // who has consented already
			require.NoError(t, browser.Run(ctx, chromedp.Navigate(p.Hub.ServiceURL), chromedp.WaitVisible(chromedp.CSS("#state[data-state=connected]"))))
			wrong := noteSignedOut(t, browser)

			test.end(t, p)
			soon, cancel := context.WithTimeout(ctx, hubtest.Patience)
			defer cancel()
			require.NoError(t, browser.Run(soon, chromedp.WaitVisible(chromedp.CSS("#connect")), chromedp.WaitNotPresent(chromedp.CSS("#servers"))))
			says, err := browser.Text(ctx, "h1")
			require.NoError(t, err)
			require.Equal(t, test.says, says)
			require.NoFileExists(t, p.CredentialFile("ada"))
			require.Empty(t, wrong())
			complaints := slices.DeleteFunc(browser.Complaints(p.Hub.ServiceURL), func(c hubtest.Complaint) bool {
				return test.session && strings.Contains(c.String(), "401 (Unauthorized)")
			})
			require.Empty(t, complaints)
		})
	}
}

// noteSignedOut has the tab keep each text, of this page and the next ones, that tells
// somebody that they are not signed in at the Hub.
func noteSignedOut(t *testing.T, browser *hubtest.Browser) (wrong func() string) {
	t.Helper()
	read := func(expression string) string {
		text, err := hubtest.Read(hubtest.Context(t), browser.Tab(), chromedp.Evaluate[string](expression))
		require.NoError(t, err)
		return text
	}
	read(`(() => {
		const look = () => {
			const found = document.body.innerText.match(/.*(sign-in at the Hub|signed out of the Hub).*/i);
			if (found) sessionStorage.setItem("wrong", found[0]);
		};
		new MutationObserver(look).observe(document.body, {childList: true, subtree: true, attributes: true});
		return "";
	})()`)
	return func() string { return read(`sessionStorage.getItem("wrong") ?? ""`) }
}
