package githubapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// ScopeToken makes a token that reaches one repository, OWNER/NAME, from one that
// reaches more, which stays valid ("Create a scoped access token",
// https://docs.github.com/en/rest/apps/apps#create-a-scoped-access-token). It
// needs the client secret. A token without an expiry has a zero ExpiresAt.
func (c *Client) ScopeToken(ctx context.Context, token secret.String, repository string) (github.Token, error) {
	owner, name, ok := github.ParseFullName(repository)
	if !ok {
		return github.Token{}, notAName(repository)
	}
	var got struct {
		Token     string     `json:"token"`
		ExpiresAt *time.Time `json:"expires_at"`
	}
	_, err := c.call(ctx, query{
		// the person's own limit: who asks for too much shuts nobody else out
		target: target{"scope_token", tokenGate(token)}, method: http.MethodPost,
		url:   c.api.JoinPath("applications", c.clientID, "token/scoped"),
		json:  map[string]any{"access_token": token.Reveal(), "target": owner, "repositories": []string{name}},
		basic: true,
	}, &got, http.StatusOK)
	switch statusOf(err) {
	case http.StatusUnauthorized:
		return github.Token{}, wrongSecret(err)
	case http.StatusNotFound:
		return github.Token{}, c.whyNotScoped(ctx, token, owner, err)
	case http.StatusForbidden, http.StatusUnprocessableEntity:
		return github.Token{}, c.notChosen(err)
	}
	if err != nil {
		return github.Token{}, err
	}
	if got.Token == "" {
		return github.Token{}, badAnswer(errors.New("scope_token: no token"))
	}
	scoped := github.Token{Access: secret.Store(secret.New(got.Token))}
	if got.ExpiresAt != nil {
		scoped.ExpiresAt = got.ExpiresAt.Add(-c.offset())
	}
	return scoped, nil
}

// whyNotScoped tells apart what a 404 may mean: a token that is dead, an
// account that is not there, or a client id and secret that are not the App's.
func (c *Client) whyNotScoped(ctx context.Context, token secret.String, owner string, cause error) error {
	_, err := c.call(ctx, c.rest("users", http.MethodGet, "users/"+owner, token), nil, http.StatusOK)
	switch {
	case err == nil:
		return wrongSecret(cause)
	case statusOf(err) == http.StatusNotFound:
		return c.notChosen(err)
	}
	return err
}

func notAName(repository string) error {
	return refused(fmt.Errorf("%.80q is no name of a repository", repository))
}

func wrongSecret(err error) error {
	return misconfigured("An administrator must check the client id and the client secret of the GitHub App.", err)
}

// notChosen names the page at GitHub where the repository is chosen.
func (c *Client) notChosen(err error) *apierror.Error {
	hint := "Choose it at " + c.appURL + "/installations/new, then do this again."
	if c.appURL == "" {
		hint = "Choose it for the GitHub App, in your settings at GitHub under Applications; then do this again."
	}
	return &apierror.Error{Code: apierror.CodeRepositoryNotChosen,
		Message: "GitHub gives no token for this repository: it was not chosen for the GitHub App, or you cannot reach it.",
		Hint:    hint, Err: err}
}

// RepositoryID is the number of a public repository, OWNER/NAME (GET
// /repos/{owner}/{repo}), asked without a token: there is none yet.
func (c *Client) RepositoryID(ctx context.Context, repository string) (int64, error) {
	var got struct {
		ID int64 `json:"id"`
	}
	if _, _, ok := github.ParseFullName(repository); !ok {
		return 0, notAName(repository)
	}
	_, err := c.call(ctx, c.rest("repository", http.MethodGet, "repos/"+repository, secret.String{}), &got, http.StatusOK)
	switch {
	case statusOf(err) == http.StatusNotFound:
		return 0, &apierror.Error{Code: apierror.CodeRepositoryUnknown, Message: "GitHub shows nobody a repository of this name.",
			Hint: "For a private one say its number: --repository-id ID, as gh api repos/OWNER/NAME --jq .id tells it.", Err: err}
	case err != nil:
		return 0, err
	case got.ID == 0:
		return 0, badAnswer(errors.New("repository: no id"))
	}
	return got.ID, nil
}
