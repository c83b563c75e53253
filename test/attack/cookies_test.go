package attack_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/internal/hubtest/journey"
)

const servicePath = "/services/connect-github/"

// authorized has octocat authorize the App once, in ada's own connection, so that
// GitHub asks nothing the next time.
func (n *neighbourhood) authorized(t *testing.T) {
	t.Helper()
	n.Connect(t, n.Visit(t, "ada"), "octocat")
}

// refused demands the page about cookies, in nobody's name, and that one click on
// it signs ada in with one login.
func (n *neighbourhood) refused(t *testing.T, browser *hubtest.Browser, seen shows) {
	t.Helper()
	require.Equal(t, shows{"error", "", seen.Path}, seen)
	require.NoError(t, browser.Run(hubtest.Context(t), chromedp.WaitVisible(journey.SignInAgain)))
	mark := n.mark()
	require.NoError(t, browser.Run(hubtest.Context(t), chromedp.Click(journey.SignInAgain), chromedp.WaitNotPresent(journey.SignInAgain)))
	seen = n.rest(t, browser)
	require.Equal(t, "ada", seen.User)
	require.NotEqual(t, "error", seen.State)
	authorize, token := n.since(mark)
	require.LessOrEqual(t, authorize, 2, "one login, and the Hub's page for it")
	require.LessOrEqual(t, token, 1)
}

// cookies are what a page of eve's can do with cookies for our path.
func (n *neighbourhood) cookies(t *testing.T) {
	n.authorized(t)
	browser := n.victim(t)
	require.Equal(t, "ada", n.goTo(t, browser, n.Hub.ServiceURL).User)

	t.Run("for the callback of GitHub, with the attacker's own attempt", func(t *testing.T) {
		eve := n.attacker(t)
		address, tokens, mark := n.beginWebFlow(t, eve), len(n.GitHub.Tokens()), n.mark()
		n.toss(t, browser, eve.session+"; path="+servicePath+"github_callback", eve.hubSession+"; path="+servicePath+"github_callback")
		seen := n.goTo(t, browser, address)
		require.Equal(t, servicePath+"github_callback", seen.Path)
		_, token := n.since(mark)
		require.Zero(t, token)
		n.refused(t, browser, seen)
		require.Len(t, n.GitHub.Tokens(), tokens, "octocat's code was not even exchanged")
		n.nothingOfOctocats(t, eve)
	})
	t.Run("for the whole service, so that its page is another's", func(t *testing.T) {
		eve := n.attacker(t)
		n.toss(t, browser, eve.session+"; path=/services/connect-github", eve.hubSession+"; path=/services/connect-github")
		n.refused(t, browser, n.goTo(t, browser, n.Hub.ServiceURL))
	})
	t.Run("a worthless one, to keep somebody out", func(t *testing.T) {
		n.toss(t, browser, hubCookie+"=x; path="+servicePath)
		mark := n.mark()
		seen := n.goTo(t, browser, n.Hub.ServiceURL)
		authorize, token := n.since(mark)
		require.Equal(t, []int{0, 0}, []int{authorize, token}, "nothing follows by itself")
		n.refused(t, browser, seen)
	})
	t.Run("for the admin's page", func(t *testing.T) {
		eve := n.attacker(t)
		n.toss(t, browser, eve.session+"; path="+servicePath+"admin", eve.hubSession+"; path="+servicePath+"admin")
		n.refused(t, browser, n.goTo(t, browser, n.Hub.ServiceURL+"admin"))
	})
	t.Run("a login that the attacker has begun and ended at the Hub", func(t *testing.T) {
		for name, alsoHub := range map[string]bool{"alone": false, "with the attacker's Hub session": true} {
			t.Run(name, func(t *testing.T) {
				eve := n.attacker(t)
				login, back := n.beginLogin(t, eve)
				cookies := []string{login + "; path=" + servicePath + "oauth_callback"}
				if alsoHub {
					cookies = append(cookies, eve.hubSession+"; path="+servicePath+"oauth_callback")
				}
				n.toss(t, browser, cookies...)
				n.refused(t, browser, n.goTo(t, browser, back))
			})
		}
	})
	t.Run("a session without its Hub session, to somebody who has none here", func(t *testing.T) {
		eve, fresh := n.attacker(t), n.victim(t)
		n.toss(t, fresh, eve.session+"; path=/services/connect-github")
		mark := n.mark()
		seen := n.goTo(t, fresh, n.Hub.ServiceURL)
		_, token := n.since(mark)
		require.LessOrEqual(t, token, 1, "one login")
		if seen.State == "error" { // its own cookie and the tossed one
			n.refused(t, fresh, seen)
			return
		}
		require.Equal(t, "ada", seen.User)
	})
	t.Run("a server's, in place of ours: what is left is a page that names both", func(t *testing.T) {
		eve, tokens := n.attacker(t), len(n.GitHub.Tokens())
		address := n.beginWebFlow(t, eve)
		require.NoError(t, browser.Run(hubtest.Context(t), chromedp.Navigate(n.evil+"holiday?"+url.Values{"cookie": {
			eve.session + "; path=" + servicePath + "; HttpOnly", eve.hubSession + "; path=/; HttpOnly"}}.Encode()), chromedp.WaitVisible(chromedp.CSS("#eves"))))
		seen := n.goTo(t, browser, address)
		require.Equal(t, "confirm", seen.State)
		for selector, want := range map[chromedp.CSS]string{journey.HubUser: "eve", journey.GitHubAccount: "octocat"} {
			text, err := browser.Text(hubtest.Context(t), selector)
			require.NoError(t, err)
			require.Equal(t, want, text)
		}
		n.nothingOfOctocats(t, eve)
		require.NoError(t, browser.Run(hubtest.Context(t), chromedp.Click(journey.NotYou), chromedp.WaitVisible(chromedp.CSS("#state[data-state=cancelled]"))))
		require.Eventually(t, func() bool { return n.GitHub.Tokens()[tokens].State == "revoked" }, hubtest.Patience, 50*time.Millisecond)
		n.nothingOfOctocats(t, eve)
	})
}

// beginLogin is eve's login at the service, up to the address with which the Hub
// sends her back; she keeps its cookie.
func (n *neighbourhood) beginLogin(t *testing.T, eve attacker) (cookie, back string) {
	t.Helper()
	client := n.client()
	answer, err := client.Get(n.Hub.ServiceURL)
	require.NoError(t, err)
	defer answer.Body.Close()
	require.Len(t, answer.Cookies(), 1)
	toHub, err := answer.Location()
	require.NoError(t, err)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, toHub.String(), nil)
	require.NoError(t, err)
	for _, c := range eve.Cookies(toHub) {
		request.AddCookie(c)
	}
	redirect, err := client.Do(request)
	require.NoError(t, err)
	defer redirect.Body.Close()
	address, err := redirect.Location()
	require.NoError(t, err, "she consented before")
	return answer.Cookies()[0].Name + "=" + answer.Cookies()[0].Value, address.String()
}

// TestSiblingBelowTheHubsDomain is what a page on any host below the Hub's domain
// can do where each user and service has a host of their own.
func TestSiblingBelowTheHubsDomain(t *testing.T) {
	t.Parallel()
	n := newNeighbourhood(t, hubtest.Options{Subdomains: true})
	n.authorized(t)
	browser := n.victim(t)
	require.Equal(t, "ada", n.goTo(t, browser, n.Hub.ServiceURL).User)
	for name, path := range map[string]string{"for GitHub's callback": servicePath + "github_callback", "for all": "/"} {
		t.Run(name, func(t *testing.T) {
			eve := n.attacker(t)
			address, tokens := n.beginWebFlow(t, eve), len(n.GitHub.Tokens())
			site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				for _, cookie := range []string{eve.session, eve.hubSession} {
					w.Header().Add("Set-Cookie", fmt.Sprintf("%s; Domain=hub.localhost; Path=%s", cookie, path))
				}
				http.Redirect(w, r, address, http.StatusFound)
			}))
			defer site.Close()
			_, port, err := net.SplitHostPort(site.Listener.Addr().String())
			require.NoError(t, err)
			seen := n.goTo(t, browser, "http://eve.hub.localhost:"+port+"/holiday-pictures")
			n.refused(t, browser, seen)
			require.Len(t, n.GitHub.Tokens(), tokens)
			n.nothingOfOctocats(t, eve)
		})
	}
	t.Run("a service worker for our host", func(t *testing.T) {
		n.toss(t, browser)
		refused, err := hubtest.Read(hubtest.Context(t), browser.Tab(), chromedp.Evaluate[string](fmt.Sprintf("(%s)(%q)", register, n.Hub.ServiceURL), chromedp.EvalAwaitPromise))
		require.NoError(t, err)
		require.Equal(t, "SecurityError", refused)
	})
}
