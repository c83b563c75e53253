package githubapi

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"path"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// registration is an App as GET /app and GET /apps/SLUG show it.
type registration struct {
	Slug        string            `json:"slug"`
	ClientID    string            `json:"client_id"`
	Permissions map[string]string `json:"permissions"`
}

func (r registration) app() (github.App, error) {
	if !github.IsName(r.Slug) {
		return github.App{}, badAnswer(errors.New("app: no slug"))
	}
	return github.App{Slug: r.Slug, ClientID: r.ClientID, Permissions: r.Permissions}, nil
}

// PublicApp asks for the App as anybody sees it. Of an App that is not public
// GitHub says that there is none: the error's code is app_not_public.
func (c *Client) PublicApp(ctx context.Context) (github.App, error) {
	var got registration
	slug := path.Base(c.appURL)
	a, err := c.call(ctx, c.rest("public_app", http.MethodGet, "apps/"+url.PathEscape(slug), secret.String{}), &got, http.StatusOK)
	switch statusOf(err) {
	case 0:
	case http.StatusNotFound:
		var body struct {
			Message string `json:"message"`
		}
		if a.decode(&body) != nil || body.Message == "" {
			return github.App{}, badAnswer(err) // a 404 that is not GitHub's
		}
		return github.App{}, &apierror.Error{Code: apierror.CodeAppNotPublic, Message: "GitHub shows no App at " + c.appURL + ".",
			Hint: "An administrator must make the App public, or correct its address.", Err: err}
	case http.StatusUnauthorized:
		return github.App{}, &apierror.Error{Code: apierror.CodeAPINeedsLogin, Message: "This GitHub server requires sign-in to view Apps.", Err: err}
	}
	if err != nil {
		return github.App{}, err
	}
	return got.app()
}

// OwnApp asks for the App by its private key.
func (c *Client) OwnApp(ctx context.Context) (github.App, error) {
	var got registration
	if err := c.appCall(ctx, c.appQuery("app", http.MethodGet, "app"), &got, http.StatusOK); err != nil {
		if statusOf(err) == http.StatusNotFound {
			return github.App{}, ofOAuth("Not Found")
		}
		return github.App{}, err
	}
	return got.app()
}

// Skew is how far GitHub's clock was ahead of ours in its latest answer; 0: it
// has not answered yet.
func (c *Client) Skew() time.Duration { return time.Duration(c.skew.Load()) }
