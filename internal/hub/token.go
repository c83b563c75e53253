package hub

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// ServerToken is a Hub token that opens one server of a user and does nothing else
// at the Hub than to say whose it is, and the id by which it is deleted.
type ServerToken struct {
	ID    string
	Token secret.String
}

// accessServer is the scope that opens one server of a user.
func accessServer(user, server string) string { return "access:servers!server=" + user + "/" + server }

// ServerToken makes a token for one server of a user, valid for lifetime at most,
// which the Hub counts in whole seconds. Needs the scope tokens for that user; the
// Hub answers 400 where the user may not open the server, or lifetime is longer
// than the Hub's token_expires_in_max_seconds. A token that can do more than was
// asked for (JupyterHub 2 knows no scopes here) is deleted and refused.
func (c *Client) ServerToken(ctx context.Context, token secret.String, user, server string, lifetime time.Duration) (ServerToken, error) {
	scope := accessServer(user, server)
	body, err := json.Marshal(map[string]any{
		"scopes": []string{scope}, "expires_in": int(lifetime.Seconds()), "note": "delivery of a GitHub token to one server",
	})
	if err != nil {
		return ServerToken{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	var answer struct {
		ID     string   `json:"id"`
		Token  string   `json:"token"`
		Scopes []string `json:"scopes"`
	}
	target := Address{URL: c.api.JoinPath("users", url.PathEscape(user), "tokens")}
	if err := exchange(ctx, c.http, http.MethodPost, target, token, bytes.NewReader(body), &answer); err != nil {
		return ServerToken{}, err
	}
	made := ServerToken{ID: answer.ID, Token: secret.New(answer.Token)}
	if made.Token.Empty() || !opensOnly(scope, answer.Scopes) {
		return ServerToken{}, errors.Join(errOtherToken, c.DeleteToken(ctx, token, user, made.ID))
	}
	return made, nil
}

var errOtherToken = errors.New("the Hub made another token than the one asked for")

// opensOnly reports whether a token with these scopes has the one that was asked
// for and, besides, only those by which every token says whose it is.
func opensOnly(scope string, scopes []string) bool {
	return slices.Contains(scopes, scope) && !slices.ContainsFunc(scopes, func(s string) bool {
		return s != scope && !slices.Contains([]string{"read:users:name", "read:users:groups"}, baseScope(s))
	})
}

// baseScope is a scope without its "!filter".
func baseScope(scope string) string {
	base, _, _ := strings.Cut(scope, "!")
	return base
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

// IsServer reports whether the token that told of u is the own token of this
// server of u, the JUPYTERHUB_API_TOKEN in its environment. Among a user's tokens
// that one alone has the server's name and, since every server reports it, the
// user's activity in its scopes: one made by [Client.ServerToken], and one that a
// browser shows the server, open it as well, but may not report anything.
func (u User) IsServer(user, server string) bool {
	return u.Kind == "user" && u.Name == user && slices.Contains(u.Scopes, accessServer(user, server)) &&
		slices.ContainsFunc(u.Scopes, func(s string) bool { return baseScope(s) == "users:activity" })
}
