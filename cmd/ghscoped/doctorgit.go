package main

import (
	"context"
	"errors"
	"strings"

	"github.com/ghscoped/ghscoped-service/internal/check"
	"github.com/ghscoped/ghscoped-service/internal/git"
)

func (e *examination) git(ctx context.Context) check.Result {
	programs := git.OnPath(e.in.getenv("PATH"))
	var versions []string
	for _, program := range programs {
		version, err := program.Version(ctx)
		if err != nil {
			return check.Failed(program.Path+" does not run", "Install git again, or ask for it to be put into the image.")
		}
		versions = append(versions, version+" ("+program.Path+")")
	}
	if len(versions) == 0 {
		return check.Failed("there is no git here", "Install git, or ask for it to be put into the image.")
	}
	return check.Passed(strings.Join(versions, "; "))
}

// helper has each git look for a credential, as a push does.
func (e *examination) helper(ctx context.Context) check.Result {
	trials, err := e.in.tryGits(ctx, false)
	switch {
	case errors.Is(err, git.ErrMissing):
		return skipped()
	case err != nil:
		return ofError(err)
	}
	alone := e.in.alone()
	results := make([]check.Result, len(trials))
	for i, t := range trials {
		results[i] = t.result(alone)
		if results[i].State == check.OK && t.from == fromGhscoped && e.mayAsk &&
			!t.git.Bool(ctx, "credential.useHttpPath", t.host) && e.client.WantsRepository(ctx, t.host.Scheme, t.host.Host) {
			results[i] = check.Failed("the service gives a token for one repository at a time, and git does not name it", "Run ghscoped setup.")
		}
		if i > 0 {
			results[i].Message = t.git.Path + ": " + results[i].Message
		}
	}
	return worst(results)
}

// worst is the first result that failed, or else the first that warns.
func worst(results []check.Result) check.Result {
	for _, state := range []check.State{check.Fail, check.Warn} {
		for _, result := range results {
			if result.State == state {
				return result
			}
		}
	}
	return results[0]
}
