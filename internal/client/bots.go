package client

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// BotToken is an installation token for a bot.
type BotToken struct {
	Token secret.Stored `json:"token"`
	// ExpiresAt is by this machine's clock.
	ExpiresAt    time.Time         `json:"expires_at"`
	Repositories []string          `json:"repositories"`
	Permissions  map[string]string `json:"permissions"`
	// Git is what commits by it should carry; empty where GitHub did not say it.
	Git GitIdentity `json:"git"`
}

// GitIdentity is an author as git names one.
type GitIdentity struct {
	Name  string `json:"name"`
	Email string `json:"email"`
}

// BotRequest is what a bot asks for.
type BotRequest struct {
	Repositories []string          `json:"repositories"`
	Permissions  map[string]string `json:"permissions"`
	// Exclusive: nobody else gets this token, so that revoking it ends no other
	// job.
	Exclusive bool `json:"exclusive,omitempty"`
	// Fresh asks for a new token, whatever the policy says of reuse.
	Fresh bool `json:"fresh,omitempty"`
}

// BotToken asks for an installation token.
func (c *Client) BotToken(ctx context.Context, asked BotRequest) (BotToken, error) {
	var got BotToken
	if err := c.call(ctx, http.MethodPost, "api/bot-tokens", asked, &got); err != nil {
		return BotToken{}, c.forBots(err)
	}
	if got.Token.Empty() || got.ExpiresAt.IsZero() {
		return BotToken{}, notTheService(http.StatusOK, errors.New("no token in it"))
	}
	got.ExpiresAt = got.ExpiresAt.Add(-c.Skew())
	return got, nil
}

// RevokeBotToken ends a token, named by its SHA-256. One that has ended already
// is no error.
func (c *Client) RevokeBotToken(ctx context.Context, id string) error {
	err := c.call(ctx, http.MethodDelete, "api/bot-tokens/"+url.PathEscape(id), nil, nil)
	if Is(err, apierror.CodeTokenUnknown) {
		return nil
	}
	return c.forBots(err)
}

// forBots says to a bot with a Hub token what other callers, servers of users, are
// told in their own words.
func (c *Client) forBots(err error) error {
	var e *Error
	if c.identity != nil || !errors.As(err, &e) {
		return err
	}
	switch e.Code {
	case apierror.CodeNoAccess:
		e.Message = "This Hub token does not allow access to the service “Connect GitHub”."
		e.Hint = "An administrator of the Hub must give the bot's Hub service a role with access:services!service=connect-github."
	case apierror.CodeBadToken:
		e.Message, e.Hint = "The Hub does not know this token (any more).", "Check JUPYTERHUB_API_TOKEN."
	}
	return err
}
