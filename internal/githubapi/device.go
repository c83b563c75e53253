package githubapi

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/secret"
	"github.com/ghscoped/ghscoped-service/internal/webaddr"
)

// Why not oauth2.DeviceAccessToken: it polls by itself, sends each pending poll
// twice, ends the flow at a 5xx and takes a 200 that says "error" for a token.
// A flow here is a record that survives restarts, so one poll is one call.

// DeviceCode begins a device flow (RFC 8628, 3.1). GitHub ignores scopes for
// Apps, so none are sent.
func (c *Client) DeviceCode(ctx context.Context) (github.DeviceCode, error) {
	var got struct {
		Error           string `json:"error"`
		DeviceCode      string `json:"device_code"`
		UserCode        string `json:"user_code"`
		VerificationURI string `json:"verification_uri"`
		ExpiresIn       int64  `json:"expires_in"`
		Interval        int64  `json:"interval"`
	}
	a, err := c.oauthCall(ctx, "device_code", "login/device/code", url.Values{"client_id": {c.clientID}}, &got)
	if err != nil {
		if a.status == http.StatusNotFound { // a GitHub that does not say more
			return github.DeviceCode{}, ofOAuth("Not Found")
		}
		return github.DeviceCode{}, err
	}
	if got.Error != "" {
		return github.DeviceCode{}, ofOAuth(got.Error)
	}
	if got.DeviceCode == "" || got.UserCode == "" {
		return github.DeviceCode{}, badAnswer(errors.New("device_code: no code"))
	}
	return github.DeviceCode{
		DeviceCode:      secret.New(got.DeviceCode),
		UserCode:        got.UserCode,
		VerificationURI: c.ownPage(got.VerificationURI, c.web.JoinPath("login/device").String()),
		ExpiresIn:       seconds(got.ExpiresIn, 15*time.Minute),
		Interval:        seconds(got.Interval, 5*time.Second),
	}, nil
}

// PollOnce asks once whether the code was approved (RFC 8628, 3.4). A token
// without an expiry is returned as it came, with a zero ExpiresAt.
func (c *Client) PollOnce(ctx context.Context, deviceCode secret.String) (github.PollResult, error) {
	return c.PollOnceFor(ctx, deviceCode, 0)
}

// PollOnceFor is [Client.PollOnce] for a token that reaches one repository only,
// by its id; 0: all of them. GitHub ignores the id of a repository that the App
// or the person cannot access ("Generating a user access token for a GitHub
// App", repository_id), so what came must be checked with [Client.Access].
func (c *Client) PollOnceFor(ctx context.Context, deviceCode secret.String, repositoryID int64) (github.PollResult, error) {
	form := url.Values{
		"grant_type":  {"urn:ietf:params:oauth:grant-type:device_code"},
		"device_code": {deviceCode.Reveal()},
	}
	if repositoryID != 0 {
		form.Set("repository_id", strconv.FormatInt(repositoryID, 10))
	}
	got, err := c.tokenCall(ctx, "device_poll", form)
	if err != nil {
		return github.PollResult{}, err
	}
	switch got.Error {
	case "":
		token, err := c.token(got)
		return github.PollResult{Status: github.PollGranted, Token: token}, err
	case "authorization_pending":
		return github.PollResult{Status: github.PollPending}, nil
	case "slow_down":
		c.metrics.SlowedDown()
		return github.PollResult{Status: github.PollSlowDown, Interval: seconds(got.Interval, 0)}, nil
	case "expired_token", "token_expired":
		return github.PollResult{Status: github.PollExpired}, nil
	case "access_denied":
		return github.PollResult{Status: github.PollDenied}, nil
	case "incorrect_device_code":
		return github.PollResult{Status: github.PollIncorrect}, nil
	}
	return github.PollResult{}, ofOAuth(got.Error)
}

// ownPage is an address that GitHub named, if it is one of GitHub's own pages:
// people are sent there. Otherwise it is fallback.
func (c *Client) ownPage(address, fallback string) string {
	page, err := url.Parse(address)
	if err != nil || page.Scheme != c.web.Scheme || !webaddr.SameHost(page.Scheme, page.Host, c.web.Host) {
		return fallback
	}
	return page.String()
}

// seconds turns a number of GitHub's into a duration of at most a year.
func seconds(n int64, missing time.Duration) time.Duration {
	if n <= 0 {
		return missing
	}
	return time.Duration(min(n, 365*24*3600)) * time.Second
}
