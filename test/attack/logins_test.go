package attack_test

import (
	"fmt"
	"net/http/cookiejar"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hubtest"
)

// logins are what a page of eve's, or many tabs, can do by beginning logins: each
// costs a cookie, and the proxy refuses a browser with more than 16 kB of them.
func (n *neighbourhood) logins(t *testing.T) {
	t.Run("by a script and by pictures", func(t *testing.T) {
		browser := n.victim(t)
		n.toss(t, browser)
		mark := n.mark()
		for _, path := range []string{"", "github_callback", "admin"} {
			began, err := hubtest.Read(hubtest.Context(t), browser.Tab(), chromedp.Evaluate[int](fmt.Sprintf(`(async () => {
				let began = 0;
				for (let i = 0; i < 30; i++) {
					const answer = await fetch(%[1]q + "?" + i, {redirect: "manual"});
					if (answer.type === "opaqueredirect") began++;
					await new Promise((done) => { const picture = new Image(); picture.onload = picture.onerror = done; picture.src = %[1]q + "?p" + i; });
				}
				return began;
			})()`, servicePath+path), chromedp.EvalAwaitPromise))
			require.NoError(t, err)
			require.Zero(t, began, path)
		}
		authorize, _ := n.since(mark)
		require.Zero(t, authorize)
		require.Equal(t, "ada", n.goTo(t, browser, n.Hub.ServiceURL).User)
	})
	t.Run("by tabs", func(t *testing.T) {
		jar, err := cookiejar.New(nil)
		require.NoError(t, err)
		client := n.client()
		client.Jar = jar
		for range 60 {
			answer, err := client.Get(n.Hub.ServiceURL)
			require.NoError(t, err)
			require.NoError(t, answer.Body.Close())
			require.Equal(t, 302, answer.StatusCode)
			under := 0
			for _, cookie := range jar.Cookies(n.service(t)) {
				if strings.Contains(cookie.Name, "-login-") {
					under++
				}
			}
			require.LessOrEqual(t, under, 3)
		}
	})
}
