package server_test

import (
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
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/audit"
	"github.com/ghscoped/ghscoped-service/internal/bot"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/secret"
	"github.com/ghscoped/ghscoped-service/internal/server"
	"github.com/ghscoped/ghscoped-service/web"
)

const botPolicy = `version: 1
rules:
  - name: nightly
    reason: The nightly job.
    callers: [service:nbbot]
    repositories: [octo-org/shared]
    permissions: {contents: write}
  - name: docs
    reason: The other bot.
    callers: [service:other]
    repositories: [octo-org/handbook]
    permissions: {contents: write}
  - name: teachers
    reason: People who teach.
    callers: [group:teachers]
    repositories: [octo-org/course]
    permissions: {issues: write}
  - name: deploy
    reason: The workflow of the deployment.
    callers: [actions:octo/deploy]
    where: {repository_id: "1", repository_owner_id: "2", ref: refs/heads/main}
    repositories: [octo/deploy]
    permissions: {contents: write}
`

// botGitHub mints whatever it is asked for, and remembers what it revoked.
type botGitHub struct {
	err     error
	minted  int
	revoked []string
}

func (g *botGitHub) Mint(_ context.Context, owner string, names []string, permissions map[string]string) (github.InstallationToken, error) {
	if g.err != nil {
		return github.InstallationToken{}, g.err
	}
	g.minted++
	m := github.InstallationToken{Token: secret.New(fmt.Sprint("ghs_marker", g.minted)), ExpiresAt: time.Now().Add(time.Hour), Permissions: permissions, Selected: true}
	for _, name := range names {
		m.Repositories = append(m.Repositories, owner+"/"+name)
	}
	return m, nil
}

func (g *botGitHub) Identity(context.Context, github.InstallationToken) (github.Identity, error) {
	return github.Identity{Name: "app[bot]", Email: "7+app[bot]@users.noreply.github.com"}, nil
}

func (g *botGitHub) Alive(context.Context, github.InstallationToken) (bool, error) { return true, nil }

func (g *botGitHub) RevokeInstallationToken(_ context.Context, token github.InstallationToken) error {
	g.revoked = append(g.revoked, token.Token.Reveal())
	return nil
}

func (g *botGitHub) Guarded(context.Context, github.InstallationToken, string, string) error {
	return nil
}

func (g *botGitHub) File(context.Context, github.InstallationToken, string, string, string, int) ([]byte, bool, error) {
	return nil, false, errors.New("not asked for")
}

func newBots(t testing.TB, f *fixture, kept bot.Store, registry prometheus.Registerer) *bot.Issuer {
	t.Helper()
	policy, err := bot.ParsePolicy([]byte(botPolicy))
	require.NoError(t, err)
	return bot.New(bot.Options{
		Policy: func() *bot.Policy { return policy }, GitHub: f.bots, Store: kept,
		Audit: audit.New(io.Discard, f.audit, slog.New(slog.DiscardHandler)), Clock: time.Now, Registry: registry,
	})
}

// withBots has two Hub services and a teacher.
func withBots(t *testing.T, change ...func(*fixture, *server.Options)) *fixture {
	t.Helper()
	f := setUp(t, change...)
	f.hubUser["nbbot"] = hub.User{Kind: "service", Name: "nbbot", Scopes: []string{access}}
	f.hubUser["other"] = hub.User{Kind: "service", Name: "other", Scopes: []string{access}}
	f.hubUser["server-tess"] = hub.User{Kind: "user", Name: "tess", Created: created, Groups: []string{"teachers"}, Scopes: []string{access, "access:servers!server=tess/"}}
	f.hubUser["user-nbbot"] = hub.User{Kind: "user", Name: "nbbot", Created: created, Scopes: []string{access}}
	f.hubUser["roleless"] = hub.User{Kind: "service", Name: "nbbot"}
	f.hubUser["hub-grace"] = hub.User{Kind: "user", Name: "grace", Created: created, Scopes: []string{access, adminScope}}
	return f
}

const pushShared = `{"repositories":["octo-org/shared"],"permissions":{"contents":"write"}}`

func TestBotTokensAreWhatTheRuleSays(t *testing.T) {
	t.Parallel()
	f := withBots(t)
	response := f.program(http.MethodPost, "api/bot-tokens", "nbbot", pushShared)
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.Equal(t, "no-store", response.Header.Get("Cache-Control"))
	var answer map[string]any
	require.NoError(t, json.NewDecoder(response.Body).Decode(&answer))
	expires, err := time.Parse(time.RFC3339, answer["expires_at"].(string))
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(time.Hour), expires, time.Minute)
	delete(answer, "expires_at")
	require.Equal(t, map[string]any{
		"token": "ghs_marker1", "repositories": []any{"octo-org/shared"}, "permissions": map[string]any{"contents": "write"},
		"git": map[string]any{"name": "app[bot]", "email": "7+app[bot]@users.noreply.github.com"},
	}, answer)

	events, err := f.audit.Recent(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, "service:nbbot", events[0].Caller)
	require.NotEmpty(t, events[0].RequestID)

	response = f.program(http.MethodPost, "api/bot-tokens", "server-tess", `{"repositories":["octo-org/course"],"permissions":{"issues":"write"}}`)
	require.Equal(t, http.StatusOK, response.StatusCode, "the Hub said that tess is a teacher")
}

func TestBotTokensAreRefusedBy(t *testing.T) {
	t.Parallel()
	many := `{"repositories":[` + strings.Repeat(`"octo-org/`+strings.Repeat("x", 100)+`",`, 500) + `"octo-org/shared"],"permissions":{"contents":"write"}}`
	for name, tc := range map[string]struct {
		token, body string
		githubErr   error
		status      int
		code        string
	}{
		"no rule for the repository":         {"nbbot", `{"repositories":["octo-org/handbook"],"permissions":{"contents":"write"}}`, nil, 403, "bot_refused"},
		"no rule for the permission":         {"nbbot", `{"repositories":["octo-org/shared"],"permissions":{"issues":"read"}}`, nil, 403, "bot_refused"},
		"a user of a service's name":         {"user-nbbot", pushShared, nil, 403, "bot_refused"},
		"a service without the role":         {"roleless", pushShared, nil, 403, "no_access"},
		"a token that the Hub does not know": {"nonsense", pushShared, nil, 401, "bad_token"},
		"no body":                            {"nbbot", ``, nil, 400, "repositories_missing"},
		"no permission":                      {"nbbot", `{"repositories":["octo-org/shared"]}`, nil, 400, "permissions_missing"},
		"a permission of no proper name":     {"nbbot", `{"repositories":["octo-org/shared"],"permissions":{"pull-requests":"write"}}`, nil, 400, "permission_invalid"},
		"a wildcard":                         {"nbbot", `{"repositories":["octo-org/*"],"permissions":{"contents":"write"}}`, nil, 400, "repository_invalid"},
		"several owners":                     {"nbbot", `{"repositories":["octo-org/shared","octocat/hello"],"permissions":{"contents":"write"}}`, nil, 400, "several_owners"},
		"501 repositories":                   {"nbbot", many, nil, 400, "too_many_repositories"},
		"no JSON":                            {"nbbot", `repositories`, nil, 400, "bad_request"},
		"an unknown field":                   {"nbbot", `{"repository":"octo-org/shared"}`, nil, 400, "bad_request"},
		"the App's lack of a repository":     {"nbbot", pushShared, &apierror.Error{Code: "not_granted", Message: "No.", Hint: "None."}, 422, "not_granted"},
		"passing trouble of GitHub's":        {"nbbot", pushShared, &apierror.Error{Code: "github_unavailable", Message: "No.", Hint: "None.", Retryable: true}, 503, "github_unavailable"},
		"a key of another App":               {"nbbot", pushShared, &apierror.Error{Code: "app_misconfigured", Message: "No.", Hint: "None."}, 502, "app_misconfigured"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := withBots(t)
			f.bots.err = tc.githubErr
			response := f.program(http.MethodPost, "api/bot-tokens", tc.token, tc.body)
			require.Equal(t, tc.status, response.StatusCode)
			require.Equal(t, tc.code, code(t, response))
			require.Zero(t, f.bots.minted)
		})
	}
}

func TestBotTokensAreNeverGivenToABrowser(t *testing.T) {
	t.Parallel()
	f := withBots(t)
	f.hubUser["hub-tess"] = f.hubUser["server-tess"]
	b := f.signIn("tess")
	for _, call := range []string{"POST api/bot-tokens", "GET api/bot-tokens", "DELETE api/bot-tokens/x"} {
		method, path, _ := strings.Cut(call, " ")
		response := b.write(method, path)
		require.Equal(t, http.StatusForbidden, response.StatusCode)
		require.Equal(t, "token_only", code(t, response))
	}
}

// liveIDs are the tokens of a caller as the API lists them.
func (f *fixture) liveIDs(token string) []string {
	response := f.program(http.MethodGet, "api/bot-tokens", token, "")
	require.Equal(f.t, http.StatusOK, response.StatusCode)
	body := read(f.t, response)
	require.NotContains(f.t, body, "marker")
	var answer struct{ Tokens []struct{ ID, Rule string } }
	require.NoError(f.t, json.Unmarshal([]byte(body), &answer))
	ids := []string{}
	for _, one := range answer.Tokens {
		require.NotEmpty(f.t, one.Rule)
		ids = append(ids, one.ID)
	}
	return ids
}

func TestBotTokensAreRevokedByTheirBotOnly(t *testing.T) {
	t.Parallel()
	f := withBots(t)
	require.Equal(t, http.StatusOK, f.program(http.MethodPost, "api/bot-tokens", "nbbot", pushShared).StatusCode)
	ids := f.liveIDs("nbbot")
	require.Equal(t, []string{secret.New("ghs_marker1").Hash()}, ids)
	require.Empty(t, f.liveIDs("other"))

	response := f.program(http.MethodDelete, "api/bot-tokens/"+ids[0], "other", "")
	require.Equal(t, http.StatusNotFound, response.StatusCode)
	require.Equal(t, "token_unknown", code(t, response))
	require.Empty(t, f.bots.revoked)

	require.Equal(t, http.StatusNoContent, f.program(http.MethodDelete, "api/bot-tokens/"+ids[0], "nbbot", "").StatusCode)
	require.Equal(t, []string{"ghs_marker1"}, f.bots.revoked)
	require.Empty(t, f.liveIDs("nbbot"))
}

func (b *browser) postForm(path string, form url.Values) *http.Response {
	form.Set("csrf", b.csrf)
	return b.do(http.MethodPost, path, strings.NewReader(form.Encode()), map[string]string{
		"Content-Type": "application/x-www-form-urlencoded", "Origin": b.origin(),
	})
}

func TestBotTokensAreRevokedByAnAdminOneOrAll(t *testing.T) {
	t.Parallel()
	f := withBots(t)
	for range 3 {
		require.Equal(t, http.StatusOK, f.program(http.MethodPost, "api/bot-tokens", "nbbot", pushShared).StatusCode)
	}
	refused := strings.Replace(pushShared, "octo-org/shared", "octo-org/handbook", 1)
	require.Equal(t, http.StatusForbidden, f.program(http.MethodPost, "api/bot-tokens", "nbbot", refused).StatusCode)
	ids := f.liveIDs("nbbot")
	grace, ada := f.signIn("grace"), f.signIn("ada")
	page := read(t, grace.do(http.MethodGet, "admin", nil, nil))
	for _, id := range ids {
		require.Contains(t, page, `data-bot="`+id+`"`)
	}
	_, trail, found := strings.Cut(page, `id="events"`)
	require.True(t, found)
	for _, said := range []string{"service:nbbot", "nightly", "octo-org/shared", "contents:write", "The nightly job.", "octo-org/handbook"} {
		require.Contains(t, trail, said, "an event says who, by which rule, where, what and why")
	}
	require.NotContains(t, page, "marker")

	all, one := url.Values{"all": {"yes"}}, url.Values{"caller": {"service:nbbot"}, "id": {ids[0]}}
	require.Equal(t, http.StatusNotFound, ada.postForm("admin/revoke-bots", all).StatusCode, "no admin")
	require.Equal(t, http.StatusForbidden, grace.do(http.MethodPost, "admin/revoke-bots", strings.NewReader("all=yes"),
		map[string]string{"Content-Type": "application/x-www-form-urlencoded", "Origin": grace.origin()}).StatusCode, "without the page's own token")
	require.Empty(t, f.bots.revoked)

	for range 2 { // a second click finds it over already
		require.Equal(t, http.StatusSeeOther, grace.postForm("admin/revoke-bots", one).StatusCode)
		require.Len(t, f.bots.revoked, 1)
	}
	require.Equal(t, http.StatusSeeOther, grace.postForm("admin/revoke-bots", url.Values{}).StatusCode, "nothing is named")
	require.Len(t, f.bots.revoked, 1)
	require.Equal(t, http.StatusSeeOther, grace.postForm("admin/revoke-bots", all).StatusCode)
	require.Len(t, f.bots.revoked, 3)
	events, err := f.audit.Recent(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, "user:grace", events[0].By)
}

func TestBotTokensNeedAPolicy(t *testing.T) {
	t.Parallel()
	s := server.New(server.Options{Prefix: prefix, Pages: newPages(t), Logger: slog.New(slog.DiscardHandler),
		Registry: prometheus.NewRegistry(), Clock: time.Now})
	answer := httptest.NewRecorder()
	s.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodPost, prefix+"api/bot-tokens", nil))
	require.Equal(t, "bots_off", code(t, answer.Result()))
	require.Equal(t, http.StatusNotFound, answer.Code)
}

func newPages(t *testing.T) *web.Pages {
	t.Helper()
	pages, err := web.New(web.Options{Prefix: prefix, HubPrefix: "/hub/", GitHubHost: "github.com"})
	require.NoError(t, err)
	return pages
}
