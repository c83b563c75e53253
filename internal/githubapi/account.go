package githubapi

import (
	"context"
	"errors"
	"net/http"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// Account says whom a token belongs to (GET /user).
func (c *Client) Account(ctx context.Context, token secret.String) (github.Account, error) {
	var account github.Account
	_, err := c.call(ctx, c.rest("user", http.MethodGet, "user", token), &account, http.StatusOK)
	if err != nil {
		return github.Account{}, err
	}
	if account.ID == 0 || account.Login == "" {
		return github.Account{}, badAnswer(errors.New("user: neither id nor login"))
	}
	return account, nil
}

// Revoke makes a user's token invalid; one that is dead already is no error.
//
// With the client secret it asks for that one token to be deleted. Without, it
// reports the token as a leaked one, and GitHub writes to its owner.
func (c *Client) Revoke(ctx context.Context, token secret.String) error {
	if c.secret.Empty() {
		return c.revokeByCredential(ctx, token)
	}
	_, err := c.call(ctx, query{
		target: target{"delete_token", gateApp}, method: http.MethodDelete,
		url:   c.api.JoinPath("applications", c.clientID, "token"),
		json:  map[string]string{"access_token": token.Reveal()},
		basic: true,
	}, nil, http.StatusNoContent)
	switch statusOf(err) {
	case http.StatusNotFound:
		if err := c.surelyDead(ctx, token); err != nil {
			return err
		}
		return c.revokeRefresh(ctx, token)
	case http.StatusUnauthorized:
		return wrongSecret(err)
	case http.StatusUnprocessableEntity:
		return unreachable(err) // "spammed", says GitHub: later
	}
	return err
}

// revokeByCredential is POST /credentials/revoke: without authentication, 60 an hour.
func (c *Client) revokeByCredential(ctx context.Context, token secret.String) error {
	_, err := c.call(ctx, query{
		target: target{"revoke_credentials", gateRevoke}, method: http.MethodPost,
		url:  c.api.JoinPath("credentials/revoke"),
		json: map[string][]string{"credentials": {token.Reveal()}},
	}, nil, http.StatusAccepted)
	switch statusOf(err) {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
		return misconfigured("This GitHub revokes tokens only for an App with its client secret: an administrator must set it.", err)
	case http.StatusUnprocessableEntity:
		return unreachable(err)
	}
	return err
}

// revokeRefresh ends what is no access token (any more): a dead one, to which
// this does nothing, or a refresh token, which DELETE …/token does not know. A
// GitHub that does not take refresh tokens this way does not mean that the token is invalid.
func (c *Client) revokeRefresh(ctx context.Context, token secret.String) error {
	if err := c.revokeByCredential(ctx, token); apierror.IsRetryable(err) {
		return err
	}
	return nil
}

// surelyDead tells the two causes of a 404 apart: a token that is dead, and a
// client id that is not the token's. Calling a live token revoked would be
// worse than one more call.
func (c *Client) surelyDead(ctx context.Context, token secret.String) error {
	_, err := c.Account(ctx, token)
	if statusOf(err) == http.StatusUnauthorized {
		return nil
	}
	if err != nil {
		return err
	}
	return misconfigured("An administrator must check the client id: GitHub does not know this token as the App's.", statusError{status: http.StatusNotFound})
}
