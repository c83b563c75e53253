package main

import (
	"context"
	"slices"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/githubapi"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// repositoryID is the number of the only repository that a login is to reach;
// 0: it is to reach all.
func repositoryID(ctx context.Context, gh *githubapi.Client, o loginOptions) (int64, error) {
	if o.repositoryID != 0 || o.repository == "" {
		return o.repositoryID, nil
	}
	if _, _, ok := github.ParseFullName(o.repository); !ok {
		return 0, &commandError{exit: exitUsage, code: "usage", message: "--repository is not the name of a repository.", hint: "It must look like OWNER/NAME."}
	}
	return gh.RepositoryID(ctx, o.repository)
}

// surelyNarrow makes sure that GitHub has narrowed the token. It ignores a
// repository that the App or its user cannot access, and narrows to any other:
// so the token is narrow if it reaches the one that was asked for.
func surelyNarrow(ctx context.Context, gh *githubapi.Client, token secret.String, o loginOptions) error {
	if o.repositoryID == 0 {
		return nil
	}
	access, err := accessOf(ctx, gh, token, 0)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(access.Repositories, func(r github.Repository) bool { return r.ID == o.repositoryID }) {
		return nil
	}
	hint := "Choose it for the App in your settings at GitHub, under Applications; then do this again."
	if o.appURL != "" {
		hint = "Choose it at " + o.appURL + "/installations/new, then do this again."
	}
	return &commandError{exit: exitFailed, code: apierror.CodeRepositoryNotChosen,
		message: "GitHub did not narrow the token: the App or you cannot access this repository.", hint: hint}
}
