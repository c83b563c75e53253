package githubapi_test

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/ghscoped/ghscoped-service/internal/flow"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/githubapi"
	"github.com/ghscoped/ghscoped-service/internal/githubsim"
)

var _ flow.GitHub = (*githubapi.Client)(nil)

func TestDeviceCodeToToken(t *testing.T) {
	t.Parallel()
	sim, c := newSim(t, githubsim.Options{})
	client := newClient(t, options(t, sim.URL(), c.Now))

	code, err := client.DeviceCode(t.Context())
	require.NoError(t, err)
	require.Regexp(t, `^[0-9A-F]{4}-[0-9A-F]{4}$`, code.UserCode)
	require.Equal(t, sim.URL()+"/login/device", code.VerificationURI)
	require.Equal(t, 15*time.Minute, code.ExpiresIn)
	require.Equal(t, 5*time.Second, code.Interval)

	poll := func() github.PollResult {
		got, err := client.PollOnce(t.Context(), code.DeviceCode)
		require.NoError(t, err)
		return got
	}
	require.Equal(t, github.PollPending, poll().Status)
	require.Equal(t, github.PollResult{Status: github.PollSlowDown, Interval: 10 * time.Second}, poll())

	require.NoError(t, sim.Approve(code.UserCode, "octocat"))
	c.Advance(10 * time.Second)
	got := poll()
	require.Equal(t, github.PollGranted, got.Status)
	require.Equal(t, c.Now().Add(8*time.Hour), got.Token.ExpiresAt)
	require.False(t, got.Token.Refresh.Empty())
	require.Equal(t, c.Now().Add(15897600*time.Second), got.Token.RefreshExpiresAt)
	require.Equal(t, 3, sim.PollSummary().Polls, "a poll is one request")

	c.Advance(10 * time.Second)
	require.Equal(t, github.PollIncorrect, poll().Status, "a code is used once")

	account, err := client.Account(t.Context(), got.Token.Access.String)
	require.NoError(t, err)
	require.Equal(t, "octocat", account.Login)
	require.Equal(t, "octocat@example.org", account.Email)
	require.NotZero(t, account.ID)
}

func TestDeviceCodeWorksWithAClockThatIsTenMinutesOff(t *testing.T) {
	t.Parallel()
	for name, off := range map[string]time.Duration{"fast": 10 * time.Minute, "slow": -10 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim, c := newSim(t, githubsim.Options{})
			client := newClient(t, options(t, sim.URL(), func() time.Time { return c.Now().Add(off) }))
			code, err := client.DeviceCode(t.Context())
			require.NoError(t, err)
			require.Equal(t, 15*time.Minute, code.ExpiresIn, "a time, not a moment")
			require.InDelta(t, -off.Seconds(), client.Skew().Seconds(), 2, "the doctor can tell")
			require.NoError(t, sim.Approve(code.UserCode, "octocat"))
			c.Advance(5 * time.Second)
			got, err := client.PollOnce(t.Context(), code.DeviceCode)
			require.NoError(t, err)
			require.Equal(t, github.PollGranted, got.Status)
			require.Equal(t, c.Now().Add(off).Add(8*time.Hour), got.Token.ExpiresAt, "by our clock")
			_, err = client.Account(t.Context(), got.Token.Access.String)
			require.NoError(t, err)
		})
	}
}

func TestPollOnceOfAFlowThatEndsWithoutAToken(t *testing.T) {
	t.Parallel()
	sim, c := newSim(t, githubsim.Options{})
	client := newClient(t, options(t, sim.URL(), c.Now))

	code, err := client.DeviceCode(t.Context())
	require.NoError(t, err)
	require.NoError(t, sim.Deny(code.UserCode))
	poll, err := client.PollOnce(t.Context(), code.DeviceCode)
	require.NoError(t, err)
	require.Equal(t, github.PollDenied, poll.Status)

	code, err = client.DeviceCode(t.Context())
	require.NoError(t, err)
	c.Advance(15 * time.Minute)
	poll, err = client.PollOnce(t.Context(), code.DeviceCode)
	require.NoError(t, err)
	require.Equal(t, github.PollExpired, poll.Status)
}

func TestDeviceCodeNamesAnAppThatIsSetUpWrongly(t *testing.T) {
	t.Parallel()
	sim, c := newSim(t, githubsim.Options{Apps: []githubsim.App{
		{ClientID: githubsim.DefaultClientID, Slug: "off", NoDeviceFlow: true},
		{ClientID: "eternal", Slug: "eternal", NoTokenExpiry: true},
	}})
	_, err := newClient(t, options(t, sim.URL(), c.Now)).DeviceCode(t.Context())
	requireCode(t, err, "device_flow_disabled", false)

	o := options(t, sim.URL(), c.Now)
	o.ClientID = "unknown"
	_, err = newClient(t, o).DeviceCode(t.Context())
	requireCode(t, err, "app_unknown", false)
	_, err = newClient(t, o).PollOnce(t.Context(), sec("x"))
	requireCode(t, err, "app_misconfigured", false)

	o.ClientID = "eternal"
	token := granted(t, sim, newClient(t, o), "mona")
	require.False(t, token.Access.Empty())
	require.Zero(t, token.ExpiresAt, "it is for the flow to refuse a token without an end")
	require.True(t, token.Refresh.Empty())
}

func TestPollOnceGivesEveryErrorAMeaning(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]struct {
		outcome github.PollStatus
		failure string
		passing bool
	}{
		"authorization_pending":        {outcome: github.PollPending},
		"slow_down":                    {outcome: github.PollSlowDown},
		"expired_token":                {outcome: github.PollExpired},
		"token_expired":                {outcome: github.PollExpired},
		"access_denied":                {outcome: github.PollDenied},
		"incorrect_device_code":        {outcome: github.PollIncorrect},
		"device_flow_disabled":         {failure: "device_flow_disabled"},
		"unsupported_grant_type":       {failure: "app_misconfigured"},
		"incorrect_client_credentials": {failure: "app_misconfigured"},
		"Not Found":                    {failure: "app_unknown"},
		"unverified_user_email":        {failure: "email_unverified"},
		"temporarily_unavailable":      {failure: "github_unreachable", passing: true},
		"something_new":                {failure: "github_refused"},
	} {
		for _, status := range []int{200, 400, 401, 404} {
			t.Run(fmt.Sprint(code, " with ", status), func(t *testing.T) {
				t.Parallel()
				body := fmt.Sprintf(`{"error":%q,"error_description":"marker"}`, code)
				client := clientOf(t, says(status, "application/json; charset=utf-8", body), time.Now)
				poll, err := client.PollOnce(t.Context(), sec("x"))
				if want.failure != "" {
					requireCode(t, err, want.failure, want.passing)
					return
				}
				require.NoError(t, err)
				require.Equal(t, want.outcome, poll.Status)
			})
		}
	}
}

func TestWebFlowWithPKCE(t *testing.T) {
	t.Parallel()
	const callback = "http://127.0.0.1:9/services/connect-github/github_callback"
	sim, c := newSim(t, githubsim.Options{Apps: []githubsim.App{{ClientID: githubsim.DefaultClientID, Slug: "web",
		ClientSecret: "the-secret", CallbackURLs: []string{callback}}}})
	o := options(t, sim.URL(), c.Now)
	o.ClientSecret = sec("the-secret")
	client := newClient(t, o)
	require.True(t, client.WebFlow())

	verifier := oauth2.GenerateVerifier()
	approve := func() string {
		back, err := sim.Authorize(client.AuthURL("the-state", verifier, callback, ""), "mona")
		require.NoError(t, err)
		u, err := url.Parse(back)
		require.NoError(t, err)
		require.Equal(t, "the-state", u.Query().Get("state"))
		return u.Query().Get("code")
	}
	code := approve()
	token, err := client.Exchange(t.Context(), code, verifier, callback)
	require.NoError(t, err)
	require.Equal(t, c.Now().Add(8*time.Hour), token.ExpiresAt)
	require.Equal(t, c.Now().Add(15897600*time.Second), token.RefreshExpiresAt)

	_, err = client.Exchange(t.Context(), code, verifier, callback)
	requireCode(t, err, "code_spent", false)
	_, err = client.Exchange(t.Context(), approve(), oauth2.GenerateVerifier(), callback)
	requireCode(t, err, "code_spent", false)

	o = options(t, sim.URL(), c.Now)
	o.ClientSecret = sec("wrong")
	_, err = newClient(t, o).Exchange(t.Context(), approve(), verifier, callback)
	requireCode(t, err, "app_misconfigured", false)
}

func TestRefreshEndsTheOldPair(t *testing.T) {
	t.Parallel()
	sim, c := newSim(t, githubsim.Options{})
	client := newClient(t, options(t, sim.URL(), c.Now))
	old := granted(t, sim, client, "mona")

	fresh, err := client.Refresh(t.Context(), old.Refresh.String)
	require.NoError(t, err)
	require.NotEqual(t, old.Access.Reveal(), fresh.Access.Reveal())
	_, err = client.Account(t.Context(), fresh.Access.String)
	require.NoError(t, err)
	_, err = client.Account(t.Context(), old.Access.String)
	requireCode(t, err, "token_dead", false)
	_, err = client.Refresh(t.Context(), old.Refresh.String)
	requireCode(t, err, "token_dead", false)
}

func TestRevokeMakesATokenDead(t *testing.T) {
	t.Parallel()
	app := githubsim.App{ClientID: githubsim.DefaultClientID, Slug: "s", ClientSecret: "the-secret"}
	for name, clientSecret := range map[string]string{"with the secret": "the-secret", "without": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim, c := newSim(t, githubsim.Options{Apps: []githubsim.App{app}})
			o := options(t, sim.URL(), c.Now)
			o.ClientSecret = sec(clientSecret)
			client := newClient(t, o)
			token := granted(t, sim, client, "mona").Access.String

			require.NoError(t, client.Revoke(t.Context(), token))
			_, err := client.Account(t.Context(), token)
			requireCode(t, err, "token_dead", false)
			require.NoError(t, client.Revoke(t.Context(), token), "a dead token is no error")
			require.Equal(t, clientSecret == "", len(sim.Stats().Emails) > 0, "only the anonymous way writes to the owner")
		})
	}
}

func TestRevokeCallsNothingARevocationThatDidNotHappen(t *testing.T) {
	t.Parallel()
	sim, c := newSim(t, githubsim.Options{Enterprise: true,
		Apps: []githubsim.App{{ClientID: githubsim.DefaultClientID, Slug: "s", ClientSecret: "the-secret"}}})
	client := newClient(t, options(t, sim.URL(), c.Now))
	token := granted(t, sim, client, "mona").Access.String
	requireCode(t, client.Revoke(t.Context(), token), "app_misconfigured", false)

	o := options(t, sim.URL(), c.Now)
	o.ClientSecret = sec("wrong")
	requireCode(t, newClient(t, o).Revoke(t.Context(), token), "app_misconfigured", false)

	for _, status := range []int{422, 500} {
		_, err := sim.Fault(githubsim.Fault{Kind: githubsim.FaultStatus, Status: status, Body: "{}", Times: 2})
		require.NoError(t, err)
		requireCode(t, client.Revoke(t.Context(), token), "github_unreachable", true)
		o.ClientSecret = sec("the-secret")
		requireCode(t, newClient(t, o).Revoke(t.Context(), token), "github_unreachable", true)
	}
	_, err := client.Account(t.Context(), token)
	require.NoError(t, err, "the token must still live")
}

func TestPollOnceWhoseAnswerIsLostIsRetryable(t *testing.T) {
	t.Parallel()
	sim, c := newSim(t, githubsim.Options{})
	client := newClient(t, options(t, sim.URL(), c.Now))
	code, err := client.DeviceCode(t.Context())
	require.NoError(t, err)
	require.NoError(t, sim.Approve(code.UserCode, "mona"))
	_, err = sim.Fault(githubsim.Fault{Endpoint: http.MethodPost + " /login/oauth/access_token", Kind: githubsim.FaultLost, Times: 1})
	require.NoError(t, err)
	_, err = client.PollOnce(t.Context(), code.DeviceCode)
	requireCode(t, err, "github_unreachable", true)
	c.Advance(5 * time.Second)
	poll, err := client.PollOnce(t.Context(), code.DeviceCode)
	require.NoError(t, err)
	require.Equal(t, github.PollIncorrect, poll.Status)
}
