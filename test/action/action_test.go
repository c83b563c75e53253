package action_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/githubsim"
	"github.com/ghscoped/ghscoped-service/internal/oidcsim"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

const actor = githubsim.DefaultSlug + "[bot]"

// production is the job that the policy names.
func production() oidcsim.Job {
	return oidcsim.Job{Repository: "octo/deploy", RepositoryID: repositoryID, RepositoryOwnerID: ownerID, Environment: "production",
		Workflow: ".github/workflows/refresh.yaml"}
}

func TestActionOpensAPullRequestThatStartsItsChecks(t *testing.T) {
	w := shared
	log, code := w.run(t, production(), "BRANCH=refresh-1")
	require.Zero(t, code, log)

	pushes, pulls := w.GitHub.Stats().Pushes, w.GitHub.Stats().Pulls
	push, pull := pushes[len(pushes)-1], pulls[len(pulls)-1]
	require.True(t, push.Accepted)
	require.Equal(t, []string{actor, "octo/deploy"}, []string{push.Actor, push.Repository})
	author, err := w.GitHub.Git("octo/deploy", "log", "-1", "--format=%an / %cn", "refresh-1")
	require.NoError(t, err)
	require.Equal(t, actor+" / "+actor+"\n", author)
	require.Equal(t, []string{actor, "refresh-1"}, []string{pull.Actor, pull.Head})
	require.Contains(t, pull.Workflows, ".github/workflows/checks.yaml")

	require.Contains(t, log, "the token is ***")
	w.requireNoSecrets(t, log)
	w.requireNoSecrets(t, string(w.Service.Log.Bytes()))
	require.Equal(t, "revoked", rig.TokenState(w.GitHub, push.TokenSHA256), "the job is over")
	issued := w.audit(t, func(e event) bool { return e.TokenHash == push.TokenSHA256 })
	require.Equal(t, "actions:octo/deploy#1001", issued.Caller)
	w.audit(t, func(e event) bool { return e.TokenHash == push.TokenSHA256 && e.Action == "bot_token_revoke" })
}

func TestActionRevokesItsTokenWhenTheJobFails(t *testing.T) {
	w := shared
	before := len(w.GitHub.Tokens())
	log, code := w.run(t, production(), "FAILS=yes")
	require.Equal(t, 1, code, log)
	tokens := w.GitHub.Tokens()[before:]
	require.NotEmpty(t, tokens, log)
	for _, token := range tokens {
		require.Equal(t, "revoked", token.State)
	}
	w.requireNoSecrets(t, log)
}

func TestActionIsRefusedOutsideItsRule(t *testing.T) {
	w := shared
	const workflow = "octo/deploy/.github/workflows/refresh.yaml@refs/heads/"
	for name, tc := range map[string]struct {
		change func(*oidcsim.Job)
		why    string
	}{
		"a fork": {func(j *oidcsim.Job) { j.Repository, j.RepositoryID, j.RepositoryOwnerID = "mallory/deploy", 9, 8 },
			"no rule allows this to actions:mallory/deploy"},
		"a fork's pull request": {func(j *oidcsim.Job) {
			j.EventName, j.Ref, j.HeadRef, j.BaseRef, j.WorkflowRef = "pull_request", "refs/pull/7/merge", "patch-1", "main", workflow+"main"
		}, "it does not name the event pull_request, which a fork can start"},
		"another event":                        {func(j *oidcsim.Job) { j.EventName = "repository_dispatch" }, `event_name is "repository_dispatch"`},
		"another branch":                       {func(j *oidcsim.Job) { j.Ref, j.WorkflowRef = "refs/heads/patch-1", workflow+"main" }, `ref is "refs/heads/patch-1"`},
		"another environment":                  {func(j *oidcsim.Job) { j.Environment = "staging" }, `environment is "staging"`},
		"no environment":                       {func(j *oidcsim.Job) { j.Environment = "" }, "the token has no environment"},
		"another workflow":                     {func(j *oidcsim.Job) { j.Workflow = ".github/workflows/other.yaml" }, "other.yaml"},
		"the workflow of another branch":       {func(j *oidcsim.Job) { j.WorkflowRef = workflow + "patch-1" }, "workflow_ref is"},
		"a repository that took over the name": {func(j *oidcsim.Job) { j.RepositoryID = 10 }, `repository_id is "10"`},
		"an owner that took over the name":     {func(j *oidcsim.Job) { j.RepositoryOwnerID = 11 }, `repository_owner_id is "11"`},
	} {
		t.Run(name, func(t *testing.T) {
			before, pushes := len(w.GitHub.Tokens()), len(w.GitHub.Stats().Pushes)
			job := production()
			tc.change(&job)
			log, code := w.run(t, job, "BRANCH=refused")
			require.Equal(t, 1, code, log)
			require.Contains(t, log, "(bot_refused)")
			require.NotContains(t, log, "the token is")
			require.NotContains(t, log, "eyJ", "no identity token either")
			require.Len(t, w.GitHub.Tokens(), before)
			require.Len(t, w.GitHub.Stats().Pushes, pushes)
			w.audit(t, func(e event) bool {
				return e.Outcome == "refused" && strings.HasPrefix(e.Caller, "actions:") && strings.Contains(e.Why, tc.why)
			})
		})
	}
}

// pushes is a job for ghscoped bot exec: a branch of that name in a repository.
func (w *world) pushes(repository, branch string) []string {
	return []string{"bot", "exec", "--repo", repository, "--permission", "contents:write", "--", "sh", "-ec",
		"cd $HOME; git clone -q " + w.GitHub.URL() + "/" + repository + " work; cd work; git switch -q -c " + branch + "; git commit -q --allow-empty -m x; git push -q origin HEAD"}
}

func TestBotExecInAWorkflowAndInAPod(t *testing.T) {
	w := shared
	file := filepath.Join(t.TempDir(), "token")
	pod := func(serviceAccount string) []string {
		token := w.cluster.Sign(w.cluster.PodClaims("bots", serviceAccount, strings.TrimSuffix(w.Hub.ServiceURL, "/")))
		require.NoError(t, os.WriteFile(file, []byte(token), 0o600))
		return []string{"GHSCOPED_IDENTITY_TOKEN_FILE=" + file}
	}
	for _, tc := range []struct {
		name, repository, caller string
		env                      []string
	}{
		{"a workflow", "octo/deploy", "actions:octo/deploy", w.inActions(production())},
		{"a pod", "octo/docs", "kubernetes:bots/mirror", pod("mirror")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			out, code := w.bot(t, tc.env, w.pushes(tc.repository, "by-exec")...)
			require.Zero(t, code, out)
			pushes := w.GitHub.Stats().Pushes
			push := pushes[len(pushes)-1]
			require.Equal(t, []string{actor, tc.repository}, []string{push.Actor, push.Repository})
			require.Equal(t, "revoked", rig.TokenState(w.GitHub, push.TokenSHA256))
			for _, action := range []string{"bot_token_issue", "bot_token_revoke"} {
				w.audit(t, func(e event) bool {
					return e.Action == action && strings.HasPrefix(e.Caller, tc.caller) && e.TokenHash == push.TokenSHA256
				})
			}
		})
	}
	t.Run("another service account", func(t *testing.T) {
		out, code := w.bot(t, pod("other"), w.pushes("octo/docs", "refused")...)
		require.Equal(t, 1, code)
		require.Contains(t, out, "No rule of the bot policy allows this.")
	})
	t.Run("a pod that is no workflow", func(t *testing.T) {
		_, code := w.bot(t, pod("mirror"), w.pushes("octo/deploy", "refused")...)
		require.Equal(t, 1, code)
	})
}
