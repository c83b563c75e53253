package githubsim_test

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/githubsim"
)

func TestDeviceCodeAnswersAsGitHubDoes(t *testing.T) {
	t.Parallel()
	sim := start(t)
	a := deviceCode(t, sim)
	require.Len(t, a.str("device_code"), 40)
	require.Regexp(t, `^[0-9A-F]{4}-[0-9A-F]{4}$`, a.str("user_code"))
	require.Equal(t, sim.URL()+"/login/device", a.str("verification_uri"))
	require.EqualValues(t, 900, a.body["expires_in"])
	require.EqualValues(t, 5, a.body["interval"])
	require.NotContains(t, a.body, "verification_uri_complete")

	res, err := http.PostForm(sim.URL()+"/login/device/code", url.Values{"client_id": {githubsim.DefaultClientID}})
	require.NoError(t, err)
	res.Body.Close()
	require.Contains(t, res.Header.Get("Content-Type"), "application/x-www-form-urlencoded")

	wrong := send(t, "POST", sim.URL()+"/login/device/code", "", url.Values{"client_id": {"nobody"}})
	require.Equal(t, 404, wrong.status)
	require.JSONEq(t, `{"error":"Not Found"}`, wrong.raw)
}

func TestDeviceFlowErrors(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, want string
		form       map[string]string
		before     func(sim *githubsim.Server, d answer)
	}{
		{name: "nobody has decided", want: "authorization_pending"},
		{name: "cancelled", want: "access_denied", before: func(s *githubsim.Server, d answer) { _ = s.Deny(d.str("user_code")) }},
		{name: "15 minutes are over", want: "expired_token", before: func(s *githubsim.Server, _ answer) { s.Advance(15 * time.Minute) }},
		{name: "approved too late", want: "expired_token", before: func(s *githubsim.Server, d answer) {
			_ = s.Approve(d.str("user_code"), "mona")
			s.Advance(15 * time.Minute)
		}},
		{name: "unknown device code", want: "incorrect_device_code", form: map[string]string{"device_code": "0000"}},
		{name: "another grant type", want: "unsupported_grant_type", form: map[string]string{"grant_type": "password"}},
		{name: "no grant type", want: "unsupported_grant_type", form: map[string]string{"grant_type": ""}},
		{name: "another client", want: "incorrect_client_credentials", form: map[string]string{"client_id": "nobody"}},
		{name: "device flow switched off meanwhile", want: "device_flow_disabled", before: func(s *githubsim.Server, _ answer) {
			_ = s.PutApp(githubsim.App{ClientID: githubsim.DefaultClientID, Slug: githubsim.DefaultSlug, NoDeviceFlow: true})
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			sim := start(t)
			d := deviceCode(t, sim)
			if tc.before != nil {
				tc.before(sim, d)
			}
			var kv []string
			for k, v := range tc.form {
				kv = append(kv, k, v)
			}
			a := poll(t, sim, d.str("device_code"), kv...)
			require.Equal(t, 200, a.status)
			require.Equal(t, tc.want, a.str("error"))
			require.NotEmpty(t, a.str("error_description"))
			require.NotEmpty(t, a.str("error_uri"))
			require.Empty(t, sim.Tokens())
		})
	}
}

func TestDeviceFlowOffRefusesACode(t *testing.T) {
	t.Parallel()
	sim := start(t, func(o *githubsim.Options) {
		o.Apps = []githubsim.App{{ClientID: githubsim.DefaultClientID, Slug: "x", NoDeviceFlow: true}}
	})
	a := send(t, "POST", sim.URL()+"/login/device/code", "", url.Values{"client_id": {githubsim.DefaultClientID}})
	require.Equal(t, 400, a.status)
	require.Equal(t, "device_flow_disabled", a.str("error"))
}

func TestDeviceIntervalIsEnforcedAndRaised(t *testing.T) {
	t.Parallel()
	sim := start(t)
	d := deviceCode(t, sim)
	step := func(wait time.Duration, want string) answer {
		t.Helper()
		sim.Advance(wait)
		a := poll(t, sim, d.str("device_code"))
		require.Equal(t, want, a.str("error"))
		return a
	}
	step(5*time.Second, "authorization_pending")
	step(5*time.Second, "authorization_pending")
	slow := step(4999*time.Millisecond, "slow_down")
	require.EqualValues(t, 10, slow.body["interval"])
	require.EqualValues(t, 15, step(5*time.Second, "slow_down").body["interval"])
	step(15*time.Second, "authorization_pending")
	require.NoError(t, sim.Approve(d.str("user_code"), "mona"))
	step(14*time.Second, "slow_down") // approved or not
	sim.Advance(20 * time.Second)
	require.NotEmpty(t, poll(t, sim, d.str("device_code")).str("access_token"))

	p := sim.Stats().DeviceCodes[0]
	require.Equal(t, 7, p.Polls)
	require.Equal(t, 3, p.TooEarly)
	require.Equal(t, 5*time.Second, p.FirstAfter)
	require.Equal(t, 4999*time.Millisecond, p.MinDistance)
	require.Equal(t, -time.Millisecond, sim.PollSummary().MinSlack)
	require.Equal(t, map[string]int{"authorization_pending": 3, "slow_down": 3, "success": 1}, p.Answers)
}

func TestDevicePollThatAFaultAnsweredIsCountedAndTimed(t *testing.T) {
	t.Parallel()
	sim := start(t)
	d := deviceCode(t, sim)
	_, err := sim.Fault(githubsim.Fault{Endpoint: "POST /login/oauth/access_token", Kind: githubsim.FaultHTML502, Times: 1})
	require.NoError(t, err)
	require.Equal(t, 502, poll(t, sim, d.str("device_code")).status)
	sim.Advance(3 * time.Second)
	require.Equal(t, "slow_down", poll(t, sim, d.str("device_code")).str("error"))
	require.Equal(t, 2, sim.Stats().DeviceCodes[0].Polls)
}

func TestDeviceCodeGivesOneToken(t *testing.T) {
	t.Parallel()
	sim := start(t)
	d := deviceCode(t, sim)
	require.NoError(t, sim.Approve(d.str("user_code"), "mona"))
	require.Error(t, sim.Approve(d.str("user_code"), "octocat"))
	a := poll(t, sim, d.str("device_code"))
	require.Regexp(t, `^ghu_\w{36}$`, a.str("access_token"))
	require.Regexp(t, `^ghr_\w{76}$`, a.str("refresh_token"))
	require.EqualValues(t, 28800, a.body["expires_in"])
	require.EqualValues(t, 15897600, a.body["refresh_token_expires_in"])
	require.Equal(t, "", a.body["scope"])
	require.Equal(t, "bearer", a.str("token_type"))
	sim.Advance(5 * time.Second)
	require.Equal(t, "incorrect_device_code", poll(t, sim, d.str("device_code")).str("error"))
}

func TestSetTokenLifeIsForTheTokensOfOneAccountFromNowOn(t *testing.T) {
	t.Parallel()
	sim := start(t)
	lives := func(login string) any {
		d := deviceCode(t, sim)
		require.NoError(t, sim.Approve(d.str("user_code"), login))
		return poll(t, sim, d.str("device_code")).body["expires_in"]
	}
	sim.SetTokenLife("Mona", 5*time.Minute)
	require.EqualValues(t, 300, lives("mona"))
	require.EqualValues(t, 28800, lives("octocat"))
	sim.Advance(5*time.Minute + time.Second)
	require.Equal(t, "expired", sim.Tokens()[0].State)
	require.Equal(t, "live", sim.Tokens()[1].State)
}

func TestAppWithoutExpiryGivesNoRefreshToken(t *testing.T) {
	t.Parallel()
	sim := start(t, func(o *githubsim.Options) {
		o.Apps = []githubsim.App{{ClientID: githubsim.DefaultClientID, Slug: "x", NoTokenExpiry: true}}
	})
	a := userToken(t, sim, "mona")
	for _, k := range []string{"expires_in", "refresh_token", "refresh_token_expires_in"} {
		require.NotContains(t, a.body, k)
	}
}

func TestRefreshTokensAreSingleUse(t *testing.T) {
	t.Parallel()
	sim := start(t)
	first := userToken(t, sim, "mona")
	refresh := func(v string) answer { return exchange(t, sim, "grant_type", "refresh_token", "refresh_token", v) }
	second := refresh(first.str("refresh_token"))
	require.NotEmpty(t, second.str("access_token"), second.raw)
	require.Equal(t, 401, send(t, "GET", sim.APIURL()+"/user", "Bearer "+first.str("access_token"), nil).status)
	require.Equal(t, 200, send(t, "GET", sim.APIURL()+"/user", "Bearer "+second.str("access_token"), nil).status)
	require.Equal(t, "bad_refresh_token", refresh(first.str("refresh_token")).str("error"))
	sim.Advance(9 * time.Hour)
	require.Equal(t, 401, send(t, "GET", sim.APIURL()+"/user", "Bearer "+second.str("access_token"), nil).status)
	require.NotEmpty(t, refresh(second.str("refresh_token")).str("access_token"))
}

func TestTokensEvictTheFirstAtTheEleventh(t *testing.T) {
	t.Parallel()
	sim := start(t)
	for range 11 {
		userToken(t, sim, "mona")
	}
	userToken(t, sim, "octocat")
	tokens := sim.Tokens()
	require.Equal(t, "evicted", tokens[0].State)
	for _, token := range tokens[1:] {
		require.Equal(t, "live", token.State)
	}
}

func TestDevicePageTakesTheCode(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, button, shows, want string }{
		{"and authorizes", "1", "device-done", ""},
		{"and cancels", "0", "device-cancelled", "access_denied"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			sim := start(t)
			d := deviceCode(t, sim)
			b := newBrowser(t, sim, "mona")
			b.get("/login/device?user_code=" + d.str("user_code"))
			require.NotContains(t, b.page, d.str("user_code"), "never prefilled")
			b.post("/login/device", "user_code", "ZZZZ-ZZZZ")
			require.Equal(t, 422, b.code)
			b.post("/login/device", "user_code", d.str("user_code"))
			require.Equal(t, "/login/device/confirmation", b.at.Path)
			b.post("/login/device/confirmation", "authorize", tc.button)
			require.Contains(t, b.page, tc.shows)
			require.Equal(t, tc.want, poll(t, sim, d.str("device_code")).str("error"))
		})
	}
}

func TestDevicePageTakesFiftyCodesAnHour(t *testing.T) {
	t.Parallel()
	sim := start(t)
	b := newBrowser(t, sim, "mona")
	d := deviceCode(t, sim)
	for range 50 {
		b.get("/login/device")
		b.post("/login/device", "user_code", d.str("user_code"))
		require.Equal(t, 200, b.code)
	}
	b.get("/login/device")
	b.post("/login/device", "user_code", d.str("user_code"))
	require.Equal(t, 429, b.code)
	sim.Advance(time.Hour)
	d = deviceCode(t, sim)
	b.post("/login/device", "user_code", d.str("user_code"))
	require.Equal(t, 200, b.code)
}

func TestFormFromElsewhereIsRefused(t *testing.T) {
	t.Parallel()
	sim := start(t)
	d := deviceCode(t, sim)
	b := newBrowser(t, sim, "mona")
	b.page = ""
	b.post("/login/device", "user_code", d.str("user_code"))
	require.Equal(t, 422, b.code)
}

func TestSignInFollowsNoDirectionOutside(t *testing.T) {
	t.Parallel()
	sim := start(t)
	b := newBrowser(t, sim, "mona")
	for _, to := range []string{"//evil.example", "https://evil.example", `/\evil.example`} {
		b.post("/session", "login", "mona", "return_to", to)
		require.Equal(t, sim.URL()+"/", fmt.Sprint(b.at))
	}
}
