package githubapi

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

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

// appQuery is a call as the App.
func (c *Client) appQuery(endpoint, method string, path ...string) query {
	return query{target: target{endpoint, gateApp}, method: method, url: c.api.JoinPath(path...)}
}

// appCall makes a call as the App. A 401 that shows that the clocks differ is
// tried once more by GitHub's clock.
func (c *Client) appCall(ctx context.Context, q query, into any, want int) error {
	for attempt := 0; ; attempt++ {
		offset := c.offset()
		bearer, err := c.appJWT()
		if err != nil {
			return err
		}
		q.bearer = bearer
		_, err = c.call(ctx, q, into, want)
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
	err := c.appCall(ctx, c.appQuery("repository_installation", http.MethodGet, "repos", owner, repository, "installation"), &i, http.StatusOK)
	switch statusOf(err) {
	case http.StatusNotFound:
		return Installation{}, c.whyNotFound(ctx, owner, repository, err)
	case http.StatusMovedPermanently:
		return Installation{}, c.renamed(owner, repository, err)
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

// Slug is the App's name in addresses. Asking for it is also the way to try the
// App's key.
func (c *Client) Slug(ctx context.Context) (string, error) {
	app, err := c.OwnApp(ctx)
	return app.Slug, err
}

// Identity asks who commits by the token. It takes an installation token,
// because GitHub answers few questions about accounts to who shows none, and
// these to all behind one address.
func (c *Client) Identity(ctx context.Context, token github.InstallationToken) (github.Identity, error) {
	slug, err := c.Slug(ctx)
	if err != nil {
		return github.Identity{}, err
	}
	var account github.Account
	name := slug + "[bot]"
	if err := c.asInstallation(ctx, token, c.rest("bot", http.MethodGet, "users/"+name, token.Token), &account, http.StatusOK); err != nil {
		return github.Identity{}, err
	}
	if account.ID == 0 {
		return github.Identity{}, badAnswer(errors.New("bot: no id"))
	}
	return github.Identity{Name: name, Email: fmt.Sprintf("%d+%s@users.noreply.%s", account.ID, name, c.web.Hostname())}, nil
}

// RevokeInstallationToken makes an installation token invalid. One that is dead
// already is no error.
func (c *Client) RevokeInstallationToken(ctx context.Context, token github.InstallationToken) error {
	err := c.asInstallation(ctx, token, c.rest("revoke_installation_token", http.MethodDelete, "installation/token", token.Token), nil, http.StatusNoContent)
	if statusOf(err) == http.StatusUnauthorized {
		return nil
	}
	return err
}

// Alive reports whether GitHub still takes an installation token. It costs one call,
// which counts against the installation's limit.
func (c *Client) Alive(ctx context.Context, token github.InstallationToken) (bool, error) {
	q := c.rest("installation_repositories", http.MethodGet, "installation/repositories", token.Token)
	q.url.RawQuery = url.Values{"per_page": {"1"}}.Encode()
	err := c.asInstallation(ctx, token, q, nil, http.StatusOK)
	switch statusOf(err) {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound: // revoked, suspended, uninstalled
		return false, nil
	}
	return err == nil, err
}

// youth is for how long after it was made a part of GitHub may not have heard of a
// token, and answer 401.
const youth = 15 * time.Second

// asInstallation makes a call with an installation token. While that is young, a 401
// does not say that it is dead; the call is made again, for some eight seconds.
func (c *Client) asInstallation(ctx context.Context, token github.InstallationToken, q query, into any, want int) error {
	for wait := 250 * time.Millisecond; ; wait *= 2 {
		_, err := c.call(ctx, q, into, want)
		if statusOf(err) != http.StatusUnauthorized || c.clock().Sub(token.IssuedAt) > youth {
			return err
		}
		if wait > 4*time.Second {
			return unreachable(err)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return unreachable(errors.Join(err, ctx.Err()))
		}
	}
}

// File reads a file of at most limit bytes from a repository's default branch.
// found is false where there is none.
func (c *Client) File(ctx context.Context, token github.InstallationToken, owner, repository, path string, limit int) (content []byte, found bool, err error) {
	var got struct {
		Type     string `json:"type"`
		Encoding string `json:"encoding"`
		Size     int    `json:"size"`
		Content  string `json:"content"`
	}
	if !github.IsOwner(owner) || !github.IsName(repository) {
		return nil, false, notAName(owner + "/" + repository)
	}
	q := c.rest("file", http.MethodGet, "repos/"+owner+"/"+repository+"/contents/"+path, token.Token)
	err = c.asInstallation(ctx, token, q, &got, http.StatusOK)
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
