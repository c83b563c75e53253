package githubsim_test

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/githubsim"
)

const commitMutation = `mutation($input: CreateCommitOnBranchInput!) {
  made: createCommitOnBranch(input: $input) { commit { oid signature { isValid } } }
}`

// botToken is an installation token for some of octocat's repositories.
func botToken(t *testing.T, permissions ask) (*githubsim.Server, string) {
	t.Helper()
	sim, key := botWorld(t)
	id, err := sim.Install("octocat", "hello", "notes")
	require.NoError(t, err)
	auth := appJWT(t, sim, key, -time.Minute, 9*time.Minute, githubsim.DefaultClientID)
	a := send(t, "POST", fmt.Sprintf("%s/app/installations/%d/access_tokens", sim.APIURL(), id), auth, ask{"permissions": permissions})
	require.Equal(t, 201, a.status, a.raw)
	return sim, a.str("token")
}

func head(t *testing.T, sim *githubsim.Server, repo, ref string) string {
	t.Helper()
	out, err := sim.Git(repo, "rev-parse", ref)
	require.NoError(t, err)
	return strings.TrimSpace(out)
}

// commitInput is a commit to the main branch of octocat/notes.
func commitInput(oid string, additions map[string]string, deletions ...string) ask {
	changes := ask{}
	for path, content := range additions {
		list, _ := changes["additions"].([]ask)
		changes["additions"] = append(list, ask{"path": path, "contents": base64.StdEncoding.EncodeToString([]byte(content))})
	}
	for _, path := range deletions {
		list, _ := changes["deletions"].([]ask)
		changes["deletions"] = append(list, ask{"path": path})
	}
	return ask{"branch": ask{"repositoryNameWithOwner": "octocat/notes", "branchName": "main"}, "expectedHeadOid": oid,
		"message": ask{"headline": "rebuilt", "body": "Why."}, "fileChanges": changes}
}

func TestCreateCommitOnBranch(t *testing.T) {
	t.Parallel()
	sim, token := botToken(t, ask{"contents": "write"})
	before := head(t, sim, "octocat/notes", "main")
	name := "a name\nof \"two\" lines, ünd.bin"
	a := send(t, "POST", sim.URL()+"/api/graphql", "Bearer "+token,
		ask{"query": commitMutation, "variables": ask{"input": commitInput(before, map[string]string{"deep/er/x": "\x00\xff", name: "2"}, "README.md")}})
	require.Equal(t, 200, a.status, a.raw)
	require.Equal(t, "graphql", a.header.Get("X-RateLimit-Resource"))
	after := head(t, sim, "octocat/notes", "main")
	require.Equal(t, ask{"data": ask{"made": ask{"commit": ask{"oid": after, "signature": ask{"isValid": true}}}}}, a.body, "what was asked for, by the name that was given")

	require.Equal(t, before, head(t, sim, "octocat/notes", "main^"))
	files, err := sim.Git("octocat/notes", "ls-tree", "-r", "-z", "--name-only", "main")
	require.NoError(t, err)
	require.Equal(t, name+"\x00deep/er/x\x00", files)
	content, err := sim.Git("octocat/notes", "cat-file", "blob", "main:deep/er/x")
	require.NoError(t, err)
	require.Equal(t, "\x00\xff", content)

	c := send(t, "GET", sim.APIURL()+"/repos/octocat/notes/commits/"+after, "Bearer "+token, nil)
	require.Equal(t, 200, c.status, c.raw)
	inner := c.body["commit"].(ask)
	require.Equal(t, "rebuilt\n\nWhy.", inner["message"])
	require.Equal(t, true, inner["verification"].(ask)["verified"])
	require.Equal(t, "ghscoped-demo[bot]", inner["author"].(ask)["name"])
	require.Equal(t, "GitHub", inner["committer"].(ask)["name"])
	c = send(t, "GET", sim.APIURL()+"/repos/octocat/notes/commits/"+before, "Bearer "+token, nil)
	require.Equal(t, "unsigned", c.body["commit"].(ask)["verification"].(ask)["reason"])
}

func TestCreateCommitOnBranchRefuses(t *testing.T) {
	t.Parallel()
	sim, token := botToken(t, ask{"contents": "write"})
	require.NoError(t, sim.Protect("octocat/notes", "release"))
	_, err := sim.Git("octocat/notes", "branch", "release", "main")
	require.NoError(t, err)
	oid := head(t, sim, "octocat/notes", "main")
	on := func(branch ask) ask {
		in := commitInput(oid, nil)
		in["branch"] = branch
		return in
	}
	for _, tc := range []struct {
		name, kind, says string
		input            ask
	}{
		{"a head that has moved", "STALE_DATA", `Expected branch to point to "` + strings.Repeat("1", 40) + `" but it did not.`, commitInput(strings.Repeat("1", 40), nil)},
		{"no such repository", "NOT_FOUND", "Could not resolve", on(ask{"repositoryNameWithOwner": "octocat/nothing", "branchName": "main"})},
		{"no such branch", "NOT_FOUND", "Could not resolve", on(ask{"repositoryNameWithOwner": "octocat/notes", "branchName": "other"})},
		{"a repository that others can read", "FORBIDDEN", "not accessible by integration", on(ask{"repositoryNameWithOwner": "octocat/other", "branchName": "main"})},
		{"a protected branch", "BRANCH_PROTECTION_RULE_VIOLATION", "pull request", on(ask{"repositoryNameWithOwner": "octocat/notes", "branchName": "release"})},
		{"a workflow", "FORBIDDEN", "not accessible by integration", commitInput(oid, map[string]string{".github/workflows/x.yaml": "x"})},
		{"a deletion of nothing", "NOT_FOUND", "A path was requested for deletion which does not exist", commitInput(oid, nil, "nothing")},
		{"a path twice", "UNPROCESSABLE", "named twice", commitInput(oid, map[string]string{"README.md": "x"}, "README.md")},
		{"a path out of the tree", "UNPROCESSABLE", "no proper one", commitInput(oid, map[string]string{"../x": "x"})},
		{"an input that the schema has not", "", "author", func() ask { in := commitInput(oid, nil); in["author"] = "me"; return in }()},
		{"no expected head", "", "must be defined", func() ask { in := commitInput(oid, nil); delete(in, "expectedHeadOid"); return in }()},
		{"no base64", "", "base64", func() ask {
			in := commitInput(oid, nil)
			in["fileChanges"] = ask{"additions": []ask{{"path": "x", "contents": "%%"}}}
			return in
		}()},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := send(t, "POST", sim.URL()+"/api/graphql", "Bearer "+token, ask{"query": commitMutation, "variables": ask{"input": tc.input}})
			require.Equal(t, 200, a.status, a.raw)
			refusal := a.body["errors"].([]any)[0].(ask)
			kind, _ := refusal["type"].(string)
			require.Equal(t, tc.kind, kind, a.raw)
			require.Contains(t, refusal["message"], tc.says)
		})
	}
	require.Equal(t, oid, head(t, sim, "octocat/notes", "main"))

	query := ask{"query": "{ viewer { nothing } }"}
	require.Contains(t, send(t, "POST", sim.URL()+"/api/graphql", "Bearer "+token, query).raw, `Cannot query field \"nothing\"`)
	require.Equal(t, 401, send(t, "POST", sim.URL()+"/api/graphql", "", query).status)
	require.Equal(t, 404, send(t, "POST", sim.APIURL()+"/graphql", "Bearer "+token, query).status, "an Enterprise Server has it elsewhere")
	large := ask{"query": "{ viewer { login } }", "variables": ask{"x": strings.Repeat("x", 53<<20)}}
	require.Equal(t, 413, send(t, "POST", sim.URL()+"/api/graphql", "Bearer "+token, large).status)
}

func TestCreateRef(t *testing.T) {
	t.Parallel()
	sim, token := botToken(t, ask{"contents": "write"})
	oid := head(t, sim, "octocat/notes", "main")
	for _, tc := range []struct {
		name, repo, ref, sha, says string
		status                     int
	}{
		{"a new one", "notes", "refs/heads/new", oid, "", 201},
		{"one that is there", "notes", "refs/heads/new", oid, "Reference already exists", 422},
		{"an object that is not there", "notes", "refs/heads/x", strings.Repeat("1", 40), "Object does not exist", 422},
		{"a short name", "notes", "x", oid, "must start with 'refs/'", 422},
		{"no proper name", "notes", "refs/heads/x..y", oid, "is not a valid ref name", 422},
		{"a short id", "notes", "refs/heads/x", oid[:8], "exactly 40 characters", 422},
		{"a repository that others can read", "other", "refs/heads/x", oid, "not accessible by integration", 403},
		{"no repository", "nothing", "refs/heads/x", oid, "Not Found", 404},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := send(t, "POST", sim.APIURL()+"/repos/octocat/"+tc.repo+"/git/refs", "Bearer "+token, ask{"ref": tc.ref, "sha": tc.sha})
			require.Equal(t, tc.status, a.status, a.raw)
			require.Contains(t, a.str("message"), tc.says)
		})
	}
	require.Equal(t, oid, head(t, sim, "octocat/notes", "new"))
}

func TestRequireSignaturesTakesOnlyCommitsThatGitHubSigned(t *testing.T) {
	t.Parallel()
	sim, token := botToken(t, ask{"contents": "write"})
	dir := cloned(t, sim, "octocat/notes", token)
	require.NoError(t, sim.RequireSignatures("octocat/notes", "main"))
	rules := send(t, "GET", sim.APIURL()+"/repos/octocat/notes/rules/branches/main", "Bearer "+token, nil)
	require.Len(t, rules.list, 1)
	require.Equal(t, "required_signatures", rules.list[0].(ask)["type"])
	require.NoError(t, os.WriteFile(filepath.Join(dir, "more.txt"), nil, 0o600))
	commit(t, dir)
	out, err := git(t, dir, token, "push", "origin", "HEAD:main", "HEAD~2:refs/heads/draft")
	require.Error(t, err)
	require.Contains(t, out, "remote: error: GH013: Repository rule violations found for refs/heads/main.")
	require.Contains(t, out, "remote: - Commits must have verified signatures.")
	require.Contains(t, out, "Found 2 violations:")
	require.Contains(t, out, "HEAD -> main (push declined due to repository rule violations)")
	require.Contains(t, out, "-> draft")

	a := send(t, "POST", sim.URL()+"/api/graphql", "Bearer "+token,
		ask{"query": commitMutation, "variables": ask{"input": commitInput(head(t, sim, "octocat/notes", "main"), map[string]string{"x": "y"})}})
	require.Contains(t, a.raw, `"isValid":true`)
	out, err = git(t, dir, token, "push", "origin", "HEAD:refs/heads/unruled")
	require.NoError(t, err, out)
	require.NoError(t, sim.RequireSignatures("octocat/notes"))
	out, err = git(t, dir, token, "push", "--force", "origin", "HEAD:main")
	require.NoError(t, err, out)
}

func TestGraphQLHasALimitOfItsOwn(t *testing.T) {
	t.Parallel()
	sim := start(t, func(o *githubsim.Options) { o.Limits.UserPerHour = 1 })
	token := userToken(t, sim, "octocat").str("access_token")
	query := ask{"query": "{ viewer { login } }"}
	require.Equal(t, 200, send(t, "GET", sim.APIURL()+"/user", "Bearer "+token, nil).status)
	require.Contains(t, send(t, "POST", sim.URL()+"/api/graphql", "Bearer "+token, query).raw, `"viewer":{"login":"octocat"}`)
	a := send(t, "POST", sim.URL()+"/api/graphql", "Bearer "+token, query)
	require.Equal(t, 200, a.status)
	require.Contains(t, a.raw, `"RATE_LIMITED"`)
	require.Equal(t, "0", a.header.Get("X-RateLimit-Remaining"))
}
