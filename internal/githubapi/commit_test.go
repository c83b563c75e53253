package githubapi_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/githubapi"
	"github.com/ghscoped/ghscoped-service/internal/githubsim"
)

const commitEndpoint = "POST /graphql"

// committing is an installation token that may write, and a commit on top of main.
func committing(t *testing.T) (*githubsim.Server, *clock, *githubapi.Client, github.InstallationToken, github.Commit) {
	t.Helper()
	sim, c, client, _ := botWorld(t)
	token, err := client.Mint(t.Context(), "octo-org", []string{"shared"}, write)
	require.NoError(t, err)
	head, err := sim.Git("octo-org/shared", "rev-parse", "main")
	require.NoError(t, err)
	return sim, c, client, token, github.Commit{Repository: "octo-org/shared", Branch: "main", Parent: strings.TrimSpace(head), Headline: "rebuilt",
		Additions: []github.FileAddition{{Path: "a b", Content: []byte{0, 255}}}, Deletions: []string{"README.md"}}
}

func TestCommitOnBranch(t *testing.T) {
	t.Parallel()
	sim, _, client, token, commit := committing(t)
	made, err := client.CommitOnBranch(t.Context(), token, commit)
	require.NoError(t, err)
	require.True(t, made.Verified)
	out, err := sim.Git("octo-org/shared", "log", "-1", "--format=%H|%P|%B", "--raw", "main")
	require.NoError(t, err)
	require.Regexp(t, `^`+made.OID+`\|`+commit.Parent+`\|rebuilt\n\n:100644 0{6} .* D\tREADME.md\n:0{6} 100644 .* A\ta b\n$`, out)

	_, err = client.CommitOnBranch(t.Context(), token, commit)
	requireCode(t, err, "branch_moved", false)
	require.NoError(t, client.CreateBranch(t.Context(), token, "octo-org/shared", "new", made.OID))
	require.NoError(t, client.CreateBranch(t.Context(), token, "octo-org/shared", "new", commit.Parent), "it is there")
	commit.Branch, commit.Parent, commit.Additions, commit.Deletions = "new", made.OID, nil, nil
	_, err = client.CommitOnBranch(t.Context(), token, commit)
	require.NoError(t, err, "a commit may be empty")
}

func TestCommitOnBranchNamesWhatIsInTheWay(t *testing.T) {
	t.Parallel()
	graphQL := func(kind, message string) githubsim.Fault {
		return githubsim.Fault{Kind: githubsim.FaultStatus, Status: http.StatusOK, Header: map[string]string{"Content-Type": "application/json"},
			Body: `{"data":{"createCommitOnBranch":null},"errors":[{"type":"` + kind + `","message":"` + message + ` riddle"}]}`}
	}
	for name, test := range map[string]struct {
		fault  githubsim.Fault
		change func(*github.Commit)
		code   string
		passes bool
	}{
		"a head that has moved":       {change: func(c *github.Commit) { c.Parent = strings.Repeat("1", 40) }, code: "branch_moved"},
		"no such branch":              {change: func(c *github.Commit) { c.Branch = "other" }, code: "repository_unknown"},
		"another repository":          {change: func(c *github.Commit) { c.Repository = "octo-org/handbook" }, code: "not_permitted"},
		"a workflow":                  {change: func(c *github.Commit) { c.Deletions[0] = ".github/workflows/x.yaml" }, code: "not_permitted"},
		"a query that GitHub has not": {fault: graphQL("", "Field does not exist"), code: "github_refused"},
		"a protected branch":          {fault: graphQL("BRANCH_PROTECTION_RULE_VIOLATION", "no"), code: "branch_protected"},
		"a ruleset":                   {fault: graphQL("UNPROCESSABLE", "Repository rule violations found"), code: "branch_protected"},
		"a limit":                     {fault: graphQL("RATE_LIMITED", "no"), code: "github_limited", passes: true},
		"time that ran out":           {fault: graphQL("", "Something went wrong while executing your query."), code: "github_unreachable", passes: true},
		"the form of another API":     {fault: githubsim.Fault{Kind: githubsim.FaultStatus, Status: http.StatusForbidden, Body: "no"}, code: "not_permitted"},
		"a body that is too large":    {fault: githubsim.Fault{Kind: githubsim.FaultStatus, Status: http.StatusRequestEntityTooLarge, Body: "no"}, code: "too_large"},
		"no commit in the answer":     {fault: githubsim.Fault{Kind: githubsim.FaultStatus, Status: http.StatusOK, Header: map[string]string{"Content-Type": "application/json"}, Body: `{"data":{}}`}, code: "github_bad_answer", passes: true},
		"an answer that is lost":      {fault: githubsim.Fault{Kind: githubsim.FaultLost}, code: "github_unreachable", passes: true},
		"half an answer":              {fault: githubsim.Fault{Kind: githubsim.FaultTruncate}, code: "github_unreachable", passes: true},
		"a page":                      {fault: githubsim.Fault{Kind: githubsim.FaultWrongType}, code: "github_bad_answer", passes: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim, _, client, token, commit := committing(t)
			if test.fault.Kind != "" {
				test.fault.Endpoint = commitEndpoint
				_, err := sim.Fault(test.fault)
				require.NoError(t, err)
			}
			if test.change != nil {
				test.change(&commit)
			}
			_, err := client.CommitOnBranch(t.Context(), token, commit)
			own := requireCode(t, err, test.code, test.passes)
			require.NotContains(t, own.Message+own.Hint, "riddle", "GitHub's words are for who asks for them")
			if strings.Contains(test.fault.Body, "riddle") {
				require.Contains(t, githubapi.Reason(err), "riddle")
			}
		})
	}
}

func TestCreateBranchNamesWhatIsInTheWay(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ repository, branch, commit, code string }{
		"a commit that GitHub has not": {"octo-org/shared", "new", strings.Repeat("1", 40), "commit_unknown"},
		"another repository":           {"octo-org/handbook", "new", "", "not_permitted"},
		"no repository":                {"octo-org/nothing", "new", "", "repository_unknown"},
		"no name of a repository":      {"octo-org/../x", "new", "", "github_refused"},
		"no name of a branch":          {"octo-org/shared", "a..b", "", "github_refused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, client, token, commit := committing(t)
			if test.commit == "" {
				test.commit = commit.Parent
			}
			requireCode(t, client.CreateBranch(t.Context(), token, test.repository, test.branch, test.commit), test.code, false)
		})
	}
}

func TestCommitOnBranchOutwaitsATokenThatGitHubHasNotHeardOf(t *testing.T) {
	t.Parallel()
	sim, c, client, token, commit := committing(t)
	_, err := sim.Fault(githubsim.Fault{Kind: githubsim.FaultStatus, Status: http.StatusUnauthorized, Endpoint: commitEndpoint, Times: 2})
	require.NoError(t, err)
	_, err = client.CommitOnBranch(t.Context(), token, commit)
	require.NoError(t, err)
	c.Advance(time.Minute)
	_, err = sim.Fault(githubsim.Fault{Kind: githubsim.FaultStatus, Status: http.StatusUnauthorized, Endpoint: commitEndpoint})
	require.NoError(t, err)
	_, err = client.CommitOnBranch(t.Context(), token, commit)
	requireCode(t, err, "token_dead", false)
}
