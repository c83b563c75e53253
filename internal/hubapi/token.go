package hubapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// ServerToken makes a token for one server of a user, valid for lifetime at most,
// which the Hub counts in whole seconds. Needs the scope tokens for that user; the
// Hub answers 400 where the user may not open the server, or lifetime is longer
// than the Hub's token_expires_in_max_seconds. A token that can do more than was
// asked for (JupyterHub 2 knows no scopes here) is deleted and refused.
func (c *Client) ServerToken(ctx context.Context, token secret.String, user, server string, lifetime time.Duration) (hub.ServerToken, error) {
	scope := hub.AccessServer(user, server)
	body, err := json.Marshal(map[string]any{
		"scopes": []string{scope}, "expires_in": int(lifetime.Seconds()), "note": "delivery of a GitHub token to one server",
	})
	if err != nil {
		return hub.ServerToken{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	var answer struct {
		ID     string   `json:"id"`
		Token  string   `json:"token"`
		Scopes []string `json:"scopes"`
	}
	target := hub.Address{URL: c.api.JoinPath("users", url.PathEscape(user), "tokens")}
	if err := exchange(ctx, c.http, http.MethodPost, target, token, bytes.NewReader(body), &answer); err != nil {
		return hub.ServerToken{}, err
	}
	made := hub.ServerToken{ID: answer.ID, Token: secret.New(answer.Token)}
	if made.Token.Empty() || !opensOnly(scope, answer.Scopes) {
		return hub.ServerToken{}, errors.Join(errOtherToken, c.DeleteToken(ctx, token, user, made.ID))
	}
	return made, nil
}

var errOtherToken = errors.New("the Hub made another token than the one asked for")

// opensOnly reports whether a token with these scopes has the one that was asked
// for and, besides, only those by which every token says whose it is.
func opensOnly(scope string, scopes []string) bool {
	return slices.Contains(scopes, scope) && !slices.ContainsFunc(scopes, func(s string) bool {
		return s != scope && !slices.Contains([]string{"read:users:name", "read:users:groups"}, hub.BaseScope(s))
	})
}

// DeleteToken ends a token of a user. One that is gone already is no error. Needs
// the scope tokens for that user.
func (c *Client) DeleteToken(ctx context.Context, token secret.String, user, id string) error {
	err := c.call(ctx, http.MethodDelete, c.api.JoinPath("users", url.PathEscape(user), "tokens", url.PathEscape(id)), token, nil)
	if Status(err) == http.StatusNotFound {
		return nil
	}
	return err
}
