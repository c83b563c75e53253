package main

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/client"
	"github.com/ghscoped/ghscoped-service/internal/credential"
	"github.com/ghscoped/ghscoped-service/internal/deliver"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/githubapi"
	"github.com/ghscoped/ghscoped-service/internal/secret"
	"github.com/ghscoped/ghscoped-service/internal/webaddr"
)

// grace is how often GitHub may call a code incorrect, which it also does for
// a moment after an approval.
const grace = 2

// accessLimit bounds the reading of what a token reaches.
const accessLimit = time.Minute

// github is a client of GitHub itself.
func (in invocation) github(id, app string) (*githubapi.Client, *url.URL, error) {
	web, err := githubURL(in.getenv)
	if err != nil {
		return nil, nil, err
	}
	if in.getenv("GHSCOPED_GITHUB_API_URL") != "" {
		return nil, nil, &commandError{exit: exitUsage, code: "usage", message: "GHSCOPED_GITHUB_API_URL was removed.",
			hint: "Unset it: the API's address follows from GHSCOPED_GITHUB_URL."}
	}
	made, err := githubapi.New(githubapi.Options{Web: web, API: webaddr.GitHubAPI(web), ClientID: id, AppURL: app,
		HTTP: in.http, Clock: in.clock})
	return made, web, err
}

// loginAlone runs the device flow itself and leaves the same files as a
// delivery of the service.
func (in invocation) loginAlone(ctx context.Context, o loginOptions) error {
	id := o.clientID
	if id == "" {
		id = clientID(in.getenv)
	}
	gh, web, err := in.github(id, o.appURL)
	if err != nil {
		return err
	}
	if o.repositoryID, err = repositoryID(ctx, gh, o); err != nil {
		return err
	}
	ui := in.loginUI(o)
	token, err := in.approval(ctx, gh, ui, o.repositoryID)
	if err != nil {
		return err
	}
	former, _ := in.keptCredential() // one that cannot be read cannot be ended either
	// From here on there is a token, which must end up in a file or dead.
	keeping, stop := lingering(ctx)
	var account github.Account
	if err = surelyNarrow(keeping, gh, token.Access.String, o); err == nil {
		account, err = in.keepToken(keeping, gh, web, token, o.file)
	}
	stop()
	if err != nil {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), revokeLimit)
		defer cancel()
		return failed(ctx, err, gh.Revoke(ending, token.Access.String))
	}
	in.endFormer(ctx, gh, web, former)
	if ctx.Err() != nil {
		return connectedYet
	}
	connection, err := reach(ctx, gh, token.Access.String, account)
	connection.ExpiresAt = token.ExpiresAt.UTC()
	if o.appURL != "" {
		connection.InstallationsURL = o.appURL + "/installations/new"
	}
	if err != nil { // nice to know, not needed
		connection.Login, connection.Access = account.Login, "unknown"
	}
	return ui.connected(connection, in.clock())
}

// endFormer revokes the token of an earlier login, in whose place there is another.
func (in invocation) endFormer(ctx context.Context, gh *githubapi.Client, web *url.URL, former credential.Request) {
	if former.Password.Empty() || !former.For(web) || !former.ExpiresAt.After(in.clock()) {
		return
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), revokeLimit)
	defer cancel()
	if gh.Revoke(ending, former.Password) != nil {
		newPrinter(in.stderr, in.getenv).line("GitHub could not be told to revoke the token of the former login; it expires automatically.")
	}
}

// approval shows a code and polls until it is approved (RFC 8628). The token is
// narrowed to one repository, by its number; 0: not.
func (in invocation) approval(ctx context.Context, gh *githubapi.Client, ui announcer, repository int64) (github.Token, error) {
	code, err := gh.DeviceCode(ctx)
	if err != nil {
		return github.Token{}, err
	}
	end := in.clock().Add(code.ExpiresIn)
	ui.announce(client.Flow{State: "pending", UserCode: code.UserCode, VerificationURI: code.VerificationURI, ExpiresAt: end})
	hide := ui.waiting(ctx, func() time.Duration { return end.Sub(in.clock()) })
	defer hide()
	interval, pause, wrong := code.Interval, code.Interval, 0
	for in.clock().Before(end) {
		select {
		case <-ctx.Done():
			return github.Token{}, ctx.Err()
		case <-time.After(min(pause, end.Sub(in.clock()))):
		}
		polling, stop := lingering(ctx) // a token that comes now must not be lost
		result, err := gh.PollOnceFor(polling, code.DeviceCode, repository)
		stop()
		pause = interval
		var trouble *apierror.Error
		if errors.As(err, &trouble) && trouble.Retryable { // the code outlives it
			pause = max(interval, trouble.RetryAfter)
			continue
		}
		if err != nil {
			return github.Token{}, err
		}
		switch result.Status {
		case github.PollGranted:
			return result.Token, nil
		case github.PollSlowDown:
			interval = max(interval+5*time.Second, result.Interval)
			pause = interval
		case github.PollDenied:
			return github.Token{}, outcome(client.Flow{State: "denied"})
		case github.PollIncorrect:
			if wrong++; wrong <= grace {
				continue
			}
			return github.Token{}, outcome(client.Flow{State: "expired"})
		case github.PollExpired:
			return github.Token{}, outcome(client.Flow{State: "expired"})
		}
	}
	return github.Token{}, outcome(client.Flow{State: "expired"})
}

// keepToken checks a token and puts it where git finds it.
func (in invocation) keepToken(ctx context.Context, gh *githubapi.Client, web *url.URL, token github.Token, file string) (github.Account, error) {
	if token.ExpiresAt.IsZero() {
		return github.Account{}, &commandError{exit: exitFailed, code: "token_without_expiry", message: "The GitHub App gives out tokens that never expire.",
			hint: "Its owner must opt in to “User-to-server token expiration” in the App's optional features at GitHub."}
	}
	account, err := gh.Account(ctx, token.Access.String)
	if err != nil {
		return account, err
	}
	if file != "" {
		return account, in.writeStore(file, web, token.Access.String, token.ExpiresAt)
	}
	deliverer, err := deliver.New(deliver.Options{HTTP: in.http})
	if err != nil {
		return account, err
	}
	return account, deliverer.DeliverHere(ctx, credential.Credential{Host: web, Username: credential.Username,
		Password: token.Access.String, ExpiresAt: token.ExpiresAt, Account: account})
}

// failed says why a login came to nothing, and what became of its token.
func failed(ctx context.Context, err, notRevoked error) error {
	f := *asCommandError(err)
	fate := " The token was revoked."
	if notRevoked != nil {
		if ctx.Err() != nil {
			f = commandError{exit: exitInterrupted, code: "interrupted", message: "Interrupted."}
		}
		fate = " GitHub could not be told to revoke the token."
		f.hint = strings.TrimSpace(f.hint + " To end the token, revoke the App's access in your GitHub settings, under Applications.")
	}
	f.message = strings.TrimSuffix(f.message, ".") + "." + fate
	return &f
}

// accessOf is what a token reaches, read page by page in a bounded time.
func accessOf(ctx context.Context, gh *githubapi.Client, token secret.String, user int64) (github.Access, error) {
	ctx, cancel := context.WithTimeout(ctx, accessLimit)
	defer cancel()
	return gh.Access(ctx, token, user)
}

// reach is what a token is good for, as the service would say it.
func reach(ctx context.Context, gh *githubapi.Client, token secret.String, account github.Account) (client.Connection, error) {
	access, err := accessOf(ctx, gh, token, account.ID)
	connection := client.Connection{Login: account.Login, Access: string(access.State), FixURL: access.Fix, Repositories: []client.Repository{}}
	for _, repository := range access.Repositories {
		connection.Repositories = append(connection.Repositories, client.Repository{FullName: repository.FullName, Push: repository.Push, Archived: repository.Archived})
	}
	for _, m := range access.Missing {
		connection.Missing = append(connection.Missing, client.Missing{Account: m.Account, Access: string(m.State), FixURL: m.Fix})
	}
	return connection, err
}
