package attack_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hubtest"
)

// register has a page of eve's register her service worker for a scope, and
// returns when it works, or why it does not.
const register = `(scope) => navigator.serviceWorker.register("sw.js", {scope}).then((r) => new Promise((done) => {
	const worker = r.installing || r.waiting || r.active;
	const look = () => worker.state === "activated" ? done("activated") : setTimeout(look, 50);
	look();
}), (refused) => refused.name)`

// serviceWorker is what a service worker of eve's server can do that ada's browser
// has taken for the service's path. It can show another page in place of ours,
// which nothing but a host of one's own prevents (docs/security.md says so). What
// it fetches has no CSRF token, so that it can do nothing in ada's name.
func (n *neighbourhood) serviceWorker(t *testing.T) {
	ctx := hubtest.Context(t)
	browser := n.victim(t)
	require.Equal(t, "ada", n.goTo(t, browser, n.Hub.ServiceURL).User)
	n.toss(t, browser)
	worker, err := hubtest.Read(ctx, browser.Tab(), chromedp.Evaluate[string]("("+register+")("+`"`+servicePath+`")`, chromedp.EvalAwaitPromise))
	require.NoError(t, err)
	require.Equal(t, "activated", worker)

	for _, path := range []string{"", "admin", "github_callback?state=x&code=y"} {
		require.NoError(t, browser.Run(ctx, chromedp.Navigate(n.Hub.ServiceURL+path), chromedp.WaitVisible(chromedp.CSS("#fake"))), "it works at all")
	}
	notes, err := os.ReadFile(filepath.Join(n.Hub.Home("eve"), "notes.txt"))
	require.NoError(t, err)
	require.Len(t, strings.Fields(string(notes)), 3)
	require.Contains(t, string(notes), "status=200", "it fetched ada's page")
	require.NotContains(t, string(notes), "csrf=true")
}
