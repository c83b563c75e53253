package githubapi

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// tokenAnswer is what the token endpoint says, well or badly.
type tokenAnswer struct {
	Error            string `json:"error"`
	Interval         int64  `json:"interval"`
	AccessToken      string `json:"access_token"`
	ExpiresIn        int64  `json:"expires_in"`
	RefreshToken     string `json:"refresh_token"`
	RefreshExpiresIn int64  `json:"refresh_token_expires_in"`
}

// tokenCall asks the token endpoint. It sends the client id in the form, and no
// secret unless the form has it: a device flow has none.
func (c *Client) tokenCall(ctx context.Context, endpoint string, form url.Values) (tokenAnswer, error) {
	form.Set("client_id", c.clientID)
	var got tokenAnswer
	_, err := c.oauthCall(ctx, endpoint, "login/oauth/access_token", form, &got)
	return got, err
}

// oauthCall posts a form to one of the two OAuth endpoints. GitHub answers
// errors with 200, some of them with 400, 401 or 404: the body decides, and
// into has a field for its error.
func (c *Client) oauthCall(ctx context.Context, endpoint, path string, form url.Values, into any) (answer, error) {
	q := query{target: target{endpoint, gateOAuth}, method: http.MethodPost, url: c.web.JoinPath(path), form: form}
	a, err := c.send(ctx, q)
	if err != nil {
		return a, err
	}
	var fault struct {
		Error string `json:"error"`
	}
	if a.status == http.StatusOK || (a.decode(&fault) == nil && fault.Error != "") {
		return a, a.decode(into)
	}
	err = ofStatus(a.refusal())
	if a.status >= 400 && statusOf(err) != 0 {
		return a, badAnswer(err) // somebody else's page; a flow can outlive it
	}
	return a, err
}

// token is the token of a good answer.
func (c *Client) token(got tokenAnswer) (github.Token, error) {
	if got.AccessToken == "" {
		return github.Token{}, badAnswer(errors.New("neither a token nor an error"))
	}
	return github.Token{
		Access:           secret.Store(secret.New(got.AccessToken)),
		ExpiresAt:        c.in(got.ExpiresIn),
		Refresh:          secret.Store(secret.New(got.RefreshToken)),
		RefreshExpiresAt: c.in(got.RefreshExpiresIn),
	}, nil
}

// in is the time n seconds from now; zero for none.
func (c *Client) in(n int64) time.Time {
	if d := seconds(n, 0); d > 0 {
		return c.clock().Add(d)
	}
	return time.Time{}
}

// Refresh trades a refresh token for a new pair (RFC 6749, 6). Both old tokens
// are dead afterwards, also when the answer is lost on its way. The client
// secret goes along where there is one: tokens of the web flow need it, those
// of the device flow do not mind.
func (c *Client) Refresh(ctx context.Context, refresh secret.String) (github.Token, error) {
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh.Reveal()}}
	if !c.secret.Empty() {
		form.Set("client_secret", c.secret.Reveal())
	}
	got, err := c.tokenCall(ctx, "refresh", form)
	if err != nil {
		return github.Token{}, err
	}
	if got.Error != "" {
		return github.Token{}, ofOAuth(got.Error)
	}
	return c.token(got)
}

// WebFlow reports whether a client secret is there, which the web flow needs.
func (c *Client) WebFlow() bool { return !c.secret.Empty() }

// AuthURL is where a browser is sent to approve (RFC 6749, 4.1.1; RFC 7636).
// verifier is one of oauth2.GenerateVerifier. login is the account that GitHub
// suggests; without one it has the person choose, so that somebody with several
// accounts is not connected with whichever GitHub knows last
// (https://docs.github.com/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps).
func (c *Client) AuthURL(state, verifier, redirect, login string) string {
	config := c.oauth
	config.RedirectURL = redirect
	who := oauth2.SetAuthURLParam("login", login)
	if login == "" {
		who = oauth2.SetAuthURLParam("prompt", "select_account")
	}
	return config.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier), who)
}

// Exchange trades the code that the browser brought back for a token (RFC 6749,
// 4.1.3). The code is spent by the attempt, whatever the outcome.
func (c *Client) Exchange(ctx context.Context, code, verifier, redirect string) (github.Token, error) {
	config := c.oauth
	config.RedirectURL = redirect
	ctx = withTarget(ctx, target{"web_exchange", gateOAuth})
	ctx = context.WithValue(ctx, oauth2.HTTPClient, c.http)
	got, err := config.Exchange(ctx, code, oauth2.VerifierOption(verifier))
	if err != nil {
		return github.Token{}, ofExchange(err)
	}
	refreshExpires, _ := got.Extra("refresh_token_expires_in").(float64)
	return c.token(tokenAnswer{AccessToken: got.AccessToken, ExpiresIn: got.ExpiresIn,
		RefreshToken: got.RefreshToken, RefreshExpiresIn: int64(refreshExpires)})
}

// ofExchange leaves behind the body that x/oauth2 puts into its errors.
func ofExchange(err error) error {
	var answered *oauth2.RetrieveError
	var own *apierror.Error
	var sent *url.Error
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &answered) && answered.ErrorCode != "":
		return ofOAuth(answered.ErrorCode)
	case errors.As(err, &answered):
		return ofStatus(statusError{status: answered.Response.StatusCode})
	case errors.As(err, &sent):
		return unreachable(err)
	}
	return badAnswer(errors.New("web_exchange: no proper answer"))
}
