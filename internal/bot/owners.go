package bot

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/audit"
	"github.com/ghscoped/ghscoped-service/internal/github"
)

// maxAsked is for how many repositories at once the owners are asked: each
// costs a call to GitHub.
const maxAsked = 50

// askOwners reads the file of each repository, with a token for nothing but
// that, and is an error unless each of them allows the request.
func (i *Issuer) askOwners(ctx context.Context, c Caller, a ask, event *audit.Event) error {
	if len(a.names) > maxAsked {
		event.Outcome, event.Why = Refused, "too many repositories for asking their owners"
		return invalid(apierror.CodeTooManyRepositories, fmt.Sprintf("%d repositories are named.", len(a.names)),
			fmt.Sprintf("Where repositories have the last word, at most %d can be asked for at once.", maxAsked))
	}
	reading, err := i.GitHub.Mint(ctx, a.owner, a.names, map[string]string{"contents": "read"})
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanup)
		defer cancel()
		_ = i.GitHub.RevokeInstallationToken(ctx, reading) // nobody else has it; it ends with its hour
	}()

	refusals := make([]error, len(a.names))
	slots := make(chan struct{}, 4)
	var group sync.WaitGroup
	for n, name := range a.names {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			refusals[n] = i.askOwner(ctx, c, a, name, reading)
		})
	}
	group.Wait()
	for _, err := range refusals {
		var e *apierror.Error
		if errors.As(err, &e) && (e.Code == apierror.CodeRepositoryRefused || e.Code == apierror.CodeRepositoryUnguarded) {
			event.Outcome, event.Why = Refused, e.Message
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (i *Issuer) askOwner(ctx context.Context, c Caller, a ask, name string, token github.InstallationToken) error {
	data, found, err := i.GitHub.File(ctx, token, a.owner, name, RepositoryFilePath, maxRepositoryFile)
	if err != nil {
		return err
	}
	full := a.owner + "/" + name
	if !found {
		return repositoryRefused(full, "has no "+RepositoryFilePath+" on its default branch", nil)
	}
	file, err := ParseRepositoryFile(data)
	if err != nil {
		return repositoryRefused(full, "has a mistake in its "+RepositoryFilePath+": "+first(err), err)
	}
	if !file.Allows(c, a.permissions) {
		return repositoryRefused(full, "does not allow this to "+c.who()+" in its "+RepositoryFilePath, nil)
	}
	return i.keepsItsFile(ctx, a, name, token)
}

// keepsItsFile is an error where the token could be used to change what the file says:
// who may push could widen it.
func (i *Issuer) keepsItsFile(ctx context.Context, a ask, name string, token github.InstallationToken) error {
	if github.Covers(a.permissions["administration"], "write") {
		return repositoryRefused(a.owner+"/"+name, "has the last word, and administration:write could take it away", nil)
	}
	if !github.Covers(a.permissions["contents"], "write") {
		return nil
	}
	return i.GitHub.Guarded(ctx, token, a.owner, name)
}

// first is the first mistake in a file, with its line.
func first(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	return text
}

func repositoryRefused(full, why string, err error) *apierror.Error {
	return &apierror.Error{Code: apierror.CodeRepositoryRefused, Message: full + " " + why + ".",
		Hint: "The owner of the repository has the last word there.", Err: err}
}
