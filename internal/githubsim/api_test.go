package githubsim_test

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/githubsim"
)

func TestUserAnswersWhoAmI(t *testing.T) {
	t.Parallel()
	sim := start(t)
	mona := "Bearer " + userToken(t, sim, "mona").str("access_token")
	a := send(t, "GET", sim.APIURL()+"/user", mona, nil)
	require.Equal(t, "mona", a.str("login"))
	require.Nil(t, a.body["email"])
	require.Equal(t, "5000", a.header.Get("X-RateLimit-Limit"))
	require.Equal(t, "4999", a.header.Get("X-RateLimit-Remaining"))
	require.Equal(t, sim.Now().UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT"), a.header.Get("Date"))
	require.Equal(t, "Requires authentication", send(t, "GET", sim.APIURL()+"/user", "", nil).str("message"))
	require.Equal(t, "Bad credentials", send(t, "GET", sim.APIURL()+"/user", "token ghu_x", nil).str("message"))
	require.Equal(t, 404, send(t, "GET", sim.APIURL()+"/nothing", mona, nil).status)
	require.EqualValues(t, 4999, send(t, "GET", sim.APIURL()+"/rate_limit", mona, nil).body["rate"].(map[string]any)["remaining"])
	require.Equal(t, "Bot", send(t, "GET", sim.APIURL()+"/users/"+githubsim.DefaultSlug+"%5Bbot%5D", "", nil).str("type"))
	require.Equal(t, githubsim.DefaultClientID, send(t, "GET", sim.APIURL()+"/apps/"+githubsim.DefaultSlug, "", nil).str("client_id"))
}

func TestAPIAllowsSixtyAnonymousCallsAnHour(t *testing.T) {
	t.Parallel()
	sim := start(t)
	for range 60 {
		require.Equal(t, 200, send(t, "GET", sim.APIURL()+"/users/mona", "", nil).status)
	}
	a := send(t, "GET", sim.APIURL()+"/users/mona", "", nil)
	require.Equal(t, 403, a.status)
	require.Equal(t, "0", a.header.Get("X-RateLimit-Remaining"))
	sim.Advance(time.Hour)
	require.Equal(t, 200, send(t, "GET", sim.APIURL()+"/users/mona", "", nil).status)
}

func TestInstallationsAndRepositoriesPage(t *testing.T) {
	t.Parallel()
	sim := start(t, func(o *githubsim.Options) {
		o.Accounts = []githubsim.Account{{Login: "octocat"}, {Login: "big", Org: true, Members: map[string]string{"octocat": "admin"}}}
		for i := range 250 {
			o.Repositories = append(o.Repositories, githubsim.Repository{FullName: fmt.Sprintf("big/r%03d", i), Private: true})
		}
	})
	id, err := sim.Install("big")
	require.NoError(t, err)
	auth := "Bearer " + userToken(t, sim, "octocat").str("access_token")
	a := send(t, "GET", sim.APIURL()+"/user/installations", auth, nil)
	require.EqualValues(t, 1, a.body["total_count"])
	first := a.body["installations"].([]any)[0].(map[string]any)
	require.Equal(t, "all", first["repository_selection"])
	require.Nil(t, first["suspended_at"])
	require.Equal(t, fmt.Sprintf("%s/organizations/big/settings/installations/%d", sim.URL(), id), first["html_url"])

	next, seen, pages := fmt.Sprintf("%s/user/installations/%d/repositories?per_page=100", sim.APIURL(), id), map[string]bool{}, 0
	for next != "" {
		a := send(t, "GET", next, auth, nil)
		pages++
		require.EqualValues(t, 250, a.body["total_count"])
		for _, r := range a.body["repositories"].([]any) {
			seen[r.(map[string]any)["full_name"].(string)] = true
		}
		next = relNext(a.header.Get("Link"))
	}
	require.Equal(t, 3, pages)
	require.Len(t, seen, 250)

	require.NoError(t, sim.Suspend(id, true))
	require.Equal(t, 403, send(t, "GET", fmt.Sprintf("%s/user/installations/%d/repositories", sim.APIURL(), id), auth, nil).status)
	require.NoError(t, sim.Suspend(id, false))
	sim.SAML("big", true)
	a = send(t, "GET", fmt.Sprintf("%s/user/installations/%d/repositories", sim.APIURL(), id), auth, nil)
	require.EqualValues(t, 0, a.body["total_count"])
	require.Contains(t, a.header.Get("X-GitHub-SSO"), "partial-results")
}

func relNext(link string) string {
	for _, part := range strings.Split(link, ", ") {
		if to, isNext := strings.CutSuffix(part, `>; rel="next"`); isNext {
			return strings.TrimPrefix(to, "<")
		}
	}
	return ""
}

func TestRevokeTokens(t *testing.T) {
	t.Parallel()
	sim := start(t)
	revoke := func(auth string, v ...string) answer {
		return send(t, "POST", sim.APIURL()+"/credentials/revoke", auth, map[string]any{"credentials": v})
	}
	a := userToken(t, sim, "mona")
	access, refresh := a.str("access_token"), a.str("refresh_token")
	require.Equal(t, 403, revoke("Bearer "+access, access).status, "unauthenticated only")
	require.Equal(t, 422, revoke("", "ghs_whatever").status)
	require.Equal(t, 422, revoke("").status)
	require.Equal(t, 422, revoke("", make([]string, 1001)...).status)
	require.Equal(t, 202, revoke("", access, "ghu_unknown").status)
	require.Equal(t, 401, send(t, "GET", sim.APIURL()+"/user", "Bearer "+access, nil).status)
	require.Equal(t, "live", sim.Tokens()[0].RefreshState)
	require.Equal(t, 202, revoke("", refresh).status)
	require.Equal(t, "bad_refresh_token", exchange(t, sim, "grant_type", "refresh_token", "refresh_token", refresh).str("error"))
	require.Len(t, sim.Stats().Emails, 2)
	for range 60 - 5 {
		revoke("", "ghu_unknown")
	}
	over := revoke("", "ghu_unknown")
	require.Equal(t, 429, over.status)
	require.NotEmpty(t, over.header.Get("Retry-After"))
}

const secret = "the-client-secret"

func withSecret(o *githubsim.Options) {
	o.Apps = []githubsim.App{{ClientID: githubsim.DefaultClientID, Slug: githubsim.DefaultSlug, ClientSecret: secret, CallbackURLs: []string{"http://127.0.0.1/cb"}}}
}

func TestRevokeByTheAppWithItsSecret(t *testing.T) {
	t.Parallel()
	sim := start(t, withSecret)
	one, two := userToken(t, sim, "mona").str("access_token"), userToken(t, sim, "mona").str("access_token")
	address := sim.APIURL() + "/applications/" + githubsim.DefaultClientID
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(githubsim.DefaultClientID+":"+secret))
	body := func(v string) any { return map[string]string{"access_token": v} }
	require.Equal(t, 404, send(t, "DELETE", address+"/token", "", body(one)).status)
	require.Equal(t, 404, send(t, "DELETE", address+"/token", "Basic "+base64.StdEncoding.EncodeToString([]byte(githubsim.DefaultClientID+":no")), body(one)).status)
	require.Equal(t, "mona", send(t, "POST", address+"/token", basic, body(one)).body["user"].(map[string]any)["login"])
	require.Equal(t, 204, send(t, "DELETE", address+"/token", basic, body(one)).status)
	require.Equal(t, 404, send(t, "DELETE", address+"/token", basic, body(one)).status)
	require.Equal(t, []string{"revoked", "live"}, []string{sim.Tokens()[0].State, sim.Tokens()[1].State})
	require.Equal(t, 204, send(t, "DELETE", address+"/grant", basic, body(two)).status)
	require.Equal(t, "grant revoked", sim.Tokens()[1].State)
}

func TestWebFlow(t *testing.T) {
	t.Parallel()
	const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" // RFC 7636, appendix B
	good := url.Values{"client_id": {githubsim.DefaultClientID}, "redirect_uri": {"http://127.0.0.1:8000/cb"}, "state": {"s1"},
		"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"}}
	for _, tc := range []struct {
		name, want string
		ask, give  map[string]string
		wait       time.Duration
		twice      bool
	}{
		{name: "works"},
		{name: "wrong verifier", want: "bad_verification_code", give: map[string]string{"code_verifier": "x"}},
		{name: "no verifier", want: "bad_verification_code", give: map[string]string{"code_verifier": ""}},
		{name: "no secret", want: "incorrect_client_credentials", give: map[string]string{"client_secret": ""}},
		{name: "another redirect", want: "redirect_uri_mismatch", give: map[string]string{"redirect_uri": "http://127.0.0.1/other"}},
		{name: "after 10 minutes", want: "bad_verification_code", wait: 10 * time.Minute},
		{name: "twice", want: "bad_verification_code", twice: true},
		{name: "foreign redirect", want: "refused", ask: map[string]string{"redirect_uri": "https://evil.example/cb"}},
		{name: "plain challenge", want: "refused", ask: map[string]string{"code_challenge_method": "plain"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			sim := start(t, withSecret)
			q := url.Values{}
			for k := range good {
				q.Set(k, good.Get(k))
			}
			for k, v := range tc.ask {
				q.Set(k, v)
			}
			back, err := sim.Authorize(sim.URL()+"/login/oauth/authorize?"+q.Encode(), "mona")
			if tc.want == "refused" {
				require.Error(t, err)
				return
			}
			require.NoError(t, err)
			u, err := url.Parse(back)
			require.NoError(t, err)
			require.Equal(t, "s1", u.Query().Get("state"))
			form := map[string]string{"client_secret": secret, "code": u.Query().Get("code"), "code_verifier": verifier}
			for k, v := range tc.give {
				form[k] = v
			}
			var kv []string
			for k, v := range form {
				kv = append(kv, k, v)
			}
			if tc.twice {
				exchange(t, sim, kv...)
			}
			sim.Advance(tc.wait)
			a := exchange(t, sim, kv...)
			require.Equal(t, tc.want, a.str("error"))
			require.Equal(t, tc.want == "", a.str("access_token") != "")
			if refresh := a.str("refresh_token"); refresh != "" {
				require.Equal(t, "incorrect_client_credentials", exchange(t, sim, "grant_type", "refresh_token", "refresh_token", refresh).str("error"))
				require.NotEmpty(t, exchange(t, sim, "grant_type", "refresh_token", "refresh_token", refresh, "client_secret", secret).str("access_token"))
			}
		})
	}
}

func TestInstallByAPerson(t *testing.T) {
	t.Parallel()
	sim := start(t)
	auth := "Bearer " + userToken(t, sim, "octocat").str("access_token")
	note := strconv.Itoa(int(repoID(t, sim, auth, "octocat/hello")))
	b := newBrowser(t, sim, "octocat")
	b.get("/apps/" + githubsim.DefaultSlug + "/installations/new")
	require.Contains(t, b.page, `id="account-octo-org"`)
	b.get("/apps/" + githubsim.DefaultSlug + "/installations/new/permissions?target=octocat")
	form := "/apps/" + githubsim.DefaultSlug + "/installations/new/permissions"
	b.post(form, "target", "octocat", "repository_selection", "selected")
	require.Equal(t, 422, b.code)
	b.post(form, "target", "octocat", "repository_selection", "selected", "repository_ids", note)
	require.Regexp(t, `^/settings/installations/\d+$`, b.at.Path)
	page := b.at.Path
	selection := func() any {
		list := send(t, "GET", sim.APIURL()+"/user/installations", auth, nil).body["installations"].([]any)
		if len(list) == 0 {
			return nil
		}
		return list[0].(map[string]any)["repository_selection"]
	}
	require.Equal(t, "selected", selection())
	b.post(page, "do", "save", "repository_selection", "all")
	require.Contains(t, b.page, `id="saved"`)
	require.Equal(t, "all", selection())
	b.post(page, "do", "suspend")
	require.Contains(t, b.page, `id="suspended"`)
	b.post(page, "do", "unsuspend")
	require.NotContains(t, b.page, `id="suspended"`)
	mona := newBrowser(t, sim, "mona")
	mona.get(page)
	require.Equal(t, 404, mona.code)
	b.post(page, "do", "uninstall")
	require.Nil(t, selection())
}

func repoID(t *testing.T, sim *githubsim.Server, auth, name string) float64 {
	t.Helper()
	a := send(t, "GET", sim.APIURL()+"/repos/"+name, auth, nil)
	require.Equal(t, 200, a.status, a.raw)
	return a.body["id"].(float64)
}
