package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/audit"
	"github.com/ghscoped/ghscoped-service/internal/bot"
	"github.com/ghscoped/ghscoped-service/internal/flow"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/secret"
	"github.com/ghscoped/ghscoped-service/internal/server"
)

var errAway = &apierror.Error{Code: "store_unavailable", Message: "m", Hint: "h", Retryable: true}

// awayStore is a store of users that cannot be reached.
type awayStore struct{ flow.Store }

func (awayStore) Load(context.Context, string) (*flow.User, error) { return nil, errAway }

func (awayStore) List(context.Context, string, int) ([]*flow.User, string, error) {
	return nil, "", errAway
}

// awayBots is a store of bots' tokens that cannot be reached.
type awayBots struct{ bot.Store }

func (awayBots) List(context.Context, string) ([]bot.Live, error) { return nil, errAway }

// awayHistory is a history that cannot be reached.
type awayHistory struct{}

func (awayHistory) Recent(context.Context, int) ([]audit.Event, error) { return nil, errAway }
func (awayHistory) Each(context.Context, func(audit.Event)) error      { return errAway }

// logged is what was written into a log, a line each.
type logged struct {
	mu    sync.Mutex
	lines bytes.Buffer
}

func (l *logged) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.Write(line)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.String()
}

// into has the service write its log there.
func (l *logged) into(_ *fixture, options *server.Options) {
	options.Logger = slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// A store that is away is said to be, by every route that needs it.
func TestServerSaysThatTheStoreIsAway(t *testing.T) {
	t.Parallel()
	var log logged
	f := withBots(t, log.into)
	ada, grace := f.signIn("ada"), f.signIn("grace")
	f.change(func(o *flow.Options) { o.Store = awayStore{f.users} })
	for _, test := range []struct {
		route, body string
		by          *browser // nil: ada's server
	}{
		{"GET fragment", "", ada}, {"GET api/flows/current", "", ada}, {"POST api/flows", "", ada}, {"DELETE api/flows/current", "", ada},
		{"GET api/flows/current/events", "", ada}, {"GET api/connection", "", ada}, {"DELETE api/connection", "", ada},
		{"POST api/deliveries", "", ada}, {"GET api/connection", "", nil}, {"GET api/flows/current/events", "", nil},
		{"POST api/credential", `{"protocol":"https","host":"github.com"}`, nil}, {"DELETE api/credential/x", "", nil},
		{"POST connect", "server=", ada}, {"POST cancel", "", ada}, {"POST disconnect", "", ada}, {"POST deliver", "server=", ada},
		{"POST start", "server=", ada}, {"POST confirm", "confirmation=x", ada},
		{"GET admin", "", grace}, {"POST admin/disconnect", "user=ada", grace}, {"POST admin/disconnect-all", "", grace},
		{"POST admin/forget-account", "user=ada", grace},
	} {
		method, path, _ := strings.Cut(test.route, " ")
		headers, b := map[string]string{"Authorization": "token server-ada"}, f.browser()
		if test.by != nil {
			b, headers = test.by, ownPage(test.by)
			if method == http.MethodPost && !strings.HasPrefix(path, "api/") {
				test.body += "&csrf=" + url.QueryEscape(b.csrf)
				headers["Content-Type"] = "application/x-www-form-urlencoded"
			}
		}
		response := b.do(method, path, strings.NewReader(test.body), headers)
		require.Equal(t, http.StatusServiceUnavailable, response.StatusCode, test.route)
		require.Equal(t, "5", response.Header.Get("Retry-After"), test.route)
		require.Contains(t, read(t, response), "store_unavailable", test.route)
	}

	page := ada.do(http.MethodGet, "", nil, nil)
	require.Equal(t, http.StatusOK, page.StatusCode, "the Hub waits for that at its start")
	require.Equal(t, "5", page.Header.Get("Retry-After"))
	require.Contains(t, read(t, page), `data-state="unavailable"`)
	require.Contains(t, log.String(), "the page is unavailable")
	require.Contains(t, log.String(), "what waited for the user was not taken up")
	require.Contains(t, log.String(), `"msg":"request failed"`)

	response := f.program(http.MethodDelete, "api/users/ada", own, "")
	require.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
}

func TestServerSaysThatTheStoreOfBotsIsAway(t *testing.T) {
	t.Parallel()
	f := withBots(t, func(f *fixture, options *server.Options) {
		options.Bots = newBots(t, f, awayBots{}, prometheus.NewRegistry())
	})
	grace := f.signIn("grace")
	for name, response := range map[string]*http.Response{
		"list":          f.program(http.MethodGet, "api/bot-tokens", "nbbot", ""),
		"revoke":        f.program(http.MethodDelete, "api/bot-tokens/x", "nbbot", ""),
		"admin's page":  grace.do(http.MethodGet, "admin", nil, nil),
		"revoke all":    grace.postForm("admin/revoke-bots", url.Values{"all": {"yes"}}),
		"revoke one":    grace.postForm("admin/revoke-bots", url.Values{"caller": {"service:nbbot"}, "id": {"x"}}),
		"ending a user": f.program(http.MethodDelete, "api/users/ada", own, ""),
	} {
		require.Equal(t, http.StatusServiceUnavailable, response.StatusCode, name)
		require.Contains(t, read(t, response), "unavailable", name)
	}
}

func TestAdminPageWithoutItsHistory(t *testing.T) {
	t.Parallel()
	f := withBots(t, func(_ *fixture, options *server.Options) { options.History = awayHistory{} })
	grace := f.signIn("grace")
	for _, path := range []string{"admin", "bots"} {
		response := grace.do(http.MethodGet, path, nil, nil)
		require.Equal(t, http.StatusServiceUnavailable, response.StatusCode, path)
	}
}

// Where there are no bots, nothing of theirs is looked for.
func TestServerWithoutBots(t *testing.T) {
	t.Parallel()
	f := withBots(t, func(_ *fixture, options *server.Options) { options.Bots = nil })
	grace := f.signIn("grace")
	require.Equal(t, http.StatusOK, grace.do(http.MethodGet, "admin", nil, nil).StatusCode)
	require.Equal(t, http.StatusNotFound, grace.postForm("admin/revoke-bots", url.Values{"all": {"yes"}}).StatusCode)
	f.connect(f.signIn("ada"))
	require.Equal(t, http.StatusNoContent, f.program(http.MethodDelete, "api/users/ada", own, "").StatusCode)
}

func TestUserEndNeedsTheServicesToken(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	f.ownToken = func() (secret.String, error) { return secret.String{}, errors.New("no such file") }
	r := httptest.NewRequest(http.MethodDelete, prefix+"api/users/ada", nil)
	r.Header.Set("Authorization", "token "+own)
	answer := httptest.NewRecorder()
	f.handler.ServeHTTP(answer, r)
	require.Equal(t, http.StatusInternalServerError, answer.Code)
	require.Equal(t, "internal", code(t, answer.Result()))
}

func TestUserEndRevokesTheirBotTokens(t *testing.T) {
	t.Parallel()
	f := withBots(t)
	issued := f.program(http.MethodPost, "api/bot-tokens", "server-tess", `{"repositories":["octo-org/course"],"permissions":{"issues":"write"}}`)
	require.Equal(t, http.StatusOK, issued.StatusCode)
	require.NoError(t, f.users.Save(t.Context(), &flow.User{Name: "tess", Created: created, BoundAccount: 1}))
	require.Equal(t, http.StatusNoContent, f.program(http.MethodDelete, "api/users/tess", own, "").StatusCode)
	require.Equal(t, []string{"ghs_marker1"}, f.bots.revoked)
}

func TestBotsCallerMustHaveANameAndBeAServiceOrAUser(t *testing.T) {
	t.Parallel()
	f := withBots(t)
	f.hubUser["nameless"] = hub.User{Kind: "service", Scopes: []string{access}}
	f.hubUser["robot"] = hub.User{Kind: "robot", Name: "nbbot", Scopes: []string{access}}
	for _, token := range []string{"nameless", "robot"} {
		require.Equal(t, "no_caller", code(t, f.program(http.MethodPost, "api/bot-tokens", token, pushShared)), token)
	}
	require.Zero(t, f.bots.minted)
}

func TestBotsRequestMayBeSoLarge(t *testing.T) {
	t.Parallel()
	f := withBots(t)
	padding := func(bytes int) string { return pushShared + strings.Repeat(" ", bytes-len(pushShared)) }
	large := strings.Replace(pushShared, "octo-org/shared", strings.Repeat("x", 256<<10), 1)
	require.Equal(t, "too_large", code(t, f.program(http.MethodPost, "api/bot-tokens", "nbbot", large)))
	require.Equal(t, http.StatusOK, f.program(http.MethodPost, "api/bot-tokens", "nbbot", padding(255<<10)).StatusCode)
}

func TestMetricsWithoutATokenOrAHub(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	f.hubDown = true
	require.Equal(t, http.StatusUnauthorized, f.browser().do(http.MethodGet, "metrics", nil, nil).StatusCode, "the Hub need not be asked")
	response := f.program(http.MethodGet, "metrics", "prometheus", "")
	require.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
	require.Equal(t, "7", response.Header.Get("Retry-After"))
}

func TestOpsServesHealthAndMetrics(t *testing.T) {
	t.Parallel()
	f := setUp(t, func(_ *fixture, options *server.Options) { options.HideOps = true })
	for _, path := range []string{"metrics", "healthz", "readyz"} {
		require.Equal(t, http.StatusNotFound, f.program(http.MethodGet, path, "prometheus", "").StatusCode, path)
		answer := httptest.NewRecorder()
		f.server.Ops().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/"+path, nil))
		require.Equal(t, http.StatusOK, answer.Code, path)
		require.NotEmpty(t, answer.Body.String(), path)
	}
}

func TestOpsOutlivesAPanic(t *testing.T) {
	t.Parallel()
	f := setUp(t, func(_ *fixture, options *server.Options) {
		options.Ready = func(context.Context) error { panic("a mistake") }
	})
	answer := httptest.NewRecorder()
	f.server.Ops().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/readyz", nil))
	require.Equal(t, http.StatusInternalServerError, answer.Code)
}

func TestReadyzWaitsTwoSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ask := get(t, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, time.Now)
		began := time.Now()
		require.Equal(t, http.StatusServiceUnavailable, ask("readyz").Code)
		require.Equal(t, 2*time.Second, time.Since(began))
	})
}

func TestReadyzLogsTheCause(t *testing.T) {
	t.Parallel()
	var log logged
	f := setUp(t, log.into, func(_ *fixture, options *server.Options) {
		options.Ready = func(context.Context) error { return errors.New("the store is away") }
	})
	f.browser().do(http.MethodGet, "readyz", nil, nil)
	require.Contains(t, log.String(), "the store is away")
}

// requests are the lines of the log about requests.
func (l *logged) requests(t *testing.T) (all []map[string]any) {
	t.Helper()
	for line := range strings.Lines(l.String()) {
		var entry map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &entry))
		if entry["msg"] == "request" {
			all = append(all, entry)
		}
	}
	return all
}

func TestRequestIsLogged(t *testing.T) {
	t.Parallel()
	var log logged
	f := setUp(t, log.into)
	ask := func(method, path string) {
		r := httptest.NewRequest(method, prefix, nil)
		r.URL.Path = prefix + path
		r.Header.Set("X-Request-Id", "forged")
		f.handler.ServeHTTP(httptest.NewRecorder(), r)
	}
	ask(http.MethodGet, "healthz")
	ask("BREW", "healthz")
	ask(http.MethodGet, strings.Repeat("é", 1000))
	all := log.requests(t)
	require.Len(t, all, 3)
	require.NotContains(t, log.String(), "request failed", "a caller's mistake is none of the service")
	require.Equal(t, []any{"GET", prefix + "healthz", 200.0}, []any{all[0]["method"], all[0]["path"], all[0]["status"]})
	require.Equal(t, []any{"other", prefix + "healthz", 405.0}, []any{all[1]["method"], all[1]["path"], all[1]["status"]})
	require.Equal(t, 404.0, all[2]["status"])
	path := all[2]["path"].(string)
	require.LessOrEqual(t, len(path), 256+len("…"))
	require.True(t, strings.HasSuffix(path, "é…"), path)
	ids := map[any]bool{}
	for _, one := range all {
		require.NotContains(t, one["request_id"], "forged")
		ids[one["request_id"]] = true
	}
	require.Len(t, ids, 3)

	metrics := read(t, f.program(http.MethodGet, "metrics", "prometheus", ""))
	for _, labels := range []string{
		`{code="200",method="GET",route="/healthz"}`, `{code="405",method="other",route="other"}`, `{code="404",method="GET",route="other"}`,
	} {
		require.Contains(t, metrics, "ghscoped_http_request_duration_seconds_count"+labels)
	}
}

func TestRequestOfACallerWhoLeftIsLogged(t *testing.T) {
	t.Parallel()
	var log logged
	f := setUp(t, log.into)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, prefix+"api/connection", nil)
	r.Header.Set("Authorization", "token server-ada")
	f.handler.ServeHTTP(httptest.NewRecorder(), r)
	require.Contains(t, log.String(), "the caller left")
	require.NotContains(t, log.String(), "request failed")
}

// The end of the service has an answer: without one the caller would read 200.
func TestRequestThatTheEndOfTheServiceCuts(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("the service ends"))
	f.change(func(o *flow.Options) { o.Store = cutStore{f.users} })
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, prefix+"api/connection", nil)
	r.Header.Set("Authorization", "token server-ada")
	answer := httptest.NewRecorder()
	f.handler.ServeHTTP(answer, r)
	require.Equal(t, http.StatusServiceUnavailable, answer.Code)
	require.Equal(t, "stopping", code(t, answer.Result()))
}

// cutStore is a store whose calls end with their context.
type cutStore struct{ flow.Store }

func (cutStore) Load(ctx context.Context, _ string) (*flow.User, error) { return nil, ctx.Err() }

func TestPanicIsLoggedUnlessTheConnectionIsToBeAborted(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]any{"a mistake": "a mistake", "an abort": http.ErrAbortHandler} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log logged
			f := setUp(t, log.into, func(_ *fixture, options *server.Options) {
				options.Ready = func(context.Context) error { panic(fault) }
			})
			answer := httptest.NewRecorder()
			f.handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, prefix+"readyz", nil))
			if fault == http.ErrAbortHandler {
				require.NotContains(t, log.String(), "panicked")
				require.Empty(t, answer.Body.String())
				return
			}
			require.Contains(t, log.String(), "panicked")
			require.Equal(t, http.StatusInternalServerError, answer.Code)
		})
	}
}

func TestPolicyAllowsNoMoreThanIsNeeded(t *testing.T) {
	t.Parallel()
	policy := func(change ...func(*fixture, *server.Options)) string {
		return setUp(t, change...).browser().do(http.MethodGet, "healthz", nil, nil).Header.Get("Content-Security-Policy")
	}
	plain := policy()
	require.Contains(t, plain, "img-src 'self';")
	require.Contains(t, plain, "form-action 'self';")
	hubOrigin, _ := url.Parse("https://hub.example")
	more := policy(func(_ *fixture, options *server.Options) { options.HubOrigin = hubOrigin })
	require.Contains(t, more, "img-src 'self';")
	require.Contains(t, more, "form-action 'self' https://hub.example;")
}

func TestFragmentIsTheInsideOfThePage(t *testing.T) {
	t.Parallel()
	body := read(t, setUp(t).signIn("ada").do(http.MethodGet, "fragment", nil, nil))
	require.Contains(t, body, `data-state="none"`)
	require.NotContains(t, body, "<html")
}

func TestPageIsNotKeptByCaches(t *testing.T) {
	t.Parallel()
	h := setUp(t).signIn("ada").do(http.MethodGet, "", nil, nil).Header
	require.Equal(t, "text/html; charset=utf-8", h.Get("Content-Type"))
	require.Equal(t, "no-store", h.Get("Cache-Control"))
	require.Equal(t, "Accept-Language, Cookie, Sec-Fetch-Mode, Sec-Fetch-Dest", h.Get("Vary"))
}

func TestAdminPageIsForHoldersOfTheScope(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		scope string
		want  int
	}{
		"their scope":   {"admin:servers", http.StatusOK},
		"another scope": {"admin:users", http.StatusNotFound},
		"nobody":        {"", http.StatusNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setUp(t, func(_ *fixture, options *server.Options) { options.AdminScope = test.scope })
			f.hubUser["hub-root"] = hub.User{Kind: "user", Name: "root", Created: created, Scopes: []string{access, "admin:servers", ""}}
			require.Equal(t, test.want, f.signIn("root").do(http.MethodGet, "admin", nil, nil).StatusCode)
		})
	}
}

func TestAdminDisconnectsEveryPageOfUsers(t *testing.T) {
	t.Parallel()
	f := withBots(t)
	expires := time.Now().Add(time.Hour)
	for i := range 203 {
		require.NoError(t, f.users.Save(t.Context(), &flow.User{Name: fmt.Sprintf("user%03d", i), Created: created, Connection: &flow.Connection{
			Account: github.Account{Login: "octocat"}, Token: github.Token{Access: secret.Store(secret.New(token)), ExpiresAt: expires},
		}}))
	}
	require.NoError(t, f.users.Save(t.Context(), &flow.User{Name: "without", Created: created, BoundAccount: 1}))
	grace := f.signIn("grace")
	page := read(t, grace.do(http.MethodGet, "admin", nil, nil))
	require.Contains(t, page, "user000")
	require.Contains(t, page, "user202")
	require.Equal(t, http.StatusSeeOther, grace.postForm("admin/disconnect-all", url.Values{}).StatusCode)
	for i := range 203 {
		require.False(t, f.connected(fmt.Sprintf("user%03d", i)), i)
	}
}

func TestAdminDisconnectOfOneWhoIsNotConnected(t *testing.T) {
	t.Parallel()
	f := withBots(t)
	require.Equal(t, http.StatusSeeOther, f.signIn("grace").postForm("admin/disconnect", url.Values{"user": {"ada"}}).StatusCode)
}

func TestAdminPageNamesSomeRepositoriesAndCountsTheOthers(t *testing.T) {
	t.Parallel()
	f := withBots(t)
	names := func(n int) (all []string) {
		for i := range n {
			all = append(all, fmt.Sprintf("octo-org/r%d", i))
		}
		return all
	}
	for _, event := range []audit.Event{
		{Action: "few", Repositories: names(5)}, {Action: "more", Repositories: names(7)}, {Action: "most", Repositories: names(5), RepositoriesLeftOut: 9},
	} {
		event.Time, event.User = time.Now(), event.Action
		require.NoError(t, f.audit.Add(t.Context(), event))
	}
	page := read(t, f.signIn("grace").do(http.MethodGet, "admin", nil, nil))
	require.Contains(t, page, "octo-org/r4")
	require.NotContains(t, page, "octo-org/r5")
	require.Contains(t, page, "+ 2")
	require.Contains(t, page, "+ 9")
	require.NotContains(t, page, "+ 0")
}

func TestReadJSONTakesOneObject(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	f.connect(f.signIn("ada"))
	ask := `{"protocol":"https","host":"github.com"}`
	require.Equal(t, http.StatusOK, f.program(http.MethodPost, "api/credential", "server-ada", ask+"\n").StatusCode)
	require.Equal(t, "bad_request", code(t, f.program(http.MethodPost, "api/credential", "server-ada", ask+ask)))
	require.Equal(t, "bad_request", code(t, f.program(http.MethodPost, "api/flows", "server-eve", `{"mode":"web"}`)))
	require.Equal(t, http.StatusCreated, f.program(http.MethodPost, "api/flows", "server-eve", `{"mode":"device"}`).StatusCode)
}

// An event stream on a connection that cannot be taken over ends at once, and
// holds no place.
func TestStreamWithoutAConnectionHoldsNoPlace(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	for range 50 { // more than one user may have
		answer := httptest.NewRecorder()
		f.handler.ServeHTTP(answer, eventsRequest(t))
		require.Equal(t, http.StatusInternalServerError, answer.Code)
	}
	f.change(func(o *flow.Options) { o.Store = awayStore{f.users} })
	for range 50 {
		require.Equal(t, http.StatusServiceUnavailable, f.ask(http.MethodGet, "api/flows/current/events"))
	}
	f.change(func(o *flow.Options) { o.Store = f.users })
	_, answer := f.follow("server-ada")
	require.Equal(t, http.StatusOK, answer.StatusCode)
	require.Equal(t, "no", answer.Header.Get("X-Accel-Buffering"))
	_, err := http.ParseTime(answer.Header.Get("Date"))
	require.NoError(t, err)
	first := make([]byte, 64)
	n, err := io.ReadAtLeast(answer.Body, first, 1)
	require.NoError(t, err)
	require.NotZero(t, n)
}

// One who is refused a stream has no idle connection either.
func TestStreamThatIsRefusedClosesItsConnection(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	f.server.EndStreams()
	_, answer := f.follow("server-ada")
	require.Equal(t, http.StatusServiceUnavailable, answer.StatusCode)
	require.True(t, answer.Close)
}
