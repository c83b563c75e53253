package githubsim_test

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/githubsim"
)

func TestGitWhoMayCloneAndPush(t *testing.T) {
	t.Parallel()
	sim := start(t)
	_, err := sim.Install("octocat", "hello")
	require.NoError(t, err)
	_, err = sim.Install("octo-org")
	require.NoError(t, err)
	octocat, mona := userToken(t, sim, "octocat").str("access_token"), userToken(t, sim, "mona").str("access_token")
	expired := userToken(t, sim, "octocat").str("access_token")
	require.Equal(t, 202, send(t, "POST", sim.APIURL()+"/credentials/revoke", "", map[string]any{"credentials": []string{expired}}).status)
	const readOnly, no, yes = "clone", "", "push"
	for _, tc := range []struct{ name, repo, token, can, says string }{
		{"chosen repository", "octocat/hello", octocat, yes, ""},
		{"public repository where the App is not installed", "octocat/other", octocat, readOnly, "Permission to octocat/other.git denied to octocat."},
		{"private repository where the App is not installed", "octocat/notes", octocat, no, "Repository not found."},
		{"public repository without a token", "octocat/hello", "", readOnly, ""},
		{"public repository of somebody else", "octocat/hello", mona, readOnly, "Permission to octocat/hello.git denied to mona."},
		{"private repository as collaborator", "octo-org/shared", mona, yes, ""},
		{"public repository as mere member", "octo-org/handbook", mona, readOnly, "Permission to octo-org/handbook.git denied to mona."},
		{"dead token", "octocat/hello", expired, readOnly, "Invalid username or token. Password authentication is not supported for Git operations."},
		{"no such repository", "octocat/nothing", octocat, no, "Repository not found."},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "r")
			out, err := git(t, t.TempDir(), tc.token, "clone", sim.URL()+"/"+tc.repo+".git", dir)
			if tc.can == no {
				require.Error(t, err)
				require.Contains(t, out, tc.says)
				return
			}
			require.NoError(t, err, out)
			require.NoError(t, os.WriteFile(filepath.Join(dir, "new.txt"), []byte(tc.name), 0o600))
			commit(t, dir)
			out, err = git(t, dir, tc.token, "push", "origin", "HEAD:refs/heads/"+strings.ReplaceAll(tc.name, " ", "-"))
			if tc.can == readOnly {
				require.Error(t, err)
				require.Contains(t, out, tc.says)
				return
			}
			require.NoError(t, err, out)
			last := sim.Stats().Pushes[len(sim.Stats().Pushes)-1]
			require.True(t, last.Accepted)
			require.Equal(t, tc.repo, last.Repository)
			require.Equal(t, "refs/heads/"+strings.ReplaceAll(tc.name, " ", "-"), last.Refs[0].Ref)
			require.NotEmpty(t, last.TokenSHA256)
		})
	}
}

func commit(t *testing.T, dir string) {
	t.Helper()
	for _, args := range [][]string{{"add", "-A"}, {"commit", "-q", "-m", "change"}} {
		out, err := git(t, dir, "", args...)
		require.NoError(t, err, out)
	}
}

func TestGitScopedTokenReachesOneRepository(t *testing.T) {
	t.Parallel()
	sim := start(t)
	_, err := sim.Install("octocat")
	require.NoError(t, err)
	all := userToken(t, sim, "octocat").str("access_token")
	number := int64(send(t, "GET", sim.APIURL()+"/repos/octocat/notes", "Bearer "+all, nil).body["id"].(float64))
	narrow := userToken(t, sim, "octocat", "repository_id", strconv.FormatInt(number, 10)).str("access_token")
	require.Equal(t, 200, pushCheck(t, sim, "octocat/notes", narrow))
	require.Equal(t, 403, pushCheck(t, sim, "octocat/hello", narrow))
	require.Equal(t, 200, pushCheck(t, sim, "octocat/hello", all))
}

func TestGitPushByASuspendedInstallationOrASAMLOrganisationIsRefused(t *testing.T) {
	t.Parallel()
	sim := start(t)
	id, err := sim.Install("octo-org")
	require.NoError(t, err)
	token := userToken(t, sim, "octocat").str("access_token")
	require.Equal(t, 200, pushCheck(t, sim, "octo-org/shared", token))
	require.NoError(t, sim.Suspend(id, true))
	require.Equal(t, 404, pushCheck(t, sim, "octo-org/shared", token))
	require.Equal(t, 403, pushCheck(t, sim, "octo-org/handbook", token))
	require.NoError(t, sim.Suspend(id, false))
	sim.SAML("octo-org", true)
	require.Equal(t, 403, pushCheck(t, sim, "octo-org/shared", token))
	sim.SAML("octo-org", false)
	require.NoError(t, sim.SetPermissions(id, map[string]string{"contents": "read", "metadata": "read"}))
	require.Equal(t, 403, pushCheck(t, sim, "octo-org/shared", token))
	require.NoError(t, sim.Uninstall(id))
	require.Equal(t, 404, pushCheck(t, sim, "octo-org/shared", token))
}

// pushCheck is what git asks before it pushes.
func pushCheck(t *testing.T, sim *githubsim.Server, repo, token string) int {
	t.Helper()
	r, err := http.NewRequest("GET", sim.URL()+"/"+repo+".git/info/refs?service=git-receive-pack", nil)
	require.NoError(t, err)
	r.SetBasicAuth("x-access-token", token)
	res, err := http.DefaultTransport.RoundTrip(r)
	require.NoError(t, err)
	defer res.Body.Close()
	if res.StatusCode == 401 {
		require.Equal(t, `Basic realm="GitHub"`, res.Header.Get("WWW-Authenticate"))
	}
	return res.StatusCode
}

func TestGitWorkflowFilesNeedTheirPermission(t *testing.T) {
	t.Parallel()
	sim := start(t)
	id, err := sim.Install("octocat")
	require.NoError(t, err)
	token := userToken(t, sim, "octocat").str("access_token")
	dir := filepath.Join(t.TempDir(), "r")
	out, err := git(t, t.TempDir(), token, "clone", sim.URL()+"/octocat/hello", dir)
	require.NoError(t, err, out)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, ".github/workflows"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, ".github/workflows/ci.yml"), []byte("on: [push, pull_request]\n"), 0o600))
	commit(t, dir)

	out, err = git(t, dir, token, "push", "origin", "HEAD:main")
	require.Error(t, err)
	require.Contains(t, out, "refusing to allow a GitHub App to create or update workflow `.github/workflows/ci.yml` without `workflows` permission")
	require.False(t, sim.Stats().Pushes[0].Accepted)

	require.NoError(t, sim.SetPermissions(id, map[string]string{"contents": "write", "workflows": "write", "metadata": "read"}))
	out, err = git(t, dir, token, "push", "origin", "HEAD:main")
	require.NoError(t, err, out)

	require.NoError(t, sim.SetPermissions(id, map[string]string{"contents": "write", "metadata": "read"}))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "plain.txt"), nil, 0o600))
	commit(t, dir)
	out, err = git(t, dir, token, "push", "origin", "HEAD:main")
	require.NoError(t, err, "a later push that leaves the workflow alone: "+out)
}

func TestGitTakesABigPushWhole(t *testing.T) {
	t.Parallel()
	sim := start(t)
	_, err := sim.Install("octocat")
	require.NoError(t, err)
	token := userToken(t, sim, "octocat").str("access_token")
	dir := filepath.Join(t.TempDir(), "r")
	out, err := git(t, t.TempDir(), token, "clone", sim.URL()+"/octocat/notes.git", dir)
	require.NoError(t, err, out)
	big := bytes.Repeat([]byte{0}, 3<<20)
	for i := range big { // does not compress, so git sends it in chunks
		big[i] = byte(i * i >> 7 * 31 % 251)
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "big"), big, 0o600))
	commit(t, dir)
	out, err = git(t, dir, token, "-c", "http.postBuffer=65536", "-c", "core.compression=0", "push", "origin", "HEAD:main")
	require.NoError(t, err, out)
	size, err := sim.Git("octocat/notes", "cat-file", "-s", "main:big")
	require.NoError(t, err)
	require.Equal(t, "3145728\n", size)
	require.Len(t, sim.Stats().Pushes, 1, "the empty request git sends first is not a push")
}

func TestGitTokenExpiresInTheMiddleOfWork(t *testing.T) {
	t.Parallel()
	sim := start(t)
	_, err := sim.Install("octocat")
	require.NoError(t, err)
	token := userToken(t, sim, "octocat").str("access_token")
	sim.Advance(8*time.Hour - time.Second)
	require.Equal(t, 200, pushCheck(t, sim, "octocat/hello", token))
	sim.Advance(time.Second)
	require.Equal(t, 401, pushCheck(t, sim, "octocat/hello", token))
}

func TestCloseLeavesNothing(t *testing.T) {
	t.Parallel()
	sim := githubsim.New(githubsim.Options{})
	require.NoError(t, sim.Start())
	dir, err := sim.RepositoryDir("octocat/hello")
	require.NoError(t, err)
	require.DirExists(t, dir)
	require.NoError(t, sim.Close())
	require.NoDirExists(t, dir)
	_, err = http.Get(sim.URL())
	require.Error(t, err)
}

func TestGitPushToAnArchivedRepositoryIsRefused(t *testing.T) {
	t.Parallel()
	sim := start(t)
	_, err := sim.Install("octocat")
	require.NoError(t, err)
	token := userToken(t, sim, "octocat").str("access_token")
	require.NoError(t, sim.Archive("octocat/notes", true))
	require.Equal(t, true, send(t, "GET", sim.APIURL()+"/repos/octocat/notes", "Bearer "+token, nil).body["archived"])

	dir := cloned(t, sim, "octocat/notes", token)
	out, err := git(t, dir, token, "push", "origin", "HEAD:main")
	require.Error(t, err)
	require.Contains(t, out, "remote: This repository was archived so it is read-only.")
	require.Contains(t, out, "The requested URL returned error: 403")
	pull := send(t, "POST", sim.APIURL()+"/repos/octocat/notes/pulls", "Bearer "+token, map[string]any{"title": "t", "head": "x", "base": "main"})
	require.Equal(t, 403, pull.status)

	require.NoError(t, sim.Archive("octocat/notes", false))
	out, err = git(t, dir, token, "push", "origin", "HEAD:main")
	require.NoError(t, err, out)
	require.Error(t, sim.Archive("octocat/nothing", true))
}

func TestGitPushToAProtectedBranchIsDeclinedByThePackProtocol(t *testing.T) {
	t.Parallel()
	sim := start(t)
	_, err := sim.Install("octocat")
	require.NoError(t, err)
	token := userToken(t, sim, "octocat").str("access_token")
	require.NoError(t, sim.Protect("octocat/notes", "main"))

	dir := cloned(t, sim, "octocat/notes", token)
	out, err := git(t, dir, token, "push", "origin", "HEAD:main", "HEAD:draft")
	require.Error(t, err)
	require.Contains(t, out, "remote: error: GH006: Protected branch update failed for refs/heads/main.")
	require.Contains(t, out, "remote: - Changes must be made through a pull request.")
	require.Contains(t, out, "HEAD -> main (protected branch hook declined)")
	require.Regexp(t, `new branch\] +HEAD -> draft`, out, "the others of the same push go through")
	pushes := sim.Stats().Pushes
	require.Len(t, pushes, 1)
	require.Len(t, pushes[0].Refs, 1)
	require.Equal(t, "refs/heads/draft", pushes[0].Refs[0].Ref)
	out, err = git(t, dir, token, "push", "origin", ":main")
	require.Error(t, err)
	require.Contains(t, out, "GH006")

	require.NoError(t, sim.Protect("octocat/notes"))
	out, err = git(t, dir, token, "push", "origin", "HEAD:main")
	require.NoError(t, err, out)
}

// cloned is a clone with one commit that was not pushed.
func cloned(t *testing.T, sim *githubsim.Server, repo, token string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "r")
	out, err := git(t, t.TempDir(), token, "clone", sim.URL()+"/"+repo+".git", dir)
	require.NoError(t, err, out)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "new.txt"), []byte("new"), 0o600))
	commit(t, dir)
	return dir
}

func TestSAMLKeepsATokenOutUntilItIsMadeAfterASignOn(t *testing.T) {
	t.Parallel()
	sim := start(t)
	_, err := sim.Install("octo-org")
	require.NoError(t, err)
	sim.SAML("octo-org", true)
	token := userToken(t, sim, "octocat").str("access_token")

	repo := send(t, "GET", sim.APIURL()+"/repos/octo-org/shared", "Bearer "+token, nil)
	require.Equal(t, 403, repo.status)
	require.Regexp(t, `^required; url=`+sim.URL()+`/orgs/octo-org/sso\?authorization_request=\w+$`, repo.header.Get("X-GitHub-SSO"))
	for _, name := range []string{"octo-org/shared", "octo-org/handbook"} { // private and public
		require.Equal(t, 403, pushCheck(t, sim, name, token), name)
	}
	out, err := git(t, t.TempDir(), token, "clone", sim.URL()+"/octo-org/shared.git")
	require.Error(t, err)
	require.Contains(t, out, "remote: The `octo-org' organization has enabled or enforced SAML SSO.")
	require.Contains(t, out, "you must re-authorize the GitHub App `GHScoped Demo'")
	require.Contains(t, out, "The requested URL returned error: 403")

	octocat := newBrowser(t, sim, "octocat")
	octocat.get("/orgs/octo-org/sso")
	octocat.post("/orgs/octo-org/sso")
	require.Contains(t, octocat.page, `id="signed-on"`)
	require.Equal(t, 403, pushCheck(t, sim, "octo-org/shared", token), "the token is older than the session")
	require.Equal(t, 200, pushCheck(t, sim, "octo-org/shared", userToken(t, sim, "octocat").str("access_token")))
	require.Equal(t, 403, pushCheck(t, sim, "octo-org/shared", userToken(t, sim, "mona").str("access_token")), "somebody else's session")
}
