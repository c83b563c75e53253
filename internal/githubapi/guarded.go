package githubapi

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/github"
)

// branchRule is one rule that is in force for a branch ("Get rules for a branch").
type branchRule struct {
	Type       string `json:"type"`
	Parameters struct {
		Approvals int `json:"required_approving_review_count"`
	} `json:"parameters"`
}

// keeps reports whether the rule lets nobody change the branch alone.
func (r branchRule) keeps() bool {
	return r.Type == "update" || r.Type == "pull_request" && r.Parameters.Approvals > 0
}

// Guarded is nil where a rule of the repository keeps whoever may push from changing
// its default branch alone; else the error repository_unguarded. Who may bypass the
// rule, GitHub does not say.
func (c *Client) Guarded(ctx context.Context, token github.InstallationToken, owner, repository string) error {
	if !github.IsOwner(owner) || !github.IsName(repository) {
		return notAName(owner + "/" + repository)
	}
	path := "repos/" + owner + "/" + repository
	var own struct {
		DefaultBranch string `json:"default_branch"`
	}
	if err := c.asInstallation(ctx, token, c.rest("repository", http.MethodGet, path, token.Token), &own, http.StatusOK); err != nil {
		return err
	}
	q := c.rest("branch_rules", http.MethodGet, path+"/rules/branches/"+url.PathEscape(own.DefaultBranch), token.Token)
	q.url.RawQuery = url.Values{"per_page": {"100"}}.Encode()
	var rules []branchRule
	if err := c.asInstallation(ctx, token, q, &rules, http.StatusOK); err != nil {
		return err
	}
	if slices.ContainsFunc(rules, branchRule.keeps) {
		return nil
	}
	return &apierror.Error{Code: apierror.CodeRepositoryUnguarded,
		Message: fmt.Sprintf("Nothing keeps whoever may push to %s/%s from changing who may.", owner, repository),
		Hint: "An owner adds a ruleset for the branch " + own.DefaultBranch + " that requires a pull request with an approval: " +
			c.web.JoinPath(owner, repository, "settings", "rules").String()}
}
