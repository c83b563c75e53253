package server_test

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/audit"
	"github.com/ghscoped/ghscoped-service/internal/flow"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/hubapi"
	"github.com/ghscoped/ghscoped-service/internal/hubauth"
	"github.com/ghscoped/ghscoped-service/internal/secret"
	"github.com/ghscoped/ghscoped-service/internal/server"
	"github.com/ghscoped/ghscoped-service/internal/store"
	"github.com/ghscoped/ghscoped-service/internal/store/bolt"
	"github.com/ghscoped/ghscoped-service/web"
)

// created is when the Hub made the users of these tests.
const created = "2026-01-05T08:00:00.123456Z"

const (
	prefix = "/services/connect-github/"
	access = "access:services!service=connect-github"
	// adminScope opens the admin's page.
	adminScope = "custom:connect-github:admin"
	// Markers that must never be in an answer to a browser.
	deviceCode  = "marker-device-code"
	token       = "marker-token"
	narrowToken = "marker-narrow"
	// sessionLife is shorter than what the engine would keep a Hub token for.
	sessionLife = time.Hour / 2
)

// fixture is the service with a stand-in for the Hub and for GitHub; the real
// ones are on the other side in test/e2e.
type fixture struct {
	base     string
	engine   *flow.Engine
	hubDown  bool
	hubSays  int                 // while it is down; 0: 503
	hub      sync.Mutex          // guards hubUser where handlers run beside the test
	hubUser  map[string]hub.User // by token
	asked    int                 // whose a token is
	github   *gitHub
	bots     *botGitHub
	audit    *store.Events
	users    *store.Users
	options  flow.Options // of the engine
	server   *server.Server
	handler  http.Handler
	service  *httptest.Server
	ownToken func() (secret.String, error) // the service's at the Hub
	t        testing.TB
}

type gitHub struct {
	approved bool
	codes    int
}

func (g *gitHub) DeviceCode(context.Context) (github.DeviceCode, error) {
	g.codes++
	return github.DeviceCode{DeviceCode: secret.New(deviceCode), UserCode: "WDJB-MJHT",
		VerificationURI: "https://github.com/login/device", ExpiresIn: 15 * time.Minute, Interval: time.Nanosecond}, nil
}

func (g *gitHub) PollOnce(context.Context, secret.String) (github.PollResult, error) {
	if !g.approved {
		return github.PollResult{Status: github.PollPending}, nil
	}
	granted := github.Token{Access: secret.Store(secret.New(token)), ExpiresAt: time.Now().Add(8 * time.Hour)}
	return github.PollResult{Status: github.PollGranted, Token: granted}, nil
}

func (g *gitHub) Account(context.Context, secret.String) (github.Account, error) {
	return github.Account{ID: 1, Login: "octocat"}, nil
}

func (g *gitHub) Access(context.Context, secret.String, int64) (github.Access, error) {
	return github.Access{State: github.AccessReady, Repositories: []github.Repository{{FullName: "octocat/<b>one", Push: true}}}, nil
}

func (g *gitHub) Refresh(context.Context, secret.String) (github.Token, error) {
	return github.Token{}, nil
}

func (g *gitHub) ScopeToken(_ context.Context, _ secret.String, repository string) (github.Token, error) {
	if repository != "octocat/one" {
		return github.Token{}, &apierror.Error{Code: apierror.CodeRepositoryNotChosen, Message: "m", Hint: "h"}
	}
	return github.Token{Access: secret.Store(secret.New(narrowToken)), ExpiresAt: time.Now().Add(8 * time.Hour)}, nil
}

func (g *gitHub) Revoke(context.Context, secret.String) error { return nil }

// ServeHTTP stands in for the Hub: who a token belongs to, and the exchange of
// a code, which here is the name of the user who signs in.
func (f *fixture) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f.hubDown {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(cmp.Or(f.hubSays, http.StatusServiceUnavailable))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if strings.HasSuffix(r.URL.Path, "/oauth2/token") {
		_ = json.NewEncoder(w).Encode(map[string]string{"access_token": "hub-" + r.FormValue("code"), "token_type": "Bearer"})
		return
	}
	f.hub.Lock()
	user, known := f.hubUser[strings.TrimPrefix(r.Header.Get("Authorization"), "token ")]
	f.hub.Unlock()
	switch {
	case !known:
		w.WriteHeader(http.StatusUnauthorized)
	case strings.HasSuffix(r.URL.Path, "/api/user"):
		f.asked++
		_ = json.NewEncoder(w).Encode(user)
	default:
		_ = json.NewEncoder(w).Encode(map[string]any{"servers": map[string]any{}})
	}
}

// change puts another engine in the place of the service's own.
func (f *fixture) change(change func(o *flow.Options)) {
	change(&f.options)
	f.options.Registry = prometheus.NewRegistry()
	*f.engine = *flow.New(f.options)
}

// takeBack has the Hub forget a token.
func (f *fixture) takeBack(token string) {
	f.hub.Lock()
	defer f.hub.Unlock()
	delete(f.hubUser, token)
}

// RoundTrip reaches the Hub without a network, so that a test can have the time of
// a bubble.
func (f *fixture) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := httptest.NewRecorder()
	f.ServeHTTP(answer, r)
	return answer.Result(), nil
}

// setUp makes the service as most tests want it; change makes it otherwise.
func setUp(t testing.TB, change ...func(*fixture, *server.Options)) *fixture {
	t.Helper()
	f := &fixture{t: t, github: &gitHub{}, bots: &botGitHub{}, hubUser: map[string]hub.User{
		"hub-ada":      {Kind: "user", Name: "ada", Created: created, Scopes: []string{access}},
		"hub-eve":      {Kind: "user", Name: "eve", Created: created, Scopes: []string{access}},
		"server-ada":   {Kind: "user", Name: "ada", Created: created, Scopes: []string{access, "access:servers!server=ada/"}},
		"joint-ada":    {Kind: "user", Name: "ada", Created: created, Scopes: []string{access, "access:servers!server=ada/joint"}},
		"own-ada":      {Kind: "user", Name: "ada", Created: created, Scopes: []string{access, "access:servers!user=ada"}},
		"server-eve":   {Kind: "user", Name: "eve", Created: created, Scopes: []string{access, "access:servers!server=eve/"}},
		"no-access":    {Kind: "user", Name: "ada", Created: created, Scopes: []string{"self"}},
		"service-bot":  {Kind: "service", Name: "bot", Scopes: []string{access}},
		"prometheus":   {Kind: "service", Name: "prometheus", Scopes: []string{"read:metrics"}},
		"server-muted": {Kind: "user", Name: "ada", Created: created},
	}}
	f.ownToken = func() (secret.String, error) { return secret.New("s"), nil }
	toHub := &http.Client{Transport: f}
	api, _ := url.Parse("http://hub.test/hub/api")
	client := hubapi.New(api, api, nil, toHub, nil)

	backend, err := bolt.Open(filepath.Join(t.TempDir(), "store.db"), time.Now)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, backend.Close()) })
	keys, err := store.NewKeyring(store.NewKey())
	require.NoError(t, err)
	f.audit = store.NewEvents(backend, keys)
	logger, registry := slog.New(slog.DiscardHandler), prometheus.NewRegistry()
	f.users = store.NewUsers(backend, keys, time.Now, logger)
	gitHubURL, _ := url.Parse("https://github.com")
	f.options = flow.Options{
		GitHub: f.github, Hub: client, Store: f.users,
		Audit: audit.New(io.Discard, f.audit, logger), GitHubURL: gitHubURL, Identity: flow.AnyAccount,
		HubTokenLife: time.Hour, Clock: time.Now, Logger: logger, Registry: registry,
	}
	f.engine = flow.New(f.options)
	key := []byte(strings.Repeat("k", 32))
	auth := hubauth.New(hubauth.Options{
		Hub: client, Sessions: store.NewSessions(backend, keys), CookieKeys: []hubauth.CookieKey{{Sign: key, Seal: key}},
		ClientID: "service-connect-github", ClientSecret: func() (secret.String, error) { return f.ownToken() },
		AuthorizeURL: "/hub/api/oauth2/authorize", TokenURL: api.JoinPath("oauth2", "token").String(),
		RedirectURL: prefix + "oauth_callback", AccessScopes: []string{access}, Prefix: prefix, Life: sessionLife,
		HTTP: toHub, Clock: time.Now,
	})
	pages, err := web.New(web.Options{Prefix: prefix, HubPrefix: "/hub/", GitHubHost: "github.com"})
	require.NoError(t, err)
	f.service = httptest.NewUnstartedServer(nil)
	f.base = "http://" + f.service.Listener.Addr().String() + prefix
	options := server.Options{
		Auth: auth, Flows: f.engine, GitHubURL: gitHubURL, Pages: pages, Hub: client, Prefix: prefix, Pull: true, Refresh: true,
		Bots:       newBots(t, f, store.NewBots(backend, keys), registry),
		AdminScope: adminScope, History: f.audit,
		Ready: backend.Ping, Registry: registry, Logger: logger, Clock: time.Now,
	}
	for _, change := range change {
		change(f, &options)
	}
	f.server = server.New(options)
	f.handler = f.server.Handler()
	f.service.Config.Handler = f.handler
	f.service.Start()
	t.Cleanup(f.service.Close)
	return f
}

// browser is a signed-in one.
type browser struct {
	*http.Client
	f    *fixture
	csrf string
}

var csrfMeta = regexp.MustCompile(`name="csrf-token" content="([^"]+)"`)

func (f *fixture) browser() *browser {
	jar, _ := cookiejar.New(nil)
	return &browser{f: f, Client: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}}
}

func (f *fixture) signIn(user string) *browser {
	b := f.browser()
	response := b.do(http.MethodGet, "", nil, nil)
	require.Equal(f.t, http.StatusFound, response.StatusCode)
	at, err := response.Location()
	require.NoError(f.t, err)
	response = b.do(http.MethodGet, "oauth_callback?code="+user+"&state="+at.Query().Get("state"), nil, nil)
	require.Equal(f.t, http.StatusFound, response.StatusCode)
	body := read(f.t, b.do(http.MethodGet, "", nil, nil))
	found := csrfMeta.FindStringSubmatch(body)
	require.Len(f.t, found, 2, body)
	b.csrf = found[1]
	return b
}

func (b *browser) do(method, path string, body io.Reader, headers map[string]string) *http.Response {
	b.f.t.Helper()
	request, err := http.NewRequest(method, b.f.base+path, body)
	require.NoError(b.f.t, err)
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	response, err := b.Do(request)
	require.NoError(b.f.t, err)
	b.f.t.Cleanup(func() { _ = response.Body.Close() })
	requireDescribed(b.f.t, method, path, response)
	return response
}

// write is what the page's own script sends.
func (b *browser) write(method, path string) *http.Response {
	return b.do(method, path, nil, map[string]string{"X-CSRF-Token": b.csrf, "Origin": b.origin()})
}

func (b *browser) origin() string { return strings.TrimSuffix(b.f.base, prefix) }

// program calls with a Hub token.
func (f *fixture) program(method, path, token, body string) *http.Response {
	b := &browser{Client: http.DefaultClient, f: f}
	return b.do(method, path, strings.NewReader(body), map[string]string{"Authorization": "token " + token})
}

func read(t testing.TB, response *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return string(body)
}

// connect brings ada to the end of a flow.
func (f *fixture) connect(b *browser) {
	require.Equal(f.t, http.StatusCreated, b.write(http.MethodPost, "api/flows").StatusCode)
	f.approved(func(user *flow.User) bool {
		return user.Connection != nil && !user.Connection.CheckedAt.IsZero() && user.Flow.State == flow.Connected
	})
}

// approved lets GitHub answer until ada's record is as it is to be.
func (f *fixture) approved(done func(*flow.User) bool) {
	f.t.Helper()
	f.github.approved = true
	require.Eventually(f.t, func() bool {
		f.engine.Advance(context.Background())
		user, err := f.users.Load(context.Background(), "ada")
		return err == nil && done(user)
	}, 30*time.Second, time.Millisecond)
}

func code(t *testing.T, response *http.Response) string {
	t.Helper()
	var body struct {
		Error struct{ Code, Message, Hint string }
	}
	require.NoError(t, json.NewDecoder(response.Body).Decode(&body))
	require.NotEmpty(t, body.Error.Message)
	require.NotEmpty(t, body.Error.Hint)
	return body.Error.Code
}

func TestFlowThroughTheAPI(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	ada := f.signIn("ada")
	created := ada.write(http.MethodPost, "api/flows")
	require.Equal(t, http.StatusCreated, created.StatusCode)
	first := read(t, created)
	require.Contains(t, first, `"user_code":"WDJB-MJHT"`)
	require.NotContains(t, first, deviceCode)

	again := ada.write(http.MethodPost, "api/flows")
	require.Equal(t, http.StatusOK, again.StatusCode, "a second tab gets the same flow")
	require.Equal(t, first, read(t, again))

	require.Equal(t, http.StatusOK, ada.write(http.MethodDelete, "api/flows/current").StatusCode)
	require.Contains(t, read(t, ada.do(http.MethodGet, "api/flows/current", nil, nil)), `"state":"cancelled"`)
	require.Equal(t, "no_flow", code(t, ada.write(http.MethodDelete, "api/flows/current")))
}

func TestCredentialWhereGitAsksAServerIsAllowedAndNothingDelivered(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	ada := f.signIn("ada")
	require.Equal(t, "not_connected", code(t, ada.write(http.MethodPost, "api/deliveries")))
	f.connect(ada)
	ask := func() *http.Response {
		return f.program(http.MethodPost, "api/credential", "joint-ada", `{"protocol":"https","host":"github.com"}`)
	}
	require.Equal(t, "server_not_chosen", code(t, ask()))
	response := ada.do(http.MethodPost, "api/deliveries", strings.NewReader(`{"servers":["joint"]}`),
		map[string]string{"X-CSRF-Token": ada.csrf, "Origin": ada.origin()})
	require.Equal(t, http.StatusAccepted, response.StatusCode)
	require.Contains(t, read(t, response), `"deliveries":[],"servers":["","joint"]`)
	require.Equal(t, http.StatusOK, ask().StatusCode)
}

func TestHubTokenIsNotKeptBeyondItsSession(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	f.signIn("ada").write(http.MethodPost, "api/flows")
	user, err := f.users.Load(t.Context(), "ada")
	require.NoError(t, err)
	require.False(t, user.HubToken.Empty())
	require.WithinRange(t, user.HubTokenExpires, time.Now(), time.Now().Add(sessionLife))
}

func TestFlowLoopIsStoppedAndToldWhenToContinue(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	ada, eve := f.signIn("ada"), f.signIn("eve")
	response := ada.write(http.MethodPost, "api/flows")
	for n := 0; n < 50 && response.StatusCode == http.StatusCreated; n++ {
		require.Equal(t, http.StatusOK, ada.write(http.MethodDelete, "api/flows/current").StatusCode)
		response = ada.write(http.MethodPost, "api/flows")
	}
	require.Equal(t, http.StatusTooManyRequests, response.StatusCode)
	wait, err := strconv.Atoi(response.Header.Get("Retry-After"))
	require.NoError(t, err)
	require.True(t, 0 < wait && wait <= 60, "Retry-After: %d", wait)
	require.Equal(t, "too_many_codes", code(t, response))
	require.Equal(t, 10, f.github.codes)
	form := ada.postForm("connect", url.Values{})
	require.Equal(t, http.StatusTooManyRequests, form.StatusCode)
	require.Contains(t, read(t, form), "Wait a minute")
	require.Equal(t, 10, f.github.codes, "GitHub is not asked")
	require.Equal(t, http.StatusCreated, eve.write(http.MethodPost, "api/flows").StatusCode, "nobody else has to wait")
}

func TestWritesAreRefused(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	ada := f.signIn("ada")
	for name, test := range map[string]struct {
		headers map[string]string
		want    string
	}{
		"without the CSRF header":          {map[string]string{"Origin": ada.origin()}, "csrf"},
		"with another CSRF token":          {map[string]string{"Origin": ada.origin(), "X-CSRF-Token": "x"}, "csrf"},
		"without an Origin":                {map[string]string{"X-CSRF-Token": ada.csrf}, "origin"},
		"from another page":                {map[string]string{"X-CSRF-Token": ada.csrf, "Origin": "https://evil.example"}, "origin"},
		"from a page without an origin":    {map[string]string{"X-CSRF-Token": ada.csrf, "Origin": "null"}, "origin"},
		"from a sibling, says the browser": {map[string]string{"X-CSRF-Token": ada.csrf, "Origin": ada.origin(), "Sec-Fetch-Site": "same-site"}, "origin"},
		"with a forged host in a header":   {map[string]string{"X-CSRF-Token": ada.csrf, "Origin": "https://evil.example", "X-Forwarded-Host": "evil.example"}, "origin"},
	} {
		for _, route := range []struct{ method, path string }{
			{http.MethodPost, "api/flows"}, {http.MethodDelete, "api/flows/current"}, {http.MethodDelete, "api/connection"},
			{http.MethodPost, "api/deliveries"}, {http.MethodPost, "api/credential"},
		} {
			response := ada.do(route.method, route.path, nil, test.headers)
			require.Equal(t, http.StatusForbidden, response.StatusCode, name+": "+route.path)
			require.Equal(t, test.want, code(t, response), name+": "+route.path)
		}
	}
	require.Equal(t, http.StatusNotFound, ada.do(http.MethodGet, "api/flows/current", nil, nil).StatusCode, "nothing was begun")
}

// The Hub's yes counts for reads until a minute later; what changes something
// asks, and its no ends the reading, too.
func TestWritesWithATokenThatTheHubHasTakenBackChangeNothing(t *testing.T) {
	t.Parallel()
	for _, write := range []struct{ method, path string }{
		{http.MethodPost, "api/flows"}, {http.MethodDelete, "api/flows/current"}, {http.MethodDelete, "api/connection"},
		{http.MethodPost, "api/deliveries"}, {http.MethodPost, "api/bot-tokens"}, {http.MethodDelete, "api/bot-tokens/x"},
	} {
		t.Run(write.method+" "+write.path, func(t *testing.T) {
			t.Parallel()
			f := setUp(t)
			f.connect(f.signIn("ada"))
			credential := func() int {
				return f.program(http.MethodPost, "api/credential", "server-ada", `{"protocol":"https","host":"github.com"}`).StatusCode
			}
			require.Equal(t, http.StatusOK, credential())
			delete(f.hubUser, "server-ada")
			require.Equal(t, http.StatusOK, credential())
			require.Equal(t, http.StatusOK, f.program(http.MethodGet, "api/connection", "server-ada", "").StatusCode)
			require.Equal(t, "bad_token", code(t, f.program(write.method, write.path, "server-ada", "")))
			require.Equal(t, http.StatusUnauthorized, credential())
		})
	}
}

func TestCredentialIsNeverGivenToABrowser(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	ada := f.signIn("ada")
	f.connect(ada)
	for _, path := range []string{"", "fragment", "api/connection", "api/flows/current"} {
		body := read(t, ada.do(http.MethodGet, path, nil, nil))
		require.NotContains(t, body, token, path)
		require.NotContains(t, body, deviceCode, path)
		require.NotContains(t, body, "hub-ada", path)
		require.NotContains(t, body, "<b>one", path)
	}
	response := ada.write(http.MethodPost, "api/credential")
	require.Equal(t, http.StatusForbidden, response.StatusCode)
	require.Equal(t, "token_only", code(t, response))
}

func TestCredentialIsGivenToTheGitHelper(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	f.connect(f.signIn("ada"))
	ask := `{"protocol":"https","host":"github.com","path":""}`
	for name, test := range map[string]struct {
		token, body string
		status      int
		code        string
	}{
		"a server's token":             {"server-ada", ask, http.StatusOK, ""},
		"another host":                 {"server-ada", `{"protocol":"https","host":"evil.example"}`, http.StatusNotFound, "other_host"},
		"http":                         {"server-ada", `{"protocol":"http","host":"github.com"}`, http.StatusNotFound, "other_host"},
		"no JSON":                      {"server-ada", `{`, http.StatusBadRequest, "bad_request"},
		"an unknown field":             {"server-ada", `{"x":1}`, http.StatusBadRequest, "bad_request"},
		"a token without the scope":    {"no-access", ask, http.StatusForbidden, "no_access"},
		"a token that the Hub disowns": {"made-up", ask, http.StatusUnauthorized, "bad_token"},
		"a service's token":            {"service-bot", ask, http.StatusForbidden, "users_only"},
	} {
		t.Run(name, func(t *testing.T) {
			response := f.program(http.MethodPost, "api/credential", test.token, test.body)
			require.Equal(t, test.status, response.StatusCode)
			require.Equal(t, "no-store", response.Header.Get("Cache-Control"))
			if test.code != "" {
				require.Equal(t, test.code, code(t, response))
				return
			}
			var credential struct {
				Username, Password string
				Expiry             int64 `json:"password_expiry_utc"`
			}
			require.NoError(t, json.NewDecoder(response.Body).Decode(&credential))
			require.Equal(t, "x-access-token", credential.Username)
			require.Equal(t, token, credential.Password)
			require.Greater(t, credential.Expiry, time.Now().Add(7*time.Hour).Unix())
		})
	}
}

func TestDeliveriesRefuseAServersToken(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	f.connect(f.signIn("ada"))
	require.Equal(t, http.StatusForbidden, f.program(http.MethodPost, "api/deliveries", "server-ada", `{}`).StatusCode)
}

func TestPageTellsAProgramToLogInAndSendsABrowserToTheHub(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	plain := &browser{Client: &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, f: f}
	require.Equal(t, http.StatusFound, plain.do(http.MethodGet, "", nil, nil).StatusCode)
	require.Equal(t, http.StatusUnauthorized, plain.do(http.MethodGet, "api/connection", nil, nil).StatusCode)
	require.Equal(t, http.StatusUnauthorized, plain.do(http.MethodGet, "fragment", nil, nil).StatusCode)
	require.Equal(t, http.StatusUnauthorized, plain.do(http.MethodGet, "", nil,
		map[string]string{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}).StatusCode, "a script is not sent on")
}

func TestPageCarriesTheCSRFTokenInADocumentOnly(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	ada := f.signIn("ada")
	for name, headers := range map[string]map[string]string{
		"fetched by a script": {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
		"in a frame":          {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
	} {
		require.NotContains(t, read(t, ada.do(http.MethodGet, "", nil, headers)), ada.csrf, name)
	}
	require.NotContains(t, read(t, ada.do(http.MethodGet, "fragment", nil, nil)), ada.csrf)
	require.Contains(t, read(t, ada.do(http.MethodGet, "", nil,
		map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"})), ada.csrf)
}

func TestPageStaysBelow500WhenTheHubIsDown(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	ada := f.signIn("ada")
	f.hubDown = true
	response := ada.do(http.MethodGet, "", nil, nil)
	require.Less(t, response.StatusCode, 500)
	response = ada.write(http.MethodPost, "api/flows")
	require.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
	require.Equal(t, "7", response.Header.Get("Retry-After"))
	require.Equal(t, "hub_unavailable", code(t, response))

	f.hubDown = false
	require.Equal(t, http.StatusCreated, ada.write(http.MethodPost, "api/flows").StatusCode, "the session survived")
}

func TestCallbackCostsOneReloadWhenTheHubIsAwayInMidLogin(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusInternalServerError, http.StatusServiceUnavailable, http.StatusTooManyRequests} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			f := setUp(t)
			f.hubSays = status
			ada := f.browser()
			toHub, err := ada.do(http.MethodGet, "", nil, nil).Location()
			require.NoError(t, err)
			back := "oauth_callback?code=ada&state=" + toHub.Query().Get("state")

			f.hubDown = true
			response := ada.do(http.MethodGet, back, nil, nil)
			require.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
			require.NotEmpty(t, response.Header.Get("Retry-After"))
			require.Contains(t, read(t, response), "The Hub does not answer at the moment.")

			f.hubDown = false
			response = ada.do(http.MethodGet, back, nil, nil) // which the page does by itself
			require.Equal(t, http.StatusFound, response.StatusCode)
			require.Equal(t, prefix, response.Header.Get("Location"))
			require.Equal(t, http.StatusOK, ada.do(http.MethodGet, "", nil, nil).StatusCode)

			again := ada.do(http.MethodGet, back, nil, nil)
			require.Equal(t, http.StatusForbidden, again.StatusCode, "but once only, and nothing goes round in circles")
		})
	}
}

func TestFormsWorkWithoutTheScript(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	ada := f.signIn("ada")
	post := func(path, csrf string) *http.Response {
		return ada.do(http.MethodPost, path, strings.NewReader(url.Values{"csrf": {csrf}}.Encode()),
			map[string]string{"Content-Type": "application/x-www-form-urlencoded", "Origin": ada.origin()})
	}
	require.Equal(t, http.StatusForbidden, post("connect", "x").StatusCode)
	response := post("connect", ada.csrf)
	require.Equal(t, http.StatusSeeOther, response.StatusCode)
	require.Equal(t, prefix, response.Header.Get("Location"))
	require.Contains(t, read(t, ada.do(http.MethodGet, "", nil, nil)), `data-state="pending"`)
	require.Equal(t, http.StatusSeeOther, post("cancel", ada.csrf).StatusCode)
	require.Equal(t, http.StatusSeeOther, post("cancel", ada.csrf).StatusCode, "a double click is no error")
	require.Equal(t, http.StatusSeeOther, post("disconnect", ada.csrf).StatusCode)
}

func TestPageTellsWhoHasAskedForTheAppThatAnOwnerHasToAgree(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	ada := f.signIn("ada")
	const note = `id="request-sent"`
	require.Contains(t, read(t, ada.do(http.MethodGet, "?setup_action=request", nil, nil)), note)
	for _, address := range []string{"", "?setup_action=install&installation_id=7", "fragment?setup_action=request"} {
		require.NotContains(t, read(t, ada.do(http.MethodGet, address, nil, nil)), note, address)
	}

	eve := f.browser() // whose session is over
	toHub, err := eve.do(http.MethodGet, "?setup_action=request", nil, nil).Location()
	require.NoError(t, err)
	back := eve.do(http.MethodGet, "oauth_callback?code=eve&state="+toHub.Query().Get("state"), nil, nil)
	require.Equal(t, prefix+"?setup_action=request", back.Header.Get("Location"), "it is said after the sign-in too")
}

func TestPageAndAPINameTheAccountsThatAreMissing(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	ada := f.signIn("ada")
	f.connect(ada)
	user, err := f.users.Load(t.Context(), "ada")
	require.NoError(t, err)
	user.Connection.Access = github.Access{
		State:        github.AccessReady,
		Repositories: []github.Repository{{FullName: "octocat/one", Push: true}, {FullName: "octocat/old", Archived: true}},
		Missing: []github.Missing{
			{Account: "octo-org", State: github.AccessSingleSignOn, Fix: "https://github.com/orgs/octo-org/sso"},
			{State: github.AccessSingleSignOn, Fix: "https://github.com/settings/organizations"},
			{Account: "acme", State: github.AccessRequested, Fix: "https://github.com/organizations/acme/settings/installations"},
			{Account: "inc", State: github.AccessRefused, Fix: "https://github.com/orgs/inc/people"},
			{Account: "lab", State: github.AccessSuspended, Fix: "https://github.com/settings/installations/7"},
		},
	}
	require.NoError(t, f.users.Save(t.Context(), user))

	page := read(t, ada.do(http.MethodGet, "", nil, nil))
	for _, missing := range user.Connection.Access.Missing {
		require.Contains(t, page, `href="`+missing.Fix+`"`)
	}
	for _, says := range []string{"octo-org</bdi> wants a single sign-on", "GitHub does not name here", "acme</bdi>: you have asked", "inc</bdi> does not let", "lab</bdi>: the app is suspended", "Archived, so nobody can push: 1"} {
		require.Contains(t, page, says)
	}
	answer := read(t, ada.do(http.MethodGet, "api/connection", nil, nil))
	require.Contains(t, answer, `{"account":"octo-org","access":"single_sign_on","fix_url":"https://github.com/orgs/octo-org/sso"},{"access":"single_sign_on","fix_url":`)
	require.Contains(t, answer, `{"full_name":"octocat/old","push":false,"archived":true}`)
}

func TestPagePromisesNoProlongingOnceItFailed(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	ada := f.signIn("ada")
	const promise = "access is prolonged"
	f.connect(ada)
	require.Contains(t, read(t, ada.do(http.MethodGet, "", nil, nil)), promise)
	user, err := f.users.Load(t.Context(), "ada")
	require.NoError(t, err)
	user.Connection.RefreshError = &apierror.Error{Code: "refresh_failed"}
	require.NoError(t, f.users.Save(t.Context(), user))
	page := read(t, ada.do(http.MethodGet, "", nil, nil))
	require.Contains(t, page, `data-state="connected"`)
	require.NotContains(t, page, promise)
}

func TestEventsTellOfEachChange(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	ada := f.signIn("ada")
	response := ada.do(http.MethodGet, "api/flows/current/events", nil, nil)
	require.Equal(t, "text/event-stream", response.Header.Get("Content-Type"))
	next := func() string {
		var event strings.Builder
		for one := make([]byte, 1); !strings.HasSuffix(event.String(), "\n\n"); {
			_, err := response.Body.Read(one)
			require.NoError(t, err)
			event.Write(one)
		}
		return event.String()
	}
	changes := func(from, to string) { // other changes of the record tell the same once more
		event := next()
		for strings.Contains(event, from) {
			event = next()
		}
		require.Contains(t, event, to)
	}
	require.Contains(t, next(), "data: {}")
	ada.write(http.MethodPost, "api/flows")
	changes("data: {}", `"state":"pending"`)
	ada.write(http.MethodDelete, "api/flows/current")
	changes(`"state":"pending"`, `"state":"cancelled"`)
}

func TestEventsEndSoonAfterTheHubHasTakenAProgramsTokenBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := setUp(t)
		f.service.Close()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, prefix+"api/flows/current/events", nil)
		r.Header.Set("Authorization", "token server-ada")
		conn, answer := newConn()
		f.handler.ServeHTTP(answer, r)
		told, ended := make(chan string, 1), make(chan struct{})
		go func() {
			text, _ := io.ReadAll(conn)
			told <- string(text)
			close(ended)
		}()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		select {
		case <-ended:
			require.Fail(t, "the Hub still knows the token")
		default:
		}
		f.takeBack("server-ada")
		since := time.Now()
		select {
		case <-ended:
		case <-time.After(time.Hour):
		}
		require.LessOrEqual(t, time.Since(since), 75*time.Second, "the minute, and a beat")
		require.Contains(t, <-told, "data: {}")
	})
}

func TestHeadersOfSecurityAreOnEveryAnswer(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	ada := f.signIn("ada")
	for _, path := range []string{"", "fragment", "api/connection", "nowhere", "healthz", "metrics"} {
		h := ada.do(http.MethodGet, path, nil, nil).Header
		require.Contains(t, h.Get("Content-Security-Policy"), "default-src 'none'", path)
		require.NotContains(t, h.Get("Content-Security-Policy"), "unsafe", path)
		require.Equal(t, "noopener-allow-popups", h.Get("Cross-Origin-Opener-Policy"), path)
		require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"), path)
	}
}

func TestMetricsAreForHoldersOfTheScope(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	ada := f.signIn("ada")
	require.Equal(t, http.StatusUnauthorized, ada.do(http.MethodGet, "metrics", nil, nil).StatusCode)
	response := f.program(http.MethodGet, "metrics", "nobodys", "")
	require.Equal(t, http.StatusUnauthorized, response.StatusCode)
	require.Contains(t, read(t, response), "does not know this token")
	response = f.program(http.MethodGet, "metrics", "server-ada", "")
	require.Equal(t, http.StatusForbidden, response.StatusCode)
	require.Contains(t, read(t, response), "read:metrics")
	response = f.program(http.MethodGet, "metrics", "prometheus", "")
	require.Equal(t, http.StatusOK, response.StatusCode)
	body := read(t, response)
	require.Contains(t, body, `ghscoped_http_request_duration_seconds_count{code="200",method="GET",route="/"}`)
	require.NotContains(t, body, "ada")
}

func TestHeadersOfARefusalAreThoseThatHTTPWants(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	response := f.program(http.MethodPost, "api/connection", "server-ada", "")
	require.Equal(t, http.StatusMethodNotAllowed, response.StatusCode)
	require.Equal(t, "GET, DELETE", response.Header.Get("Allow"))
	response = f.program(http.MethodGet, "api/connection", "nobodys", "")
	require.Equal(t, http.StatusUnauthorized, response.StatusCode)
	require.Equal(t, "Bearer", response.Header.Get("WWW-Authenticate"))
}

func TestHeadIsAnsweredWhereGETIs(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	ada := f.signIn("ada")
	for _, path := range []string{"", "healthz", "api/flows/current", "nowhere"} {
		get, head := ada.do(http.MethodGet, path, nil, nil), ada.do(http.MethodHead, path, nil, nil)
		require.Equal(t, get.StatusCode, head.StatusCode, path)
		require.NotEmpty(t, read(t, get), path)
		require.Empty(t, read(t, head), path)
	}
}

func TestMetricsCountNoAnswerToACallerWhoLeft(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	request := httptest.NewRequestWithContext(ctx, http.MethodGet, prefix+"api/connection", nil)
	request.Header.Set("Authorization", "token server-ada")
	answer := httptest.NewRecorder()
	f.handler.ServeHTTP(answer, request)
	require.Equal(t, 499, answer.Code)
}

func TestBodyThatIsHugeIsRefused(t *testing.T) {
	t.Parallel()
	const huge = 65 << 10 // 64 are taken
	f := setUp(t)
	response := f.program(http.MethodPost, "api/credential", "server-ada", `{"host":"`+strings.Repeat("x", huge)+`"}`)
	require.Equal(t, http.StatusRequestEntityTooLarge, response.StatusCode)
	require.Equal(t, "too_large", code(t, response))

	ada := f.signIn("ada")
	response = ada.do(http.MethodPost, "connect", strings.NewReader("csrf="+ada.csrf+"&x="+strings.Repeat("x", huge)),
		map[string]string{"Content-Type": "application/x-www-form-urlencoded", "Origin": ada.origin()})
	require.Equal(t, http.StatusRequestEntityTooLarge, response.StatusCode, "a form, too")
	require.Zero(t, f.github.codes)
}

func TestCallbackThatTheHubRefusesNamesWhatAnAdminMustDo(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct {
		status int
		says   string
	}{
		"access_denied":  {http.StatusForbidden, "The Hub ended the sign-in."},
		"invalid_scope":  {http.StatusBadGateway, "GHSCOPED_HUB_ALLOWED_SCOPES"},
		"invalid_client": {http.StatusBadGateway, "api_token"},
		"server_error":   {http.StatusBadGateway, "The Hub refused the sign-in."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setUp(t)
			b := f.browser()
			at, err := b.do(http.MethodGet, "", nil, nil).Location()
			require.NoError(t, err)
			response := b.do(http.MethodGet, "oauth_callback?error="+name+"&state="+at.Query().Get("state"), nil, nil)
			require.Equal(t, want.status, response.StatusCode)
			require.Contains(t, read(t, response), want.says)
		})
	}
}
