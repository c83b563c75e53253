package githubapi

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// maxMinted is how many repositories GitHub takes for one token.
const maxMinted = 500

// Signer makes what proves to GitHub to be the App, at a time by its clock.
type Signer interface {
	Sign(clientID string, now time.Time) (secret.String, error)
}

// appJWT is what calls as the App carry.
func (c *Client) appJWT() (secret.String, error) {
	if c.signer == nil {
		return secret.String{}, misconfigured("An administrator must configure the file with the App's private key.",
			errors.New("no private key of the App is configured"))
	}
	signed, err := c.signer.Sign(c.clientID, c.githubNow())
	if err != nil {
		return secret.String{}, misconfigured("An administrator must check the file with the App's private key.", err)
	}
	return signed, nil
}

// appCall makes a call as the App. A 401 that shows that the clocks differ is
// tried once more by GitHub's clock.
func (c *Client) appCall(ctx context.Context, endpoint, method, path string, body, into any, want int) error {
	for attempt := 0; ; attempt++ {
		offset := c.offset()
		bearer, err := c.appJWT()
		if err != nil {
			return err
		}
		_, err = c.call(ctx, query{target: target{endpoint, gateApp}, method: method,
			url: c.api.JoinPath(path), json: body, bearer: bearer}, into, want)
		if statusOf(err) != http.StatusUnauthorized {
			return err
		}
		if attempt == 0 && (c.offset()-offset).Abs() > 30*time.Second {
			continue
		}
		return misconfigured("An administrator must check the App's private key and its client id: GitHub refused them together.", err)
	}
}

// InstallationFor finds the App on the account owner, by a repository that it
// must include.
func (c *Client) InstallationFor(ctx context.Context, owner, repository string) (Installation, error) {
	if !github.IsOwner(owner) || !github.IsName(repository) {
		return Installation{}, notAName(owner + "/" + repository)
	}
	if i, found := c.installations.get(owner); found {
		return i, nil
	}
	var i Installation
	err := c.appCall(ctx, "repository_installation", http.MethodGet, "repos/"+owner+"/"+repository+"/installation", nil, &i, http.StatusOK)
	if statusOf(err) == http.StatusNotFound {
		return Installation{}, &apierror.Error{Code: apierror.CodeNotInstalled, Message: "The GitHub App is not installed on " + owner + "/" + repository + ".",
			Hint: "Somebody who administers it on GitHub must install the App there: " + c.appURL + "/installations/new", Err: err}
	}
	if err != nil {
		return Installation{}, err
	}
	if i.ID == 0 || !strings.EqualFold(i.Account.Login, owner) {
		return Installation{}, badAnswer(errors.New("repository_installation: not what was asked for"))
	}
	c.installations.put(owner, i)
	return i, nil
}

// Mint makes an installation token for repositories (names without the owner)
// and permissions (name to read, write or admin). Both must be named: GitHub
// reads an empty list as all of them.
func (c *Client) Mint(ctx context.Context, owner string, repositories []string, permissions map[string]string) (github.InstallationToken, error) {
	if len(repositories) == 0 || len(repositories) > maxMinted || len(permissions) == 0 {
		return github.InstallationToken{}, refused(fmt.Errorf("a token for %d repositories with %d permissions", len(repositories), len(permissions)))
	}
	for attempt := 0; ; attempt++ {
		i, err := c.InstallationFor(ctx, owner, repositories[0])
		if err != nil {
			return github.InstallationToken{}, err
		}
		token, err := c.mint(ctx, i, repositories, permissions)
		if err == nil {
			return token, nil
		}
		c.installations.drop(owner)
		if statusOf(err) == http.StatusNotFound && attempt == 0 {
			continue // the App was installed again since it was looked up
		}
		return github.InstallationToken{}, c.ofMint(err, owner, i)
	}
}

func (c *Client) mint(ctx context.Context, i Installation, repositories []string, permissions map[string]string) (github.InstallationToken, error) {
	var got struct {
		Token        string            `json:"token"`
		ExpiresAt    time.Time         `json:"expires_at"`
		Permissions  map[string]string `json:"permissions"`
		Selection    string            `json:"repository_selection"`
		Repositories []struct {
			FullName string `json:"full_name"`
		} `json:"repositories"`
	}
	path := "app/installations/" + strconv.FormatInt(i.ID, 10) + "/access_tokens"
	body := map[string]any{"repositories": repositories, "permissions": permissions}
	if err := c.appCall(ctx, "mint", http.MethodPost, path, body, &got, http.StatusCreated); err != nil {
		return github.InstallationToken{}, err
	}
	if got.Token == "" || got.ExpiresAt.IsZero() {
		return github.InstallationToken{}, badAnswer(errors.New("mint: no token or no expiry"))
	}
	token := github.InstallationToken{Token: secret.New(got.Token), ExpiresAt: got.ExpiresAt.Add(-c.offset()),
		Permissions: got.Permissions, Selected: got.Selection == "selected"}
	for _, r := range got.Repositories {
		token.Repositories = append(token.Repositories, r.FullName)
	}
	return token, nil
}

// ofMint names why GitHub did not mint.
func (c *Client) ofMint(err error, owner string, i Installation) error {
	switch statusOf(err) {
	case http.StatusForbidden:
		return &apierror.Error{Code: apierror.CodeInstallationSuspended, Message: "The GitHub App is suspended for " + owner + ".",
			Hint: "Somebody who administers it on GitHub can end that: " + c.ownPage(i.HTMLURL, c.appURL), Err: err}
	case http.StatusNotFound:
		return &apierror.Error{Code: apierror.CodeNotInstalled, Message: "The GitHub App is not installed for " + owner + ".",
			Hint: "Somebody who administers it on GitHub must install it: " + c.appURL + "/installations/new", Err: err}
	case http.StatusUnprocessableEntity:
		return &apierror.Error{Code: apierror.CodeNotGranted, Message: "The GitHub App does not have one of these repositories or permissions for " + owner + ".",
			Hint: "Somebody who administers it on GitHub can add them: " + c.ownPage(i.HTMLURL, c.appURL), Err: err}
	}
	return err
}

// Slug is the App's name in addresses. Asking for it is also the way to try the
// App's key.
func (c *Client) Slug(ctx context.Context) (string, error) {
	app, err := c.OwnApp(ctx)
	return app.Slug, err
}

// Identity asks who commits by the token. It takes an installation token,
// because GitHub answers few questions about accounts to who shows none, and
// these to all behind one address.
func (c *Client) Identity(ctx context.Context, token secret.String) (github.Identity, error) {
	slug, err := c.Slug(ctx)
	if err != nil {
		return github.Identity{}, err
	}
	var account github.Account
	name := slug + "[bot]"
	if _, err := c.call(ctx, c.rest("bot", http.MethodGet, "users/"+name, token), &account, http.StatusOK); err != nil {
		return github.Identity{}, err
	}
	if account.ID == 0 {
		return github.Identity{}, badAnswer(errors.New("bot: no id"))
	}
	return github.Identity{Name: name, Email: fmt.Sprintf("%d+%s@users.noreply.%s", account.ID, name, c.web.Hostname())}, nil
}

// RevokeInstallationToken makes an installation token invalid. One that is dead
// already is no error.
func (c *Client) RevokeInstallationToken(ctx context.Context, token secret.String) error {
	_, err := c.call(ctx, c.rest("revoke_installation_token", http.MethodDelete, "installation/token", token), nil, http.StatusNoContent)
	if statusOf(err) == http.StatusUnauthorized {
		return nil
	}
	return err
}

// File reads a file of at most limit bytes from a repository's default branch.
// found is false where there is none.
func (c *Client) File(ctx context.Context, token secret.String, owner, repository, path string, limit int) (content []byte, found bool, err error) {
	var got struct {
		Type     string `json:"type"`
		Encoding string `json:"encoding"`
		Size     int    `json:"size"`
		Content  string `json:"content"`
	}
	if !github.IsOwner(owner) || !github.IsName(repository) {
		return nil, false, notAName(owner + "/" + repository)
	}
	q := c.rest("file", http.MethodGet, "repos/"+owner+"/"+repository+"/contents/"+path, token)
	_, err = c.call(ctx, q, &got, http.StatusOK)
	if statusOf(err) == http.StatusNotFound {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	if got.Type != "file" || got.Encoding != "base64" || got.Size > limit {
		return nil, false, refused(fmt.Errorf("%s is no file of at most %d bytes", path, limit))
	}
	content, err = base64.StdEncoding.DecodeString(strings.ReplaceAll(got.Content, "\n", ""))
	if err != nil || len(content) > limit {
		return nil, false, badAnswer(fmt.Errorf("%s: no proper content", path))
	}
	return content, true, nil
}
