package githubapi

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

const (
	// maxMinted is how many repositories GitHub takes for one token.
	maxMinted = 500
	// maxRepository is room for one repository in GitHub's answer, in bytes; it takes
	// some 6 kB.
	maxRepository = 32 << 10
)

// Mint makes an installation token for repositories (names without the owner)
// and permissions (name to read, write or admin). Both must be named: GitHub
// reads an empty list as all of them. Where GitHub may have made a token whose
// answer was lost, the error's code is answer_lost.
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
		return github.InstallationToken{}, c.whyNotMinted(ctx, i, permissions, err)
	}
}

func (c *Client) mint(ctx context.Context, i Installation, repositories []string, permissions map[string]string) (github.InstallationToken, error) {
	var got minted
	q := c.appQuery("mint", http.MethodPost, "app", "installations", strconv.FormatInt(i.ID, 10), "access_tokens")
	q.json = map[string]any{"repositories": repositories, "permissions": permissions}
	q.stream, q.limit = got.read, maxBody+int64(len(repositories))*maxRepository
	err := c.appCall(ctx, q, nil, http.StatusCreated)
	token := github.InstallationToken{Token: secret.New(got.token), IssuedAt: c.clock(), ExpiresAt: got.expiresAt.Add(-c.offset()),
		Permissions: got.permissions, Selected: got.selection == "selected", Repositories: got.repositories}
	switch {
	case err == nil && got.token != "" && !got.expiresAt.IsZero():
		return token, nil
	case got.token != "":
		return github.InstallationToken{}, c.withdraw(ctx, token, cmp.Or(err, errors.New("mint: no expiry")))
	case err == nil:
		return github.InstallationToken{}, badAnswer(errors.New("mint: no token"))
	case apierror.NoAnswer(apierror.CodeOf(err)) && !neverSent(err):
		return github.InstallationToken{}, answerLost("GitHub may have made a token that nobody has; it ends within an hour.", err)
	}
	return github.InstallationToken{}, err
}

// neverSent reports whether a call did not reach GitHub: it was not allowed to, or
// there was no connection.
func neverSent(err error) bool {
	var dial *net.OpError
	return apierror.Is(err, apierror.CodeGitHubLimited) || (errors.As(err, &dial) && dial.Op == "dial")
}

// withdraw revokes a token of whose answer a part was lost.
func (c *Client) withdraw(ctx context.Context, token github.InstallationToken, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	if err := c.RevokeInstallationToken(ctx, token); err != nil {
		return answerLost("GitHub has made a token that could not be revoked; it ends within an hour.", errors.Join(cause, err))
	}
	return answerLost("The token that GitHub has made was revoked.", cause)
}

func answerLost(what string, err error) *apierror.Error {
	return &apierror.Error{Code: apierror.CodeAnswerLost, Message: "GitHub's answer was lost on the way. " + what,
		Hint: "Ask again.", Retryable: true, Err: err}
}

// minted is GitHub's answer with a token.
type minted struct {
	token, selection string
	expiresAt        time.Time
	permissions      map[string]string
	repositories     []string
}

// read keeps of the answer what is needed, as it comes: it holds each repository with
// all that GitHub knows of it. What was read before an error is kept.
func (m *minted) read(body io.Reader) error {
	d := json.NewDecoder(body)
	err := each(d, '{', func() error {
		key, err := d.Token()
		if err != nil {
			return err
		}
		switch key {
		case "token":
			return d.Decode(&m.token)
		case "repository_selection":
			return d.Decode(&m.selection)
		case "expires_at":
			return d.Decode(&m.expiresAt)
		case "permissions":
			return d.Decode(&m.permissions)
		case "repositories":
			return m.readRepositories(d)
		}
		return d.Decode(new(json.RawMessage))
	})
	if err != nil {
		return badAnswer(fmt.Errorf("mint: %w", err))
	}
	return nil
}

func (m *minted) readRepositories(d *json.Decoder) error {
	return each(d, '[', func() error {
		var repository struct {
			FullName string `json:"full_name"`
		}
		err := d.Decode(&repository)
		m.repositories = append(m.repositories, repository.FullName)
		return err
	})
}

// each reads a JSON object or list, and has do read each entry.
func each(d *json.Decoder, opening json.Delim, do func() error) error {
	if first, err := d.Token(); err != nil || first != opening {
		return cmp.Or(err, fmt.Errorf("no %s", opening))
	}
	for d.More() {
		if err := do(); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

// whyNotFound tells apart what a 404 may mean where the App is looked for by a
// repository: a client id that is no App's, an owner who has not installed the App,
// and a repository that was not chosen for it.
func (c *Client) whyNotFound(ctx context.Context, owner, repository string, cause error) error {
	if strings.Contains(refusal(cause).reason, "Integration not found") {
		return ofOAuth("Not Found")
	}
	var i Installation
	err := c.appCall(ctx, c.appQuery("user_installation", http.MethodGet, "users", owner, "installation"), &i, http.StatusOK)
	switch {
	case err == nil:
		return c.notAmong(i, "The GitHub App cannot access "+owner+"/"+repository+": it was not chosen for it, or there is none of that name.", cause)
	case statusOf(err) == http.StatusNotFound:
		return c.notInstalled(owner, cause)
	}
	return err
}

func (c *Client) notInstalled(owner string, err error) error {
	return &apierror.Error{Code: apierror.CodeNotInstalled, Message: "The GitHub App is not installed for " + owner + ".",
		Hint: "Somebody who administers it on GitHub must install it: " + c.installPage(), Err: err}
}

func (c *Client) notAmong(i Installation, message string, err error) error {
	return &apierror.Error{Code: apierror.CodeNotGranted, Message: message,
		Hint: "Somebody who administers " + i.Account.Login + " on GitHub can choose it: " + c.ownPage(i.HTMLURL, c.installPage()), Err: err}
}

func (c *Client) renamed(owner, repository string, err error) error {
	return &apierror.Error{Code: apierror.CodeRepositoryRenamed, Message: owner + "/" + repository + " has another name or owner at GitHub now.",
		Hint: "Ask for it by that name, in the request and in the policy. GitHub's page shows it: " + c.web.JoinPath(owner, repository).String(), Err: err}
}

// whyNotMinted names why GitHub did not mint, by its own reason where the status has
// several.
func (c *Client) whyNotMinted(ctx context.Context, i Installation, permissions map[string]string, err error) error {
	owner, reason := i.Account.Login, strings.ToLower(refusal(err).reason)
	page := c.ownPage(i.HTMLURL, c.installPage())
	switch status := statusOf(err); {
	case status == http.StatusForbidden && strings.Contains(reason, "suspended"):
		return &apierror.Error{Code: apierror.CodeInstallationSuspended, Message: "The GitHub App is suspended for " + owner + ".",
			Hint: "Somebody who administers it on GitHub can end that: " + page, Err: err}
	case status == http.StatusForbidden && strings.Contains(reason, "ip allow list"):
		return &apierror.Error{Code: apierror.CodeAddressNotAllowed, Message: owner + " allows the GitHub App from some addresses only, and this service's is not among them.",
			Hint: "An owner of " + owner + " can add it: " + c.web.JoinPath("organizations", owner, "settings", "security").String(), Err: err}
	case status == http.StatusNotFound:
		return c.notInstalled(owner, err)
	case status == http.StatusUnprocessableEntity && strings.Contains(reason, "permission"):
		return c.whyNotPermitted(ctx, i, permissions, err)
	case status == http.StatusUnprocessableEntity && strings.Contains(reason, "repositor"):
		return c.notAmong(i, "The GitHub App cannot access one of these repositories of "+owner+": it was not chosen for it, or there is none of that name.", err)
	case status == http.StatusUnprocessableEntity:
		return c.notAmong(i, "The GitHub App does not have one of these repositories or permissions for "+owner+".", err)
	}
	return err
}

// whyNotPermitted tells apart a permission that the App never asked for, and one that
// the owner has not accepted yet.
func (c *Client) whyNotPermitted(ctx context.Context, i Installation, permissions map[string]string, cause error) error {
	app, err := c.OwnApp(ctx)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(permissions)) {
		if !github.Covers(app.Permissions[name], permissions[name]) {
			return &apierror.Error{Code: apierror.CodeAppLacksPermission, Message: "The GitHub App has no permission " + name + ":" + permissions[name] + ".",
				Hint: "Whoever manages the App must add it, in the App's settings at GitHub; then each owner accepts it: " + c.appURL, Err: cause}
		}
	}
	return &apierror.Error{Code: apierror.CodePermissionNotAccepted, Message: i.Account.Login + " has not accepted a permission that the GitHub App asks for.",
		Hint: "Somebody who administers it on GitHub can accept it: " + c.ownPage(i.HTMLURL, c.installPage()), Err: cause}
}
