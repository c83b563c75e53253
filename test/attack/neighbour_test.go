package attack_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/githubsim"
	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/internal/hubtest/journey"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

// neighbourhood is a world with the web flow, in which eve's server serves pages
// of hers to whoever comes, as any user's server can.
type neighbourhood struct {
	*world
	evil string // the address of eve's server
}

const clientSecret = "web-flow-secret"

// newNeighbourhood starts one, with octocat's approval given once before: GitHub
// sends who authorized an App before straight back.
func newNeighbourhood(t *testing.T, o hubtest.Options) *neighbourhood {
	t.Helper()
	file := filepath.Join(t.TempDir(), "client-secret")
	require.NoError(t, os.WriteFile(file, []byte(clientSecret+"\n"), 0o600))
	o.ServiceEnv = map[string]string{"GHSCOPED_CLIENT_SECRET_FILE": file}
	n := &neighbourhood{world: newWorld(t, o)}
	require.NoError(t, n.GitHub.PutApp(githubsim.App{
		ClientID: githubsim.DefaultClientID, Slug: githubsim.DefaultSlug, ClientSecret: clientSecret,
		CallbackURLs: []string{n.Hub.ServiceURL + "github_callback"},
	}))
	_, err := n.GitHub.Install("octocat", "octocat/hello")
	require.NoError(t, err)
	home := n.Hub.Home("eve")
	require.NoError(t, os.MkdirAll(filepath.Join(home, ".jupyter"), 0o755))
	extension, err := os.ReadFile("testdata/evilext.py")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(home, "evilext.py"), extension, 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(home, ".jupyter", "jupyter_server_config.py"),
		fmt.Appendf(nil, "import sys\nsys.path.insert(0, %q)\nc.ServerApp.jpserver_extensions = {'evilext': True}\n", home), 0o644))
	n.evil = n.StartServer(t, "eve", "")
	return n
}

// TestNeighbourOnOneOrigin is what a user's server and its pages can do to others
// where all share one origin.
func TestNeighbourOnOneOrigin(t *testing.T) {
	t.Parallel()
	n := newNeighbourhood(t, hubtest.Options{})
	t.Run("cookies", n.cookies)
	t.Run("logins", n.logins)
	t.Run("service worker", n.serviceWorker)
}

// victim is ada's browser, signed in at the Hub and, as octocat, at GitHub. She
// has not opened the service's page in it.
func (n *neighbourhood) victim(t *testing.T) *hubtest.Browser {
	t.Helper()
	ctx := hubtest.Context(t)
	browser := hubtest.NewBrowser(t)
	require.NoError(t, browser.SignIn(ctx, n.Hub, "ada"))
	require.NoError(t, browser.Run(ctx, chromedp.Navigate(n.GitHub.URL()+"/login"),
		chromedp.Click(journey.SimSignIn("octocat"), chromedp.NodeVisible), chromedp.WaitNotPresent(journey.SimSignIn("octocat"))))
	return browser
}

// shows is what a tab shows when it has come to rest: the state of the service's
// page, and the Hub user in its bar.
type shows struct{ State, User, Path string }

// goTo opens an address, consents where the Hub asks, and returns what is shown.
func (n *neighbourhood) goTo(t *testing.T, browser *hubtest.Browser, address string) shows {
	t.Helper()
	require.NoError(t, browser.Run(hubtest.Context(t), chromedp.Navigate(address)))
	return n.rest(t, browser)
}

func (n *neighbourhood) rest(t *testing.T, browser *hubtest.Browser) shows {
	t.Helper()
	ctx := hubtest.Context(t)
	require.NoError(t, browser.Run(ctx, chromedp.WaitReady(journey.State+", "+hubtest.HubConsent)))
	if asked, err := hubtest.Read(ctx, browser.Tab(), chromedp.Evaluate[bool]("document.querySelector('#state') === null")); err == nil && asked {
		require.NoError(t, browser.Run(ctx, chromedp.Click(hubtest.HubConsent, chromedp.NodeVisible), chromedp.WaitReady(journey.State)))
	}
	seen, err := hubtest.Read(ctx, browser.Tab(), chromedp.Evaluate[shows](
		"({State: document.querySelector('#state').dataset.state, User: document.querySelector('.user')?.innerText ?? '', Path: location.pathname})"))
	require.NoError(t, err)
	return seen
}

// toss has a page of eve's set cookies by its script; each has a path or a domain
// of its own.
func (n *neighbourhood) toss(t *testing.T, browser *hubtest.Browser, cookies ...string) {
	t.Helper()
	ctx := hubtest.Context(t)
	require.NoError(t, browser.Run(ctx, chromedp.Navigate(n.evil+"holiday"), chromedp.WaitVisible(chromedp.CSS("#eves"))))
	for _, cookie := range cookies {
		_, err := hubtest.Read(ctx, browser.Tab(), chromedp.Evaluate[string](fmt.Sprintf("document.cookie = %q", cookie)))
		require.NoError(t, err)
	}
}

// attacker is eve, signed in with a browser of her own.
type attacker struct {
	*hubtest.Visitor
	session, hubSession string // her cookies
}

const (
	sessionCookie = "service-connect-github-session"
	hubCookie     = "jupyterhub-session-id"
)

func (n *neighbourhood) attacker(t *testing.T) attacker {
	t.Helper()
	eve := n.Visit(t, "eve")
	a := attacker{Visitor: eve}
	for _, cookie := range eve.Cookies(n.service(t)) {
		switch cookie.Name {
		case sessionCookie:
			a.session = cookie.Name + "=" + cookie.Value
		case hubCookie:
			a.hubSession = cookie.Name + "=" + cookie.Value
		}
	}
	require.NotEmpty(t, a.session)
	require.NotEmpty(t, a.hubSession)
	return a
}

func (n *neighbourhood) service(t *testing.T) *url.URL {
	t.Helper()
	address, err := url.Parse(n.Hub.ServiceURL)
	require.NoError(t, err)
	return address
}

var (
	csrfOf  = regexp.MustCompile(`name="csrf-token" content="([^"]+)"`)
	leaveTo = regexp.MustCompile(`http-equiv="refresh" content="0; url=([^"]+)"`)
)

// beginWebFlow begins a web flow in eve's own session and returns the address at
// GitHub to send somebody else to. She leaves out what would have GitHub ask who
// they are.
func (n *neighbourhood) beginWebFlow(t *testing.T, eve attacker) string {
	t.Helper()
	page := rig.Page(t, eve.Visitor)
	form := url.Values{"csrf": {csrfOf.FindStringSubmatch(page)[1]}, "mode": {"web"}}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, n.Hub.ServiceURL+"connect", strings.NewReader(form.Encode()))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Origin", n.service(t).Scheme+"://"+n.service(t).Host)
	request.Header.Set("Cookie", eve.session+"; "+eve.hubSession)
	answer, err := n.client().Do(request)
	require.NoError(t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	found := leaveTo.FindSubmatch(body)
	require.NotNil(t, found, "%s", body)
	address, err := url.Parse(strings.ReplaceAll(string(found[1]), "&amp;", "&"))
	require.NoError(t, err)
	query := address.Query()
	query.Del("prompt")
	query.Del("login")
	address.RawQuery = query.Encode()
	return address.String()
}

// client reaches the Hub under its own name and those below it, and follows no
// redirect.
func (n *neighbourhood) client() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if host, port, err := net.SplitHostPort(address); err == nil && strings.HasSuffix(host, ".localhost") {
			address = net.JoinHostPort("127.0.0.1", port)
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// nothingOfOctocats demands that eve has no connection and her home no credential.
func (n *neighbourhood) nothingOfOctocats(t *testing.T, eve attacker) {
	t.Helper()
	require.Equal(t, http.StatusNotFound, rig.Call(t, eve, http.MethodGet, "api/connection", nil, nil))
	require.NoFileExists(t, n.CredentialFile("eve"))
}

// since counts what the Hub has been asked for since a mark in its log.
func (n *neighbourhood) since(mark int) (authorize, token int) {
	log := string(n.Hub.Log.Bytes()[mark:])
	return strings.Count(log, "GET /hub/api/oauth2/authorize?"), strings.Count(log, "POST /hub/api/oauth2/token")
}

// mark is the place in the Hub's log now.
func (n *neighbourhood) mark() int { return len(n.Hub.Log.Bytes()) }
