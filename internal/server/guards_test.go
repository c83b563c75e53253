package server_test

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/flow"
	"github.com/ghscoped/ghscoped-service/internal/secret"
	"github.com/ghscoped/ghscoped-service/internal/server"
)

// guarded says what each route answers to each kind of caller, as a status and
// the code of the error. A route of the router that is missing here fails
// TestRoutesAreGuarded.
//
// Each row is tried with ada connected. Callers other than ada, her server and,
// where the guard is ofBots, the service nbbot must not learn or change anything
// of hers, whatever they are answered.
var guarded = []guardedRoute{
	{route: "GET /", guard: ofPage, own: "200", foreign: "200"},
	{route: "GET /fragment", guard: ofFragment, own: "200", foreign: "200"},
	{route: "GET /oauth_callback", guard: forAll("403 login_state")},
	{route: "GET /github_callback", guard: ofPage, own: "403 web_state", foreign: "403 web_state"},

	{route: "POST /connect", guard: ofPage, own: "303", foreign: "303"},
	{route: "POST /confirm", guard: ofPage, own: "303", foreign: "303"},
	{route: "POST /cancel", guard: ofPage, given: pending, own: "303", foreign: "303"},
	{route: "POST /disconnect", guard: ofPage, own: "303", foreign: "303"},
	{route: "POST /deliver", guard: ofPage, own: "303", foreign: "303"},
	{route: "POST /start", guard: ofPage, own: "303", foreign: "303"},

	{route: "GET /admin", guard: ofPage, admin: true, own: "200", foreign: "404 not_found"},
	{route: "GET /bots", guard: ofPage, admin: true, own: "200", foreign: "404 not_found"},
	{route: "POST /admin/disconnect", guard: ofFragment, admin: true, body: "user=ada", own: "303", foreign: "404 not_found"},
	{route: "POST /admin/disconnect-all", guard: ofFragment, admin: true, own: "303", foreign: "404 not_found"},
	{route: "POST /admin/forget-account", guard: ofFragment, admin: true, body: "user=ada", own: "303", foreign: "404 not_found"},
	{route: "POST /admin/revoke-bots", guard: ofFragment, admin: true, body: "all=yes", own: "303", foreign: "404 not_found"},

	{route: "GET /api/openapi.yaml", guard: forAll("200")},
	{route: "GET /api/flows/current", guard: ofAPI, given: pending, own: "200", foreign: "404 no_flow", server: "200", foreignServer: "404 no_flow"},
	{route: "POST /api/flows", guard: ofAPI, own: "201", foreign: "201", server: "201", ownToken: "403 server_token_only", foreignServer: "201"},
	{route: "DELETE /api/flows/current", guard: ofAPI, given: pending, own: "200", foreign: "404 no_flow", server: "403 not_begun_here", foreignServer: "404 no_flow"},
	{route: "GET /api/flows/current/events", guard: ofAPI, given: pending, own: "200", foreign: "200", server: "200", foreignServer: "200"},
	{route: "GET /api/connection", guard: ofAPI, own: "200", foreign: "404 not_connected", server: "200", unchosen: "403 server_not_chosen", foreignServer: "404 not_connected"},
	{route: "DELETE /api/connection", guard: ofAPI, own: "204", foreign: "404 not_connected", server: "204", unchosen: "403 server_not_chosen", foreignServer: "404 not_connected"},
	{route: "POST /api/deliveries", guard: ofAPI, own: "202", foreign: "404 not_connected", server: "403 session_only", foreignServer: "403 session_only"},
	{route: "POST /api/credential", guard: ofAPI, body: `{"protocol":"https","host":"github.com"}`,
		own: "403 token_only", foreign: "403 token_only", server: "200", unchosen: "403 server_not_chosen", ownToken: "403 server_token_only", foreignServer: "404 not_connected"},
	{route: "DELETE /api/credential/{id}", guard: ofAPI, given: narrowed,
		own: "403 token_only", foreign: "403 token_only", server: "204", unchosen: "403 server_not_chosen", ownToken: "403 server_token_only", foreignServer: "404 not_connected"},

	{route: "DELETE /api/users/{name}", guard: forAll("401 own_token_only")},

	{route: "GET /api/bot-tokens", guard: ofBots, service: "200", foreignService: "200", server: "200", foreignServer: "200"},
	{route: "POST /api/bot-tokens", guard: ofBots, body: pushShared,
		service: "200", foreignService: "403 bot_refused", server: "403 bot_refused", foreignServer: "403 bot_refused"},
	{route: "DELETE /api/bot-tokens/{id}", guard: ofBots,
		service: "204", foreignService: "404 token_unknown", server: "404 token_unknown", foreignServer: "404 token_unknown"},

	{route: "GET /metrics", guard: guard{nobody: "401 bad_token", unknown: "401 bad_token", muted: "403 no_access", service: "403 no_access"},
		own: "401 bad_token", foreign: "401 bad_token", server: "403 no_access", foreignServer: "403 no_access"},
	{route: "GET /healthz", guard: forAll("200")},
	{route: "GET /readyz", guard: forAll("200")},
	{route: "GET /static/*", guard: forAll("404")}, // the names of the files that are there are web's affair
}

// guardedRoute is a row of the table. What a column leaves out is the guard's.
type guardedRoute struct {
	route string
	guard guard
	given func(w *guardedWorld) // beside ada's connection
	body  string                // a form's fields, or JSON below api/
	admin bool                  // own is the session of grace, an admin, and foreign is ada's

	own, foreign          string // sessions of ada and of eve
	server, foreignServer string // tokens of their servers
	unchosen              string // token of a server of ada's that she did not choose; empty: as server
	ownToken              string // a token that opens all of ada's servers; empty: as server
	service               string // token of the service nbbot
	foreignService        string // token of another service
}

// guard is what routes of a kind have in common.
type guard struct {
	nobody  string // neither session nor token
	unknown string // a token that the Hub does not know
	muted   string // a token of ada's that does not allow access to this service
	service string // a service's token
	// A session's write without the page's own CSRF token, or from another page.
	csrf, origin string
}

var (
	// ofPage knows sessions only; others are sent to the Hub's login.
	ofPage = guard{"302", "302", "302", "302", "403 csrf", "403 origin"}
	// ofFragment is for scripts and for forms of a page that others never see.
	ofFragment = guard{"401 signed_out", "401 signed_out", "401 signed_out", "401 signed_out", "403 csrf", "403 origin"}
	ofAPI      = guard{"401 signed_out", "401 bad_token", "403 no_access", "403 users_only", "403 csrf", "403 origin"}
	// ofBots refuses every session.
	ofBots = guard{nobody: "403 token_only", unknown: "401 bad_token", muted: "403 no_access", csrf: "403 token_only", origin: "403 token_only"}
)

// forAll answers everybody alike.
func forAll(answer string) guard { return guard{answer, answer, answer, answer, answer, answer} }

// want is what the table says of a caller.
func (g guardedRoute) want(caller string) string {
	switch caller {
	case "own session":
		return cmp.Or(g.own, g.guard.nobody)
	case "foreign session":
		return cmp.Or(g.foreign, g.guard.nobody)
	case "own server":
		return cmp.Or(g.server, g.guard.nobody)
	case "unchosen server":
		return cmp.Or(g.unchosen, g.server, g.guard.nobody)
	case "own token":
		return cmp.Or(g.ownToken, g.server, g.guard.nobody)
	case "foreign server":
		return cmp.Or(g.foreignServer, g.guard.nobody)
	case "service":
		return cmp.Or(g.service, g.guard.service)
	case "foreign service":
		return cmp.Or(g.foreignService, g.guard.service)
	case "nobody":
		return g.guard.nobody
	case "unknown token":
		return g.guard.unknown
	case "token without access":
		return g.guard.muted
	case "without CSRF token", "with another CSRF token":
		return g.guard.csrf
	}
	return g.guard.origin
}

// caller is a browser, and the headers it sends.
type caller func(w *guardedWorld) (*browser, map[string]string)

var (
	outsiders = map[string]caller{
		"nobody":               func(w *guardedWorld) (*browser, map[string]string) { return w.browser(), map[string]string{} },
		"unknown token":        byToken("made-up"),
		"token without access": byToken("no-access"),
		"foreign server":       byToken("server-tess"),
		"foreign service":      byToken("other"),
		"foreign session":      func(w *guardedWorld) (*browser, map[string]string) { return w.foreign, ownPage(w.foreign) },
	}
	insiders = map[string]caller{
		"own server":      byToken("server-ada"),
		"unchosen server": byToken("joint-ada"),
		"own token":       byToken("own-ada"),
		"own session":     func(w *guardedWorld) (*browser, map[string]string) { return w.own, ownPage(w.own) },
		"service":         byToken("nbbot"),
	}
)

// crossSite is what differs from a request of the page itself.
var crossSite = map[string]map[string]string{
	"without CSRF token":               {"X-CSRF-Token": ""},
	"with another CSRF token":          {"X-CSRF-Token": "x"},
	"without an Origin":                {"Origin": ""},
	"from another page":                {"Origin": "https://evil.example"},
	"from a page without an origin":    {"Origin": "null"},
	"from the same host by https":      {"Origin": otherScheme},
	"from a sibling, says the browser": {"Sec-Fetch-Site": "same-site"},
	"from another page with a forged host": {"Origin": "https://evil.example", "X-Forwarded-Host": "evil.example",
		"X-Forwarded-Proto": "https"},
}

// otherScheme stands for the service's origin with https in place of http.
const otherScheme = "https://…"

func byToken(token string) caller {
	return func(w *guardedWorld) (*browser, map[string]string) {
		return w.browser(), map[string]string{"Authorization": "token " + token}
	}
}

// ownPage is what the page's own script or form sends.
func ownPage(b *browser) map[string]string {
	return map[string]string{"X-CSRF-Token": b.csrf, "Origin": b.origin()}
}

// guardedWorld is the service with ada connected and one live token of nbbot's.
type guardedWorld struct {
	*fixture
	ada, foreign, own *browser
	flow              string // the id of ada's
	id                string // what {id} stands for
}

func (g guardedRoute) world(t *testing.T) *guardedWorld {
	f := withBots(t, func(f *fixture, options *server.Options) {
		options.PublicURL, _ = url.Parse(f.base)
	})
	w := &guardedWorld{fixture: f, ada: f.signIn("ada")}
	f.connect(w.ada)
	if w.own, w.foreign = w.ada, f.signIn("eve"); g.admin {
		w.own, w.foreign = f.signIn("grace"), w.ada
	}
	botToken(w)
	if g.given != nil {
		g.given(w)
	}
	user, err := w.users.Load(t.Context(), "ada")
	require.NoError(t, err)
	w.flow = user.Flow.ID
	return w
}

func pending(w *guardedWorld) {
	w.github.approved = false
	require.Equal(w.t, http.StatusCreated, w.ada.write(http.MethodPost, "api/flows").StatusCode)
}

func botToken(w *guardedWorld) {
	require.Equal(w.t, http.StatusOK, w.program(http.MethodPost, "api/bot-tokens", "nbbot", pushShared).StatusCode)
	w.id = w.liveIDs("nbbot")[0]
}

// narrowed gives ada's connection a token for one repository.
func narrowed(w *guardedWorld) {
	w.change(func(o *flow.Options) { o.OneRepository = true })
	ctx, cancel := context.WithCancel(w.t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.engine.Run(ctx)
	}()
	require.Equal(w.t, http.StatusOK, w.credential("octocat/one").StatusCode)
	cancel()
	<-ended
	w.id = secret.New(narrowToken).Hash()
}

// state is all there is of ada's and of the bots'.
func (w *guardedWorld) state() []any {
	user, err := w.users.Load(w.t.Context(), "ada")
	require.NoError(w.t, err)
	return []any{user, w.bots.minted, slices.Clone(w.bots.revoked)}
}

// ask makes a request and says how it was answered.
func (g guardedRoute) ask(w *guardedWorld, b *browser, headers map[string]string) (outcome, body string) {
	method, path, _ := strings.Cut(g.route, " /")
	sent := g.body
	headers = maps.Clone(headers)
	if headers["Origin"] == otherScheme {
		headers["Origin"] = strings.Replace(w.service.URL, "http:", "https:", 1)
	}
	if method == http.MethodPost && !strings.HasPrefix(path, "api/") { // a form has its token in a field
		sent += "&csrf=" + url.QueryEscape(headers["X-CSRF-Token"])
		headers["Content-Type"] = "application/x-www-form-urlencoded"
		delete(headers, "X-CSRF-Token")
	}
	response := b.do(method, strings.NewReplacer("{id}", w.id, "{name}", "ada", "*", "app.css").Replace(path), strings.NewReader(sent), headers)
	outcome = strconv.Itoa(response.StatusCode)
	if response.Header.Get("Content-Type") == "text/event-stream" {
		first := make([]byte, 512)
		n, _ := response.Body.Read(first)
		return outcome, string(first[:n])
	}
	body = read(w.t, response)
	if found := errorCode.FindStringSubmatch(body); response.StatusCode >= 400 && found != nil {
		outcome += " " + found[1] + found[2]
	}
	return outcome, body
}

// errorCode finds the code in an error of the API, or on a page.
var errorCode = regexp.MustCompile(`"code":"([a-z_]+)"|Error <bdi>([a-z_]+)</bdi>`)

func TestRoutesAreGuarded(t *testing.T) {
	t.Parallel()
	for _, g := range guarded {
		t.Run(g.route, func(t *testing.T) {
			t.Parallel()
			g.outsiders(t)
			if !strings.HasPrefix(g.route, "GET ") {
				g.crossSite(t)
			}
			for _, caller := range slices.Sorted(maps.Keys(insiders)) {
				w := g.world(t)
				b, headers := insiders[caller](w)
				outcome, _ := g.ask(w, b, headers)
				require.Equal(t, g.want(caller), outcome, caller)
			}
		})
	}
}

// outsiders may neither learn nor change anything, whatever they are answered.
func (g guardedRoute) outsiders(t *testing.T) {
	w := g.world(t)
	before, hidden := w.state(), []string{token, narrowToken, deviceCode, "octocat", "hub-", "ghs_", w.id, w.flow}
	for _, caller := range slices.Sorted(maps.Keys(outsiders)) {
		b, headers := outsiders[caller](w)
		outcome, body := g.ask(w, b, headers)
		require.Equal(t, g.want(caller), outcome, caller)
		require.Equal(t, before, w.state(), "%s changed something", caller)
		for _, secret := range hidden {
			require.NotContains(t, body, secret, "%s learned something", caller)
		}
	}
}

// crossSite is a session of the right person, on whose behalf somebody else asks.
func (g guardedRoute) crossSite(t *testing.T) {
	w := g.world(t)
	before := w.state()
	for _, caller := range slices.Sorted(maps.Keys(crossSite)) {
		headers := ownPage(w.own)
		maps.Copy(headers, crossSite[caller])
		maps.DeleteFunc(headers, func(_, value string) bool { return value == "" })
		outcome, _ := g.ask(w, w.own, headers)
		require.Equal(t, g.want(caller), outcome, caller)
		require.Equal(t, before, w.state(), "%s changed something", caller)
	}
}

// The router's own list decides what has to be guarded, so that a new route
// cannot be forgotten.
func TestRoutesAreAllInTheTableOfGuards(t *testing.T) {
	t.Parallel()
	var served, listed []string
	walk := func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		served = append(served, method+" /"+strings.TrimPrefix(route, prefix))
		return nil
	}
	require.NoError(t, chi.Walk(setUp(t).handler.(chi.Routes), walk))
	for _, g := range guarded {
		listed = append(listed, g.route)
	}
	require.ElementsMatch(t, served, listed)
}
