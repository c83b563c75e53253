package githubapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/webaddr"
)

// commitTimeout is for a commit that carries all its files.
const commitTimeout = 2 * time.Minute

// commitMutation is documented at https://docs.github.com/en/graphql/reference/commits.
const commitMutation = `mutation($input: CreateCommitOnBranchInput!) {
  createCommitOnBranch(input: $input) { commit { oid signature { isValid } } }
}`

// graphQLError is one error of a GraphQL answer, whose status is 200. Type is
// GitHub's word for the kind; where the query itself is wrong there is none.
type graphQLError struct {
	Type    string `json:"type"`
	Message string `json:"message"`
}

func (e graphQLError) Error() string {
	return fmt.Sprintf("GitHub answered the error %.60q (%.500q)", e.Type, e.Message)
}

// Reason is GitHub's own words on why it refused something; empty where it said none.
// Only whoever asked with a token of his own may see them.
func Reason(err error) string {
	if answer, ok := errors.AsType[graphQLError](err); ok {
		return answer.Message
	}
	return refusal(err).reason
}

// CommitOnBranch has GitHub make a commit and sign it. GitHub does so only while the
// branch points to the parent. So where no answer has come, the same commit can be asked
// for again: if it was made, that is refused with the code branch_moved.
func (c *Client) CommitOnBranch(ctx context.Context, token github.InstallationToken, commit github.Commit) (github.SignedCommit, error) {
	input := map[string]any{
		"branch":          map[string]string{"repositoryNameWithOwner": commit.Repository, "branchName": commit.Branch},
		"expectedHeadOid": commit.Parent,
		"message":         map[string]string{"headline": commit.Headline, "body": commit.Body},
		"fileChanges":     map[string]any{"additions": append([]github.FileAddition{}, commit.Additions...), "deletions": deletions(commit)},
	}
	var got struct {
		Data struct {
			CreateCommitOnBranch *struct {
				Commit *struct {
					OID       string
					Signature *struct{ IsValid bool }
				}
			}
		}
		Errors []graphQLError
	}
	q := c.rest("create_commit", http.MethodPost, "", token.Token)
	q.url, q.timeout = webaddr.GitHubGraphQL(c.api), commitTimeout
	q.json = map[string]any{"query": commitMutation, "variables": map[string]any{"input": input}}
	if err := c.asInstallation(ctx, token, q, &got, http.StatusOK); err != nil {
		return github.SignedCommit{}, ofCommit(err)
	}
	if len(got.Errors) > 0 {
		return github.SignedCommit{}, ofGraphQL(got.Errors[0])
	}
	made := got.Data.CreateCommitOnBranch
	if made == nil || made.Commit == nil || !isOID(made.Commit.OID) {
		return github.SignedCommit{}, badAnswer(errors.New("create_commit: no commit"))
	}
	return github.SignedCommit{OID: made.Commit.OID, Verified: made.Commit.Signature != nil && made.Commit.Signature.IsValid}, nil
}

func deletions(commit github.Commit) []map[string]string {
	list := []map[string]string{}
	for _, path := range commit.Deletions {
		list = append(list, map[string]string{"path": path})
	}
	return list
}

var oid = regexp.MustCompile(`^(?:[0-9a-f]{40}|[0-9a-f]{64})$`)

func isOID(text string) bool { return oid.MatchString(text) }

// ofGraphQL is an error by GitHub's word for its kind. A ruleset has none of its own.
func ofGraphQL(err graphQLError) *apierror.Error {
	switch {
	case err.Type == "STALE_DATA":
		return &apierror.Error{Code: apierror.CodeBranchMoved, Message: "The branch at GitHub has moved.", Hint: "Fetch it, and do this again.", Err: err}
	case err.Type == "NOT_FOUND":
		return noSuchBranch(err)
	case err.Type == "FORBIDDEN":
		return notPermitted(err)
	case err.Type == "BRANCH_PROTECTION_RULE_VIOLATION", strings.HasPrefix(err.Message, "Repository rule violations found"):
		return branchProtected(err)
	case err.Type == "RATE_LIMITED":
		return limited(time.Minute, err)
	case strings.HasPrefix(err.Message, "Something went wrong"): // GitHub ran out of time, for one
		return unreachable(err)
	}
	return refused(err)
}

// ofCommit is an error of a REST call, or of GraphQL before it looked at the query.
func ofCommit(err error) error {
	switch statusOf(err) {
	case http.StatusForbidden:
		return notPermitted(err)
	case http.StatusNotFound:
		return noSuchBranch(err)
	case http.StatusRequestEntityTooLarge:
		return &apierror.Error{Code: apierror.CodeTooLarge, Message: "The commit is larger than GitHub takes at once.", Hint: "Make several smaller ones of it.", Err: err}
	}
	return err
}

func noSuchBranch(err error) *apierror.Error {
	return &apierror.Error{Code: apierror.CodeRepositoryUnknown, Message: "GitHub shows this token no such repository or branch.",
		Hint: "Name the repository with --repo where the job begins: ghscoped bot exec --repo OWNER/NAME …", Err: err}
}

func notPermitted(err error) *apierror.Error {
	return &apierror.Error{Code: apierror.CodeNotPermitted, Message: "The token may not commit there.",
		Hint: "It takes --permission contents:write for this repository, and workflows:write too for a file in .github/workflows.", Err: err}
}

func branchProtected(err error) *apierror.Error {
	return &apierror.Error{Code: apierror.CodeBranchProtected, Message: "A rule of the repository does not allow this commit on this branch.",
		Hint: "Commit to another branch, and open a pull request.", Err: err}
}

// CreateBranch makes a branch that points to a commit which GitHub has ("Create a
// reference", https://docs.github.com/en/rest/git/refs). One that is there already is
// no error, wherever it points to.
func (c *Client) CreateBranch(ctx context.Context, token github.InstallationToken, repository, branch, commit string) error {
	if _, _, ok := github.ParseFullName(repository); !ok {
		return notAName(repository)
	}
	q := c.rest("create_branch", http.MethodPost, "repos/"+repository+"/git/refs", token.Token)
	q.json = map[string]string{"ref": "refs/heads/" + branch, "sha": commit}
	err := c.asInstallation(ctx, token, q, nil, http.StatusCreated)
	if statusOf(err) != http.StatusUnprocessableEntity {
		return ofCommit(err)
	}
	switch reason := refusal(err).reason; {
	case strings.HasPrefix(reason, "Reference already exists"):
		return nil
	case strings.HasPrefix(reason, "Object does not exist"):
		return &apierror.Error{Code: apierror.CodeCommitUnknown, Message: "GitHub does not have the commit that the new branch begins at.",
			Hint: "Begin the branch at one of GitHub's: git fetch, then git rebase onto a branch of the remote.", Err: err}
	case strings.HasPrefix(reason, "Repository rule violations found"):
		return branchProtected(err)
	}
	return err
}
