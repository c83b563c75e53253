package bots_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/githubsim"
	"github.com/ghscoped/ghscoped-service/internal/hubtest"
)

const commitEndpoint = "POST /graphql"

// TestBotCommit runs scripts/*.txtar, each with a repository of its own, in which the
// program as-bot runs another one within ghscoped bot exec. The scripts run one after
// the other: they break GitHub for each other.
func TestBotCommit(t *testing.T) {
	w := shared
	files, err := filepath.Glob("scripts/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range hubtest.Some(files, 5) {
		repository := "octo-org/commit-" + strings.TrimSuffix(filepath.Base(file), ".txtar")
		require.NoError(t, w.GitHub.AddRepository(githubsim.Repository{FullName: repository, Private: true,
			Files: map[string]string{"README.md": "# Hello\n", "old.txt": "old\n", "run.sh": "#!/bin/sh\n"}}))
		testscript.RunT(one{t}, testscript.Params{
			Files: []string{file}, Setup: func(env *testscript.Env) error { return w.setUp(env, repository) },
			Cmds: map[string]func(*testscript.TestScript, bool, []string){
				"signed-only": signedOnly, "protect": protect, "fault": fault, "verified": verified, "at-github": atGitHub, "calls": calls,
				"edit-at-github": editAtGitHub, "token": token,
			},
		})
	}
}

// one has a script run at once, not in parallel.
type one struct{ *testing.T }

func (o one) Run(name string, run func(testscript.T)) {
	o.T.Run(name, func(t *testing.T) { run(one{t}) })
}
func (o one) Parallel()     {}
func (o one) Verbose() bool { return testing.Verbose() }

func (w *world) setUp(env *testscript.Env, repository string) error {
	w.GitHub.ClearFaults(0)
	env.Defer(func() { w.GitHub.ClearFaults(0) })
	home := filepath.Join(env.WorkDir, "home")
	if err := os.Mkdir(home, 0o700); err != nil {
		return err
	}
	before := w.GitHub.Stats().Requests[commitEndpoint]
	env.Values["repository"], env.Values["calls"] = repository, &before
	asBot := filepath.Join(env.WorkDir, "bin", "as-bot")
	script := "#!/bin/sh\nexec ghscoped bot exec --repo " + repository + " --permission contents:write -- \"$@\"\n"
	if err := errors.Join(os.Mkdir(filepath.Dir(asBot), 0o700), os.WriteFile(asBot, []byte(script), 0o700)); err != nil { //nolint:gosec // it is a program
		return err
	}
	for name, value := range map[string]string{
		"HOME": home, "PATH": strings.Join([]string{filepath.Dir(asBot), w.bin, os.Getenv("PATH")}, string(os.PathListSeparator)), "GIT_CONFIG_NOSYSTEM": "1",
		"REPO": repository, "GITHUB": w.GitHub.URL(), "GHSCOPED_GITHUB_URL": w.GitHub.URL(), "GHSCOPED_URL": w.Hub.ServiceURL,
		"JUPYTERHUB_API_TOKEN": w.docsToken,
	} {
		env.Setenv(name, value)
	}
	return nil
}

func repositoryOf(ts *testscript.TestScript) string { return ts.Value("repository").(string) }

// signed-only BRANCH... requires signatures for these branches.
func signedOnly(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(shared.GitHub.RequireSignatures(repositoryOf(ts), args...))
}

// protect BRANCH... has these branches change by pull requests only.
func protect(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(shared.GitHub.Protect(repositoryOf(ts), args...))
}

// fault KIND TIMES [SKIP [BODY]] breaks the making of commits; none ends that.
func fault(ts *testscript.TestScript, _ bool, args []string) {
	shared.GitHub.ClearFaults(0)
	if args[0] == "none" {
		return
	}
	f := githubsim.Fault{Kind: args[0], Endpoint: commitEndpoint}
	for i, field := range []*int{&f.Times, &f.Skip} {
		if len(args) > i+1 {
			number, err := strconv.Atoi(args[i+1])
			ts.Check(err)
			*field = number
		}
	}
	if len(args) > 3 {
		f.Status, f.Body, f.Header = 200, args[3], map[string]string{"Content-Type": "application/json"}
	}
	_, err := shared.GitHub.Fault(f)
	ts.Check(err)
}

// mintFor is a bot's token for the script's repository.
func mintFor(ctx context.Context, ts *testscript.TestScript, level string) string {
	var minted struct{ Token string }
	_, err := shared.Hub.Holder(shared.docsToken).Call(ctx, http.MethodPost, "api/bot-tokens", json.RawMessage(ask(repositoryOf(ts), "contents", level)), &minted)
	ts.Check(err)
	return minted.Token
}

// token gives the programs a bot's token, as a workflow does.
func token(ts *testscript.TestScript, _ bool, _ []string) {
	ctx, cancel := context.WithTimeout(context.Background(), hubtest.Patience)
	defer cancel()
	ts.Setenv("GH_TOKEN", mintFor(ctx, ts, "write"))
}

// verified REF NUMBER fails unless the last commits of GitHub's, and no more, are
// verified, by its REST API.
func verified(ts *testscript.TestScript, _ bool, args []string) {
	wanted, err := strconv.Atoi(args[1])
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), hubtest.Patience)
	defer cancel()
	bearer := mintFor(ctx, ts, "read")
	for i := range wanted + 1 {
		var answer struct {
			Commit struct{ Verification struct{ Verified bool } }
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s/repos/%s/commits/%s~%d", shared.GitHub.APIURL(), repositoryOf(ts), args[0], i), nil)
		ts.Check(err)
		request.Header.Set("Authorization", "Bearer "+bearer)
		response, err := http.DefaultClient.Do(request)
		ts.Check(err)
		err = json.NewDecoder(response.Body).Decode(&answer)
		ts.Check(errors.Join(err, response.Body.Close()))
		if answer.Commit.Verification.Verified != (i < wanted) {
			ts.Fatalf("commit %s~%d: verified %v", args[0], i, answer.Commit.Verification.Verified)
		}
	}
}

// at-github FILE ARGUMENT... writes what git prints in GitHub's repository.
func atGitHub(ts *testscript.TestScript, neg bool, args []string) {
	out, err := shared.GitHub.Git(repositoryOf(ts), args[1:]...)
	if neg != (err != nil) {
		ts.Fatalf("git %v: %v", args[1:], err)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(out), 0o600))
}

// calls NUMBER fails unless so many commits were asked for since the last time, or since
// the script began; any counts from here on.
func calls(ts *testscript.TestScript, _ bool, args []string) {
	before := ts.Value("calls").(*int)
	now := shared.GitHub.Stats().Requests[commitEndpoint]
	if args[0] != "any" && strconv.Itoa(now-*before) != args[0] {
		ts.Fatalf("%d calls, want %s", now-*before, args[0])
	}
	*before = now
}

// edit-at-github FILE is somebody's edit of the main branch.
func editAtGitHub(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(shared.GitHub.Commit(repositoryOf(ts), "somebody else's", map[string]string{args[0]: time.Now().String()}))
}
