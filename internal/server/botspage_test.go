package server_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/audit"
	"github.com/ghscoped/ghscoped-service/internal/bot"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/server"
)

// noTokens is a store of bots' tokens with nothing in it.
type noTokens struct{}

func (noTokens) Add(context.Context, bot.Live) error                { return nil }
func (noTokens) List(context.Context, string) ([]bot.Live, error)   { return nil, nil }
func (noTokens) Remove(_ context.Context, _ string, _ string) error { return nil }

// withPolicy is the service with a policy, and with what is wrong with its file.
func withPolicy(t *testing.T, text string, wrong error) *fixture {
	t.Helper()
	policy := &bot.Policy{}
	if text != "" {
		var err error
		policy, err = bot.ParsePolicy([]byte(text))
		require.NoError(t, err)
	}
	return withBots(t, func(f *fixture, o *server.Options) {
		o.Bots = bot.New(bot.Options{
			Policy: func() *bot.Policy { return policy }, GitHub: f.bots, Store: noTokens{}, RepositoryFile: true,
			Audit: audit.New(io.Discard, f.audit, slog.New(slog.DiscardHandler)), Clock: time.Now, Registry: prometheus.NewRegistry(),
		})
		o.PolicyErr = func() error { return wrong }
	})
}

// shown is the page about bots as an admin sees it.
func (f *fixture) shown(query string) string {
	response := f.signIn("grace").do(http.MethodGet, "bots"+query, nil, nil)
	require.Equal(f.t, http.StatusOK, response.StatusCode)
	require.Contains(f.t, response.Header.Get("Content-Security-Policy"), "default-src 'none'")
	return read(f.t, response)
}

var tags = regexp.MustCompile(`<[^>]*>`)

// row is the text of the first row of a page that has all of the words.
func row(t *testing.T, page string, words ...string) string {
	t.Helper()
	var near string
	for _, one := range strings.Split(page, "<tr")[1:] {
		one, _, _ = strings.Cut(one, "</tr>")
		text := strings.Join(strings.Fields(tags.ReplaceAllString("<tr"+one, " ")), " ")
		missing := false
		for _, word := range words {
			missing = missing || !strings.Contains(text, word)
		}
		if !missing {
			return text
		}
		near += text + "\n"
	}
	require.Fail(t, "no such row", "%q in\n%s", words, near)
	return ""
}

const everyCaller = `version: 1
rules:
  - name: nightly
    reason: The nightly job.
    callers: [service:nbbot, "service:mirror-*"]
    repositories: [octo-org/*]
    except: [octo-org/Exams]
    permissions: {contents: write, pull_requests: write}
    reuse: 30m
  - name: people
    reason: Who teaches.
    callers: [group:teachers, user:tess]
    repositories: [Octo-Org/course, other/handbook]
    permissions: {issues: write}
  - name: deploy
    reason: The workflow.
    callers: [actions:octo/deploy]
    where: {repository_id: "1", repository_owner_id: "2", event_name: [schedule, workflow_dispatch]}
    repositories: [octo/deploy]
    permissions: {contents: write}
  - name: pods
    reason: The pods.
    callers: [kubernetes:mirror/fetch]
    repositories: [octo/site]
    permissions: {contents: read}
  - name: elsewhere
    reason: Another issuer.
    callers: ["oidc:https://gitlab.example.org"]
    where: {sub: "project_path:octo/site:*"}
    repositories: [octo/site]
    permissions: {contents: write}
`

func TestBotsPageSaysWhichBotsMayDoWhatWhereAndWhy(t *testing.T) {
	t.Parallel()
	f := withPolicy(t, everyCaller, nil)
	page := f.shown("")
	for rule, said := range map[string][]string{
		"nightly":   {"The nightly job.", "service:nbbot", "service:mirror-*", "every repository of octo-org", "not octo-org/exams", "contents:write", "pull_requests:write", "30 min"},
		"people":    {"Who teaches.", "group:teachers", "user:tess", "octo-org/course", "other/handbook", "issues:write"},
		"deploy":    {"The workflow.", "actions:octo/deploy", "repository_id = 1", "repository_owner_id = 2", "event_name = schedule or workflow_dispatch", "octo/deploy"},
		"pods":      {"The pods.", "kubernetes:mirror/fetch", "octo/site", "contents:read"},
		"elsewhere": {"Another issuer.", "oidc:https://gitlab.example.org", "sub = project_path:octo/site:*", "octo/site"},
	} {
		require.Contains(t, page, `data-rule="`+rule+`"`)
		row(t, page, append(said, rule)...)
	}
	require.Contains(t, page, ".github/ghscoped.yaml", "that repositories have the last word")
	require.NotContains(t, page, `method="post"`, "nothing can be changed")
	for _, notice := range []string{`id="stale"`, `id="empty"`} {
		require.NotContains(t, page, notice)
	}

	page = f.shown("?owner=OTHER")
	require.Contains(t, row(t, page, "people"), "other/handbook")
	require.NotContains(t, page, "octo-org/course", "nothing of another owner's")
	require.NotContains(t, page, "nightly")
	require.Contains(t, page, `<option value="octo-org">`, "the others can be chosen")
	require.Contains(t, page, `<option value="other" selected>`)
	page = f.shown("?owner=nobody")
	require.Contains(t, page, "No rule is about these repositories.")
	require.NotContains(t, page, `id="rules"`)
}

func TestBotsPageSaysHowItStandsWithThePolicy(t *testing.T) {
	t.Parallel()
	mistake := errors.New(`the bot policy policy.yaml: line 9: <b>"reason"</b> stands twice`)
	for name, c := range map[string]struct {
		policy string
		wrong  error
		says   []string
		not    []string
	}{
		"mistakes in the file":   {botPolicy, mistake, []string{`id="stale"`, "&lt;b&gt;", `data-rule="nightly"`}, []string{`id="empty"`, "<b>"}},
		"an empty file":          {"", errors.New("the bot policy policy.yaml: the policy is empty"), []string{`id="empty"`, "the policy is empty"}, []string{`id="stale"`, `id="rules"`}},
		"a policy that is right": {botPolicy, nil, []string{`data-rule="nightly"`}, []string{`id="empty"`, `id="stale"`}},
	} {
		page := withPolicy(t, c.policy, c.wrong).shown("")
		for _, text := range c.says {
			require.Contains(t, page, text, name)
		}
		for _, text := range c.not {
			require.NotContains(t, page, text, name)
		}
	}
	page := withBots(t, func(_ *fixture, o *server.Options) { o.Bots = nil }).shown("")
	require.Contains(t, page, "This service gives no tokens to bots.")
	require.Contains(t, page, `id="people"`)
}

func TestBotsPageShowsTextsOfOthersAsText(t *testing.T) {
	t.Parallel()
	f := withPolicy(t, `version: 1
rules:
  - name: hostile
    reason: '"><script>window.pwned=1</script>'
    callers: ["oidc:https://gitlab.example.org"]
    where: {sub: '<img src=x onerror=window.pwned=1>', aud: ['</td>{{.Now}}', "\u202e<b>"]}
    repositories: [octo/site]
    permissions: {contents: write}
  - name: named
    reason: Names.
    callers: ['service:<svg onload=window.pwned=1>', "group:<i>'\"&"]
    repositories: [octo/site]
    permissions: {contents: write}
`, errors.New("<script>window.pwned=2</script>"))
	require.NoError(t, f.audit.Add(t.Context(), audit.Event{Time: time.Now(), Action: bot.ActionIssue, Outcome: bot.Refused, Repositories: []string{"<script>/<u>"},
		OfBot: audit.OfBot{Caller: "service:<script>window.pwned=3", Rule: "<s>", Permissions: map[string]string{"<em>": "<strong>"}}}))
	for _, query := range []string{"", "?owner=" + "%22%3E%3Cscript%3E"} {
		page := f.shown(query)
		for _, markup := range []string{"<script>", "<img src=x", "<svg on", "<i>", "<b>", "</td>{{", "<u>", "<s>", "<em>", "<strong>"} {
			require.NotContains(t, page, markup, query)
		}
	}
	page := f.shown("")
	require.Contains(t, page, "&lt;script&gt;window.pwned=1")
	require.Contains(t, page, "&lt;img src=x onerror")
	require.Contains(t, page, "&lt;svg onload")
	require.Contains(t, page, "&lt;script&gt;window.pwned=3")
}

func TestBotsPageCountsWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	f := withBots(t)
	ask := func(token, body string) {
		f.program(http.MethodPost, "api/bot-tokens", token, body)
	}
	for range 3 {
		ask("nbbot", pushShared)
	}
	ask("nbbot", `{"repositories":["octo-org/handbook"],"permissions":{"contents":"write"}}`)
	ask("server-tess", `{"repositories":["octo-org/course"],"permissions":{"issues":"write"}}`)
	require.Equal(t, http.StatusNoContent, f.program(http.MethodDelete, "api/bot-tokens/"+f.liveIDs("nbbot")[0], "nbbot", "").StatusCode)
	for run := range 4 {
		require.NoError(t, f.audit.Add(t.Context(), audit.Event{Time: time.Now(), Action: bot.ActionIssue, Outcome: bot.Reused, Repositories: []string{"octo/Deploy", "octo/site"},
			OfBot: audit.OfBot{Caller: fmt.Sprint("actions:octo/deploy#", run), Rule: "deploy", Permissions: map[string]string{"contents": "write"}}}))
	}
	f.bots.err = &apierror.Error{Code: apierror.CodeUnavailable, Message: "No.", Hint: "None.", Retryable: true}
	ask("other", `{"repositories":["octo-org/handbook"],"permissions":{"contents":"write"}}`)

	page := f.shown("")
	for words, counted := range map[string]string{
		"service:nbbot Rule: nightly octo-org/shared contents:write":   " 3 0 0 1 ",
		"service:nbbot octo-org/handbook contents:write":               " 0 1 0 0 ",
		"service:other Rule: docs octo-org/handbook contents:write":    " 0 0 1 0 ",
		"Users of the Hub Rule: teachers octo-org/course issues:write": " 1 0 0 0 ",
		"actions:octo/deploy Rule: deploy octo/deploy contents:write":  " 4 0 0 0 ",
		"actions:octo/deploy Rule: deploy octo/site contents:write":    " 4 0 0 0 ",
	} {
		require.Contains(t, row(t, page, words), words+counted)
	}
	require.Contains(t, page, `id="since"`)
	text := tags.ReplaceAllString(page, " ")
	require.NotContains(t, text, "tess", "no names of people")
	require.NotContains(t, page, "marker")

	page = f.shown("?owner=octo")
	row(t, page, "actions:octo/deploy")
	require.NotContains(t, page, "service:nbbot")
	require.NotContains(t, page, "service:other")
}

func TestBotsPageCountsPeopleWithoutNames(t *testing.T) {
	t.Parallel()
	f := withBots(t)
	ada := f.signIn("ada")
	page := f.shown("")
	require.Contains(t, row(t, page, "Connected now"), "Connected now 0")
	require.NotContains(t, page, "of these", "without an owner nothing is said of theirs")
	f.connect(ada)
	user, err := f.users.Load(t.Context(), "ada")
	require.NoError(t, err)
	user.Connection.Access.Repositories = []github.Repository{{FullName: "Octo-Org/handbook"}}
	require.NoError(t, f.users.Save(t.Context(), user))
	require.NoError(t, f.audit.Add(t.Context(), audit.Event{Time: time.Now(), Action: "identity_mismatch", Outcome: "refused", OfUser: audit.OfUser{User: "eve"}}))

	page = f.shown("?owner=octo-org")
	for label, n := range map[string]int{"Connected now": 1, "Of these, reaching repositories of octo-org": 1,
		"Connections begun": 1, "Connections made": 1, "Connections ended": 0, "Tokens revoked": 0, "another account": 1} {
		require.True(t, strings.HasSuffix(row(t, page, label), fmt.Sprint(" ", n)), row(t, page, label))
	}
	require.Contains(t, row(t, f.shown("?owner=octo"), "Of these"), "octo 0")
	text := tags.ReplaceAllString(page, " ")
	for _, name := range []string{"ada", "eve", "octocat"} {
		require.NotRegexp(t, `\b`+name+`\b`, text)
	}

	require.Equal(t, http.StatusNoContent, ada.write(http.MethodDelete, "api/connection").StatusCode)
	page = f.shown("")
	require.Contains(t, row(t, page, "Connected now"), "Connected now 0")
	require.Contains(t, row(t, page, "Connections ended"), "Connections ended 1")
}

func TestBotsPageSaysWhereMoreHappenedThanIsRemembered(t *testing.T) {
	t.Parallel()
	f := withBots(t)
	at := time.Now().Add(-24 * time.Hour)
	add := func(caller, user, action string, n int) {
		for i := range n {
			require.NoError(t, f.audit.Add(t.Context(), audit.Event{Time: at.Add(time.Duration(i)), Action: action, Outcome: bot.Issued,
				OfUser: audit.OfUser{User: user}, OfBot: audit.OfBot{Caller: caller}}))
		}
	}
	add("service:busy", "", bot.ActionIssue, audit.MostOfOne)
	add("service:calm", "", bot.ActionIssue, audit.MostOfOne-1)
	add("", "ada", "delivered", audit.MostOfOne-1)
	require.NoError(t, f.audit.Add(t.Context(), audit.Event{Time: at, Action: "flow_started", Outcome: "ok", OfUser: audit.OfUser{User: "eve"}}))
	page := f.shown("")
	require.Contains(t, row(t, page, "service:busy"), "at least 200")
	require.NotContains(t, row(t, page, "service:calm"), "at least")
	require.NotContains(t, row(t, page, "begun"), "at least")
	require.Contains(t, page, `datetime="`+at.UTC().Format(time.RFC3339)+`"`, "how far back it reaches")

	add("", "ada", "delivered", 1)
	require.NoError(t, f.audit.Add(t.Context(), audit.Event{Time: at, Action: bot.ActionIssue, Outcome: bot.Refused, Code: "too_many_refusals", OfBot: audit.OfBot{Caller: "service:calm"}}))
	page = f.shown("")
	require.Contains(t, row(t, page, "begun"), "at least 1")
	require.Contains(t, row(t, page, "service:calm"), "at least 199")
}

func TestBotsPageIsBounded(t *testing.T) {
	t.Parallel()
	f := withBots(t)
	for i := range 503 {
		require.NoError(t, f.audit.Add(t.Context(), audit.Event{Time: time.Now(), Action: bot.ActionIssue, Outcome: bot.Refused, Repositories: []string{"o/r"},
			OfBot: audit.OfBot{Caller: fmt.Sprintf("actions:a/%03d", i)}}))
	}
	require.NoError(t, f.audit.Add(t.Context(), audit.Event{Time: time.Now(), Action: bot.ActionIssue, Outcome: bot.Issued, RepositoriesLeftOut: 7,
		Repositories: []string{"o/r"}, OfBot: audit.OfBot{Caller: "service:zzz"}}))
	page := f.shown("")
	row(t, page, "service:zzz") // who got something comes first
	require.Contains(t, page, "Further rows: 4")
	require.Contains(t, page, "Not counted here: 7")
	require.Contains(t, page, "actions:a/498")
	require.NotContains(t, page, "actions:a/499")
}

func TestBotsPageIsThereAgainAfterTheLogin(t *testing.T) {
	t.Parallel()
	f := withBots(t)
	for asked, back := range map[string]string{
		"bots":                                   "bots",
		"bots?owner=octo-org":                    "bots?owner=octo-org",
		"admin":                                  "admin",
		"bots?owner=//x":                         "bots?owner=//x",
		"bots?owner=https://x":                   "", // a colon is nowhere in ours
		"bots?owner=" + strings.Repeat("x", 200): "bots",
	} {
		b := f.browser()
		response := b.do(http.MethodGet, asked, nil, nil)
		require.Equal(t, http.StatusFound, response.StatusCode, asked)
		at, err := response.Location()
		require.NoError(t, err)
		response = b.do(http.MethodGet, "oauth_callback?code=grace&state="+at.Query().Get("state"), nil, nil)
		at, err = response.Location()
		require.NoError(t, err)
		require.Equal(t, f.base+back, at.String(), asked)
	}
}
