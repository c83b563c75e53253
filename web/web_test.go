package web_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/web"
	"github.com/ghscoped/ghscoped-service/web/picturebook"
)

var now = time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)

var languages = []string{"en", "de"}

func options() web.Options {
	return web.Options{
		Prefix: "/services/connect-github/", HubPrefix: "/hub/", HubName: "Research Hub",
		GitHubHost: "github.com", HelpURL: "https://example.org/help",
	}
}

func newPages(t *testing.T, o web.Options) *web.Pages {
	t.Helper()
	pages, err := web.New(o)
	require.NoError(t, err)
	return pages
}

func page(t *testing.T, pages *web.Pages, lang string, s picturebook.Sample) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, s.Page(pages, &b, lang))
	return b.String()
}

func TestRenderEveryStateInEveryLanguage(t *testing.T) {
	t.Parallel()
	pages := newPages(t, options())
	for _, s := range picturebook.Samples(now) {
		for _, lang := range languages {
			t.Run(s.Name+" "+lang, func(t *testing.T) {
				t.Parallel()
				html := page(t, pages, lang, s)
				require.Contains(t, html, `<html lang="`+lang+`">`)
				require.Equal(t, 1, strings.Count(html, "<h1"), "one heading of the first order")
				require.Equal(t, 1, strings.Count(html, "<main"))
				require.Equal(t, 1, strings.Count(html, `id="state"`))
				if !strings.HasPrefix(s.Name, "hostile") {
					require.False(t, strings.Contains(html, "ZgotmplZ"), "a value at a place where it cannot be made safe")
				}
				if s.View == nil {
					return
				}
				require.Contains(t, html, `data-state="`+string(s.View.State)+`"`)
				require.Empty(t, regexp.MustCompile(`>[^<]*\{[a-z]+\}`).FindString(html), "a placeholder that nobody filled")
			})
		}
	}
}

// primary finds what a page asks a person to do first.
var primary = regexp.MustCompile(`class="[^"]*\bprimary\b[^"]*"`)

func TestRenderOnePrimaryButtonAtMost(t *testing.T) {
	t.Parallel()
	pages := newPages(t, options())
	for _, s := range picturebook.Samples(now) {
		found := primary.FindAllString(page(t, pages, "en", s), -1)
		require.LessOrEqual(t, len(found), 1, "%s: %s", s.Name, found)
		if s.View == nil {
			continue
		}
		switch s.View.State {
		case web.Approved, web.Delivering: // where there may be nothing to do but to wait
		default:
			require.Len(t, found, 1, s.Name)
		}
	}
}

func TestRenderTheOneThingToDoOfAConnection(t *testing.T) {
	t.Parallel()
	pages := newPages(t, options())
	server := func(name string, state web.ServerState, running bool) web.Server {
		return web.Server{Name: name, State: state, Running: running, URL: "/user/ada/" + name, CanStart: !running}
	}
	ready, stopped, waits, fresh := server("", web.ServerDelivered, true), server("b", web.ServerDelivered, false), server("c", web.ServerWaiting, false), server("d", web.ServerNone, true)
	silent := server("e", web.ServerDelivered, true)
	silent.URL = ""
	program := "d"
	for name, c := range map[string]struct {
		change  func(v *web.View)
		servers []web.Server
		want    string
	}{
		"a server that is ready is opened":         {nil, []web.Server{fresh, waits, ready}, `id="open-server" class="button primary big" href="/user/ada/"`},
		"of two that are ready the first":          {nil, []web.Server{server("a", web.ServerAllowed, true), ready}, `href="/user/ada/a">Open <bdi>a</bdi>`},
		"one without an address is not":            {nil, []web.Server{silent, fresh}, ""},
		"one that runs and has nothing is set up":  {nil, []web.Server{stopped, fresh}, `primary" aria-label="Set up: Server d"`},
		"one that is stopped is started":           {nil, []web.Server{waits, stopped}, `primary" aria-label="Start now: Server c"`},
		"one that would be ready, too":             {nil, []web.Server{stopped}, `primary" aria-label="Start now: Server b"`},
		"what is in the way at GitHub comes first": {func(v *web.View) { v.Connection.Access = web.AccessSuspended }, []web.Server{ready, waits}, `id="fix-access" class="button primary big"`},
		"an end that is near, before that": {func(v *web.View) {
			v.Connection.ExpiresAt, v.Connection.Access = now.Add(time.Minute), web.AccessSuspended
		}, []web.Server{ready, fresh}, `id="renew" class="button primary"`},
		"a program that connected, before all":          {func(v *web.View) { v.Connection.Program, v.Connection.ExpiresAt = &program, now.Add(time.Minute) }, []web.Server{ready, fresh}, `id="confirm-program" class="button primary"`},
		"while a server is set up, to start another":    {func(v *web.View) { v.State, v.Flow = web.Delivering, &web.Flow{} }, []web.Server{server("a", web.ServerQueued, true), waits}, `primary" aria-label="Start now: Server c"`},
		"while servers are set up there may be nothing": {func(v *web.View) { v.State, v.Flow = web.Delivering, &web.Flow{} }, []web.Server{ready, fresh}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			view := web.View{User: "ada", Now: now, State: web.Connected, Servers: c.servers,
				Connection: &web.Connection{Login: "ada", Since: now, ExpiresAt: now.Add(time.Hour), Access: web.AccessReady}}
			if c.change != nil {
				c.change(&view)
			}
			html := page(t, pages, "en", picturebook.Sample{View: &view})
			if c.want == "" {
				require.Empty(t, primary.FindAllString(html, -1))
				return
			}
			require.Len(t, primary.FindAllString(html, -1), 1)
			require.Contains(t, html, c.want)
		})
	}
}

func TestRenderThePlanOfThisPerson(t *testing.T) {
	t.Parallel()
	pages := newPages(t, options())
	for name, c := range map[string]struct {
		web, confirms, chooses bool
		steps                  int
	}{
		"a code, the first time":           {false, true, true, 4},
		"a code, once more":                {false, true, false, 3},
		"the web flow, the first time":     {true, true, true, 4},
		"the web flow, after a code":       {true, true, false, 3},
		"the web flow, once more":          {true, false, false, 2},
		"the web flow, and nothing chosen": {true, false, true, 3},
	} {
		for _, lang := range languages {
			view := web.View{User: "ada", Now: now, State: web.None, WebFlow: c.web, Confirms: c.confirms, Chooses: c.chooses}
			html := page(t, pages, lang, picturebook.Sample{View: &view})
			_, plan, _ := strings.Cut(html, `<ol class="plan">`)
			plan, _, _ = strings.Cut(plan, "</ol>")
			require.Equal(t, c.steps, strings.Count(plan, "<li>"), "%s %s", name, lang)

			view.State, view.Flow = web.Approved, &web.Flow{}
			require.Equal(t, c.chooses, strings.Contains(page(t, pages, "en", picturebook.Sample{View: &view}), "The first time: you choose your repositories at GitHub"), name)
		}
	}
}

func TestRenderTheIconOfAConnectionThatEndsSoon(t *testing.T) {
	t.Parallel()
	pages := newPages(t, options())
	icon := regexp.MustCompile(`<link rel="icon" id="icon" href="([^"]+)">`)
	for _, s := range picturebook.Samples(now) {
		html := page(t, pages, "en", s)
		address := icon.FindStringSubmatch(html)[1]
		if s.Name != "connected-soon" {
			require.Equal(t, "/hub/static/favicon.ico", address, s.Name)
			continue
		}
		answer := get(t, pages, address)
		require.Equal(t, http.StatusOK, answer.Code)
		require.Equal(t, "image/svg+xml", answer.Header().Get("Content-Type"))
		require.Contains(t, html, `data-icon="`+address+`"`, "a page that is open changes its own")
	}
}

func TestRenderTheWayBackFromGitHubWithoutAScript(t *testing.T) {
	t.Parallel()
	pages := newPages(t, options())
	view := web.View{User: "ada", Now: now, State: web.Connected,
		Connection: &web.Connection{Login: "ada", Since: now, ExpiresAt: now.Add(time.Hour), Access: web.AccessReady}}
	html := page(t, pages, "en", picturebook.Sample{View: &view})
	require.Contains(t, html, `<p class="nojs"><a href="/services/connect-github/?back">`)
	require.NotContains(t, html, `http-equiv="refresh"`)
	view.LoadAgain = true
	require.Contains(t, page(t, pages, "en", picturebook.Sample{View: &view}),
		`<noscript><meta http-equiv="refresh" content="5; url=/services/connect-github/"></noscript>`, "once, since the next page is the plain one")
}

func TestRenderNothingInline(t *testing.T) {
	t.Parallel()
	pages := newPages(t, options())
	inline := regexp.MustCompile(`(?i)<style|<script(?: [^>]*)?>[^<]|<[a-z][^>]*\s(?:style|on[a-z]+)\s*=\s*["']?[^>]*>|<base`)
	for _, s := range picturebook.Samples(now) {
		if strings.HasPrefix(s.Name, "hostile") {
			continue // their text looks like it; the browser's test covers them
		}
		require.Empty(t, inline.FindString(page(t, pages, "en", s)), s.Name)
	}
	require.Regexp(t, inline, `<p class="x" style="color:red">`, "the test sees what it looks for")
	require.Regexp(t, inline, `<script>x</script>`)
	require.Regexp(t, inline, `<a href="#" onclick="x()">`)
}

func TestRenderNamesOfOthersAsText(t *testing.T) {
	t.Parallel()
	pages := newPages(t, options())
	for _, s := range picturebook.Samples(now) {
		if !strings.HasPrefix(s.Name, "hostile") {
			continue
		}
		html := page(t, pages, "en", s)
		for _, markup := range []string{"<script>window", "<img src=x", `"javascript:`} {
			require.False(t, strings.Contains(html, markup), "%s: %s", s.Name, markup)
		}
		text := regexp.MustCompile(`<[^>]*>`).ReplaceAllString(html, "")
		require.True(t, strings.Contains(text, "&lt;script&gt;window.pwned"), s.Name)
		require.False(t, strings.Contains(text, strings.Repeat("W", 501)), "%s: cut to what a page bears", s.Name)
	}
}

func TestRenderTheCSRFTokenInADocumentOnly(t *testing.T) {
	t.Parallel()
	pages := newPages(t, options())
	for _, s := range picturebook.Samples(now) {
		if s.View == nil {
			continue
		}
		html := page(t, pages, "en", s)
		require.True(t, strings.Contains(html, `<meta name="csrf-token" content="`+picturebook.CSRF+`">`), s.Name)
		require.Equal(t, strings.Count(html, `method="post"`), strings.Count(html, `name="csrf"`), s.Name+": each form has it")

		var fragment bytes.Buffer
		require.NoError(t, pages.Fragment(&fragment, "en", *s.View))
		require.NotContains(t, fragment.String(), picturebook.CSRF, s.Name)
		require.NotContains(t, fragment.String(), "<html", s.Name)
		require.True(t, strings.HasPrefix(strings.TrimSpace(fragment.String()), `<div id="state"`), s.Name)

		without := *s.View
		without.CSRF = ""
		html = page(t, pages, "en", picturebook.Sample{View: &without})
		require.NotContains(t, html, "csrf-token", s.Name)
		require.NotContains(t, html, `name="csrf"`, s.Name)
	}
}

func TestRenderEveryAddressUnderThePrefixes(t *testing.T) {
	t.Parallel()
	address := regexp.MustCompile(` (?:href|src|action)="([^"]*)"`)
	for _, prefixes := range [][2]string{
		{"/services/connect-github/", "/hub/"},
		{"/jupyter/services/connect-github/", "/jupyter/hub/"},
		{"/a%20b/services/x/", "/a%20b/hub/"},
		{"/", "/hub/"},
	} {
		o := options()
		o.Prefix, o.HubPrefix = prefixes[0], prefixes[1]
		pages := newPages(t, o)
		for _, s := range picturebook.Samples(now) {
			html := page(t, pages, "en", s)
			for _, found := range address.FindAllStringSubmatch(html, -1) {
				a := found[1]
				own := strings.HasPrefix(a, prefixes[0]) || strings.HasPrefix(a, prefixes[1])
				elsewhere := strings.HasPrefix(a, "https://github.com/") || a == o.HelpURL
				server := strings.HasPrefix(a, "/user/ada/")
				require.True(t, own || elsewhere || server || a == "" || a == "#main" || a == "#ZgotmplZ",
					"%s under %s: %s", s.Name, prefixes[0], a)
			}
		}
	}
}

func TestTextsAreCompleteAndUsed(t *testing.T) {
	t.Parallel()
	english, german := texts(t, "en"), texts(t, "de")
	placeholder := regexp.MustCompile(`\{[a-z]+\}`)
	source := readAll(t, "templates/*.html") + readAll(t, "*.go")
	// Keys that are put together from a state or a code.
	composed := regexp.MustCompile(`^(problem\..+\.(message|hint|admin)|[a-z]+\.title|server\.[a-z]+(\.running|\.stopped)?|access\.(fix\.)?[a-z_]+|missing\.[a-z_]+)$`)
	for key, text := range english {
		require.NotEmpty(t, german[key], "German lacks %s", key)
		require.ElementsMatch(t, placeholder.FindAllString(text, -1), placeholder.FindAllString(german[key], -1), key)
		if !composed.MatchString(key) {
			require.True(t, strings.Contains(source, `"`+key+`"`), "nobody says %q", key)
		}
	}
	for key := range german {
		if !strings.HasPrefix(key, "problem.") {
			require.NotEmpty(t, english[key], "English lacks %s", key)
		}
	}
	for _, used := range regexp.MustCompile(`(?:\{\{|\()(?:t|plain) "([^"]+)"`).FindAllStringSubmatch(source, -1) {
		require.Contains(t, english, used[1], "no such text")
	}
}

func texts(t *testing.T, lang string) map[string]string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("texts", lang+".json"))
	require.NoError(t, err)
	var all map[string]string
	require.NoError(t, json.Unmarshal(content, &all))
	return all
}

func readAll(t *testing.T, pattern string) string {
	t.Helper()
	names, err := filepath.Glob(pattern)
	require.NoError(t, err)
	var all strings.Builder
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		content, err := os.ReadFile(name)
		require.NoError(t, err)
		all.Write(content)
	}
	return all.String()
}

func TestLanguageIsTheOneTheBrowserPrefers(t *testing.T) {
	t.Parallel()
	pages := newPages(t, options())
	for header, want := range map[string]string{
		"":                        "en",
		"de":                      "de",
		"de-AT,de;q=0.9,en;q=0.1": "de",
		"en-GB,de;q=0.9":          "en",
		"fr,de;q=0.5":             "de",
		"fr":                      "en",
		"*":                       "en",
		"not a header;;;":         "en",
	} {
		require.Equal(t, want, pages.Language(header), "%.40q", header)
	}
}

func TestRenderFivehundredRepositoriesWithinTheBudget(t *testing.T) {
	t.Parallel()
	pages := newPages(t, options())
	for _, s := range picturebook.Samples(now) {
		if s.Name != "connected-many" {
			continue
		}
		for _, lang := range languages {
			html := page(t, pages, lang, s)
			total := len(html)
			for _, asset := range assets(t, html) {
				total += len(get(t, pages, asset).Body.Bytes())
			}
			t.Logf("%s: page %d bytes, with style sheet and script %d", lang, len(html), total)
			require.Less(t, total, 60_000)
		}
	}
}

func assets(t *testing.T, html string) []string {
	t.Helper()
	found := regexp.MustCompile(`"(/services/connect-github/static/app\.[0-9a-f]{12}\.(?:css|js))"`).FindAllStringSubmatch(html, -1)
	require.Len(t, found, 2)
	return []string{found[0][1], found[1][1]}
}

func get(t *testing.T, pages *web.Pages, path string) *httptest.ResponseRecorder {
	t.Helper()
	answer := httptest.NewRecorder()
	pages.Static().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
	return answer
}

func TestStaticFilesAreKeptForGoodUnderTheirContentsName(t *testing.T) {
	t.Parallel()
	pages := newPages(t, options())
	html := page(t, pages, "en", picturebook.Samples(now)[0])
	for i, contentType := range []string{"text/css; charset=utf-8", "text/javascript; charset=utf-8"} {
		answer := get(t, pages, assets(t, html)[i])
		require.Equal(t, http.StatusOK, answer.Code)
		require.Equal(t, contentType, answer.Header().Get("Content-Type"))
		require.Equal(t, "public, max-age=31536000, immutable", answer.Header().Get("Cache-Control"))
	}
	for _, path := range []string{"/static/app.css", "/static/app.000000000000.css", "/static/", "/static/../web.go"} {
		require.Equal(t, http.StatusNotFound, get(t, pages, path).Code, path)
	}
}

func TestRenderAProblemInThePersonsLanguage(t *testing.T) {
	t.Parallel()
	pages := newPages(t, options())
	failed := func(lang string, p web.Problem) string {
		return page(t, pages, lang, picturebook.Sample{View: &web.View{Now: now, State: web.Failed, Flow: &web.Flow{Problem: &p}}})
	}
	known := web.Problem{Code: "code_spent", Message: "As the service says it.", Hint: "And its hint."}
	require.Contains(t, failed("en", known), known.Message)
	require.NotContains(t, failed("de", known), known.Message)
	require.NotContains(t, failed("de", known), known.Hint)
	require.Contains(t, failed("de", known), "Holen Sie sich einen neuen Code.")

	unknown := web.Problem{Code: "something_new", Message: "A plain sentence.", Hint: "And a hint."}
	for _, lang := range languages {
		html := failed(lang, unknown)
		require.Contains(t, html, unknown.Message)
		require.Contains(t, html, unknown.Hint)
		require.Contains(t, html, "something_new")
	}

	admins := web.Problem{Code: "device_flow_disabled", Message: "It is off.", Hint: "Tick it."}
	html := failed("en", admins)
	require.Less(t, strings.Index(html, "What you can do"), strings.Index(html, "Please tell your Hub"))
	require.Less(t, strings.Index(html, "For your Hub"), strings.Index(html, "Tick it."))
}

// forPrograms are errors that no page shows.
var forPrograms = []string{
	"bad_token", "users_only", "token_only", "other_host", "session_only", "bad_request", "too_large", "method_not_allowed",
	"not_installed", "not_granted", "installation_suspended", "repository_renamed", "app_lacks_permission", "permission_not_accepted", "address_not_allowed",
	"repository_unnamed", "repository_not_chosen", "repository_unknown", "too_many_tokens", "token_unknown",
	"app_not_public", "api_needs_login", "bots_off", "identity_invalid", "identity_expired", "identity_issuer", "identity_audience", "identity_replayed", "identity_unavailable", "no_caller", "bot_refused", "repository_refused", "repository_unguarded", "github_granted_otherwise",
	"too_many_refusals", "repositories_missing", "too_many_repositories", "permissions_missing", "permission_invalid",
	"repository_invalid", "several_owners", "unavailable", "branch_moved", "branch_protected", "not_permitted", "commit_unknown",
}

func TestRenderTroubleWhileAFlowContinues(t *testing.T) {
	t.Parallel()
	pages := newPages(t, options())
	for _, state := range []web.State{web.Pending, web.Approved, web.Delivering} {
		view := web.View{User: "ada", Now: now, State: state, Flow: &web.Flow{Mode: web.Device, UserCode: "WDJB-MJHT",
			ExpiresAt: now.Add(time.Minute), Interval: 5 * time.Second}}
		quiet := page(t, pages, "en", picturebook.Sample{View: &view})
		view.Flow.Problem = &web.Problem{Code: "github_unreachable", Message: "GitHub cannot be reached at the moment.", Hint: "Nothing is lost."}
		told := page(t, pages, "en", picturebook.Sample{View: &view})

		require.NotContains(t, quiet, "cannot be reached", state)
		require.Contains(t, told, `<p class="notice">GitHub cannot be reached at the moment. Nothing is lost.</p>`, state)
		require.Regexp(t, `data-news="[^"]*GitHub cannot be reached at the moment\.`, told, "%s: a screen reader says it", state)
		require.NotContains(t, told, "asked every 5 seconds", state)
	}
}

func TestRenderNoNewsOfAServerThatIsAboutToBeSetUp(t *testing.T) {
	t.Parallel()
	pages := newPages(t, options())
	view := web.View{User: "ada", Now: now, State: web.Delivering, Flow: &web.Flow{}, Servers: []web.Server{{State: web.ServerNone, Running: true}, {Name: "gpu", State: web.ServerQueued, Running: true}}}
	html := page(t, pages, "en", picturebook.Sample{View: &view})
	require.Regexp(t, `data-news="Setting up your server\. Server gpu: [^"]+"`, html)

	view.State, view.Connection = web.Connected, &web.Connection{Login: "ada", ExpiresAt: now.Add(time.Hour)}
	require.Regexp(t, `data-news="[^"]*Has no access yet`, page(t, pages, "en", picturebook.Sample{View: &view}))
}

func TestRenderAnEndAsWhatItIs(t *testing.T) {
	t.Parallel()
	pages := newPages(t, options())
	const access, connect = "Your access has ended", "Connect GitHub"
	for _, tc := range []struct {
		state         web.State
		mode          web.Mode
		code          string
		title, button string
	}{
		{web.Expired, web.Device, "code_expired", "The code has expired", "Get a new code"},
		{web.Expired, web.Web, "approval_expired", "Not approved in time", "Start again"},
		{web.Expired, web.Device, "connection_expired", access, connect},
		{web.Expired, web.Web, "connection_expired", access, connect},
		{web.Expired, web.Device, "refresh_failed", access, connect},
		{web.Expired, web.Device, "servers_stopped", access, connect},
		{web.Expired, web.Device, "servers_unseen", access, connect},
		{web.Failed, web.Device, "connection_revoked", access, connect},
		{web.Cancelled, web.Device, "connection_ended", access, connect},
		{web.Cancelled, web.Device, "hub_signed_out", "Cancelled", "Start again"},
		{web.Cancelled, web.Device, "", "Cancelled", "Start again"},
	} {
		view := web.View{User: "ada", Now: now, State: tc.state, Flow: &web.Flow{Mode: tc.mode}}
		if tc.code != "" {
			view.Flow.Problem = &web.Problem{Code: tc.code, Message: "What happened."}
		}
		html := page(t, pages, "en", picturebook.Sample{View: &view})
		require.Contains(t, html, `<h1 tabindex="-1">`+tc.title+"</h1>", tc.code)
		require.Contains(t, html, `value="device">`+tc.button+"</button>", tc.code)
	}
}

func TestRenderTheEndAsTheDeployerSetIt(t *testing.T) {
	t.Parallel()
	pages := newPages(t, options())
	for lang, says := range map[string]struct{ atOnce, prolonged string }{
		"en": {"hen it ends by itself", "hile your server runs"},
		"de": {"ann endet e", "olange Ihr Server läuft"},
	} {
		for _, view := range []web.View{
			{User: "ada", Now: now, State: web.None},
			{User: "ada", Now: now, State: web.Connected, Connection: &web.Connection{Login: "ada", Since: now, ExpiresAt: now.Add(time.Hour)}},
		} {
			plain := page(t, pages, lang, picturebook.Sample{View: &view})
			require.NotContains(t, plain, says.prolonged, view.State)
			view.Refresh = true
			prolonged := page(t, pages, lang, picturebook.Sample{View: &view})
			require.Contains(t, prolonged, says.prolonged, view.State)
			require.NotContains(t, prolonged, says.atOnce, view.State)
		}
	}
}

func TestRenderConnectAgainBeforeTheEnd(t *testing.T) {
	t.Parallel()
	pages := newPages(t, options())
	for name, c := range map[string]struct {
		left             time.Duration
		refresh, webFlow bool
		access           web.AccessState
		title, button    string
	}{
		"hours left":          {2 * time.Hour, false, false, web.AccessReady, "Connected to GitHub", `class="button" name="mode" value="device">Connect again`},
		"half an hour left":   {30 * time.Minute, false, false, web.AccessReady, "Your GitHub access ends soon", `class="button primary" name="mode" value="device">Connect again`},
		"minutes left":        {time.Minute, false, true, web.AccessReady, "Your GitHub access ends soon", `class="button primary" name="mode" value="web">Connect again`},
		"prolonged by itself": {time.Minute, true, false, web.AccessReady, "Connected to GitHub", `class="button" name="mode"`},
		"nothing to push to":  {time.Minute, false, false, web.AccessNoRepository, "One more step at GitHub", `class="button primary" name="mode"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			view := web.View{User: "ada", Now: now, State: web.Connected, Refresh: c.refresh, WebFlow: c.webFlow,
				Connection: &web.Connection{Login: "ada", Since: now.Add(-time.Hour), ExpiresAt: now.Add(c.left), Access: c.access},
				Servers:    []web.Server{{Name: "held", State: web.ServerDelivered}, {Name: "waits", State: web.ServerWaiting}, {Name: "not", State: web.ServerNone}, {Name: "leaves", State: web.ServerRemoving}}}
			html := page(t, pages, "en", picturebook.Sample{View: &view})
			require.Contains(t, html, "<title>"+c.title)
			require.Contains(t, html, c.button)
			_, form, _ := strings.Cut(html, `data-api="POST api/flows"`)
			form, _, _ = strings.Cut(form, "</form>")
			require.Equal(t, []string{`value="held"`, `value="waits"`}, regexp.MustCompile(`value="(?:held|waits|not|leaves)"`).FindAllString(form, -1))
			require.Equal(t, c.left > 30*time.Minute, strings.Contains(form, "data-until"), "the script has the page read again then")
		})
	}
}

func TestRenderAWebFlowThatWaitsSoThatItCanContinue(t *testing.T) {
	t.Parallel()
	html := page(t, newPages(t, options()), "en", picturebook.Sample{View: &web.View{User: "ada", Now: now, State: web.Pending,
		CSRF: "marker", WebFlow: true, Flow: &web.Flow{Mode: web.Web, ExpiresAt: now.Add(time.Minute)}}})
	require.Regexp(t, `(?s)<form method="post" action="/services/connect-github/connect".{0,200}name="mode" value="web"`, html,
		"the tab may have been closed on the way")
}

func TestRenderEveryErrorOfTheServiceTranslated(t *testing.T) {
	t.Parallel()
	german := texts(t, "de")
	made := regexp.MustCompile(`(?:Code: +|Code[A-Z]\w+ += +|refuse\([^,()]+, )"([a-z_]+)"|^\t"([a-z_]+)": +\{Message`)
	var found int
	for _, pattern := range []string{"apierror", "deliver"} {
		for _, line := range strings.Split(readAll(t, "../internal/"+pattern+"/*.go"), "\n") {
			for _, match := range made.FindAllStringSubmatch(line, -1) {
				code := cmp.Or(match[1], match[2])
				if slices.Contains(forPrograms, code) {
					continue
				}
				found++
				require.NotEmpty(t, german["problem."+code+".message"], "%s is said in English only: %s", code, line)
			}
		}
	}
	require.Greater(t, found, 40, "the search finds them")
}

func TestRenderTheCodeWithoutSpaces(t *testing.T) {
	t.Parallel()
	pages := newPages(t, options())
	for _, code := range []string{"WDJB-MJHT", "ABCD1234", "A-B-C"} {
		html := page(t, pages, "en", picturebook.Sample{View: &web.View{Now: now, State: web.Pending, Flow: &web.Flow{Mode: web.Device, UserCode: code, ExpiresAt: now.Add(time.Minute)}}})
		element := regexp.MustCompile(`(?s)<p id="user-code"[^>]*>(.*?)</p>`).FindStringSubmatch(html)[1]
		require.Equal(t, code, regexp.MustCompile(`<[^>]*>`).ReplaceAllString(element, ""))
	}
}

func TestVersionChangesWithWhatIsSaidAndNotWithTime(t *testing.T) {
	t.Parallel()
	pages := newPages(t, options())
	version := func(v web.View) string {
		var b bytes.Buffer
		require.NoError(t, pages.Fragment(&b, "en", v))
		return regexp.MustCompile(`data-version="([0-9a-f]+)"`).FindStringSubmatch(b.String())[1]
	}
	v := web.View{State: web.Connected, Now: now, CSRF: "x", Connection: &web.Connection{Login: "ada", ExpiresAt: now.Add(time.Hour)}}
	later := v
	later.Now, later.CSRF = now.Add(time.Minute), "y"
	require.Equal(t, version(v), version(later))
	later.Now = now.Add(31 * time.Minute)
	require.NotEqual(t, version(v), version(later), "it ends soon")
	other := v
	other.Servers = []web.Server{{State: web.ServerQueued}}
	require.NotEqual(t, version(v), version(other))
}

func TestRenderIsAnErrorAndWritesNothingWhereItCannot(t *testing.T) {
	t.Parallel()
	pages := newPages(t, options())
	for name, write := range map[string]func(w io.Writer) error{
		"unknown state":                  func(w io.Writer) error { return pages.Page(w, "en", web.View{State: "other"}) },
		"no state":                       func(w io.Writer) error { return pages.Page(w, "en", web.View{}) },
		"a page that is not a state":     func(w io.Writer) error { return pages.Page(w, "en", web.View{State: "admin"}) },
		"pending without a flow":         func(w io.Writer) error { return pages.Page(w, "en", web.View{State: web.Pending}) },
		"connected without a connection": func(w io.Writer) error { return pages.Fragment(w, "en", web.View{State: web.Connected}) },
		"redirecting to a script":        func(w io.Writer) error { return pages.Redirect(w, "en", web.RedirectView{URL: "javascript:alert(1)"}) },
		"redirecting to a path":          func(w io.Writer) error { return pages.Redirect(w, "en", web.RedirectView{URL: "//evil.example"}) },
	} {
		var b bytes.Buffer
		require.Error(t, write(&b), name)
		require.Zero(t, b.Len(), name)
	}
}

func TestRedirectLeadsToGitHubWithAndWithoutAClick(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	require.NoError(t, newPages(t, options()).Redirect(&b, "en", web.RedirectView{URL: "https://github.com/login"}))
	require.Contains(t, b.String(), `<meta http-equiv="refresh" content="0; url=https://github.com/login"`)
	require.Contains(t, b.String(), `href="https://github.com/login"`)
}

func TestLanguageThatIsUnknownIsEnglish(t *testing.T) {
	t.Parallel()
	require.Contains(t, page(t, newPages(t, options()), "xx", picturebook.Samples(now)[0]), `<html lang="en">`)
}

func TestOptionsThatCannotWorkAreAllNamed(t *testing.T) {
	t.Parallel()
	_, err := web.New(web.Options{Prefix: "//evil/", HubPrefix: "hub", HubURL: "javascript:x", HelpURL: "data:x"})
	require.Error(t, err)
	for _, name := range []string{"Prefix", "HubPrefix", "HubURL", "GitHubHost", "HelpURL"} {
		require.ErrorContains(t, err, name)
	}
}
