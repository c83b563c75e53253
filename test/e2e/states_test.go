package e2e_test

import (
	"maps"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/githubsim"
	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/internal/hubtest/journey"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

// missing is what api/connection says of an account.
type missing struct {
	Account string `json:"account"`
	Access  string `json:"access"`
	FixURL  string `json:"fix_url"`
}

// stands waits until a connection's access is known, and returns it.
func stands(t *testing.T, who journey.Caller, access string) (accounts []missing) {
	t.Helper()
	var got struct {
		Access  string    `json:"access"`
		Missing []missing `json:"missing"`
	}
	require.Eventually(t, func() bool {
		got.Missing = nil
		rig.Call(t, who, http.MethodGet, "api/connection", nil, &got)
		return got.Access == access
	}, hubtest.Patience, 100*time.Millisecond, access)
	return got.Missing
}

// What keeps a push out at GitHub has a name here, and git says the same of it.
func TestStatesAtGitHubAreNamedAndGitSaysTheSame(t *testing.T) {
	t.Parallel()
	settings, public, err := rig.BotSettings(t.TempDir(), "version: 1\nrules:\n  - name: r\n    callers: [\"service:nobody\"]\n    repositories: [octocat/hello]\n    permissions: {contents: read}\n    reason: \"to look\"\n")
	require.NoError(t, err)
	github := rig.NewGitHub(t, githubsim.Options{Interval: interval, Apps: []githubsim.App{{
		ClientID: githubsim.DefaultClientID, Slug: githubsim.DefaultSlug, Name: "Demo", PublicKeyPEM: string(public)}}})
	env := map[string]string{}
	maps.Copy(env, rig.ByName(settings))
	hub := hubtest.Options{Users: []string{"ada"}, ServiceEnv: env}
	w := &world{rig.NewWorld(t, rig.WorldOptions{Program: service, Hub: hub, GitHub: github})}
	w.StartServer(t, "ada", "")
	ada := w.Visit(t, "ada")
	terminal := w.OpenTerminal(t, "ada", "")
	rig.Shell(t, terminal, "export GIT_TERMINAL_PROMPT=0 LC_ALL=C; git config --global user.name Me; git config --global user.email me@example.org")
	// git runs a line that must fail, and returns what it says.
	git := func(line string) string {
		t.Helper()
		out, status, err := terminal.Run(hubtest.Context(t), line)
		require.NoError(t, err)
		require.NotZero(t, status, out)
		return out
	}
	connect := func(account string) {
		t.Helper()
		w.Connect(t, ada, account)
		w.waitDelivery(t, ada, "delivered")
	}
	disconnect := func() {
		t.Helper()
		require.Equal(t, http.StatusNoContent, rig.Call(t, ada, http.MethodDelete, "api/connection", nil, nil))
	}

	// A member has asked for the App, and its owner has not agreed.
	require.NoError(t, github.RequestApp("octo-org", "mona"))
	connect("mona")
	owners := github.URL() + "/organizations/octo-org/settings/installations"
	require.Equal(t, []missing{{"octo-org", "requested", owners}}, stands(t, ada, "requested"))
	page := rig.Page(t, ada)
	require.Contains(t, page, "Nothing can be pushed there until one of its owners agrees.")
	require.Contains(t, page, `href="`+owners+`"`)
	require.Contains(t, git("git clone -q "+github.URL()+"/octo-org/shared.git"), "Repository not found")
	disconnect()

	// The owner's own token was made without a single sign-on.
	_, err = github.Install("octo-org")
	require.NoError(t, err)
	github.SAML("octo-org", true)
	connect("octocat")
	signOn := github.URL() + "/orgs/octo-org/sso"
	require.Equal(t, []missing{{"octo-org", "single_sign_on", signOn}}, stands(t, ada, "single_sign_on"))
	page = rig.Page(t, ada)
	require.Contains(t, page, `id="fix-access" class="button primary big" href="`+signOn+`"`)
	require.Contains(t, page, "Then disconnect here and connect again")
	require.Contains(t, git("git clone -q "+github.URL()+"/octo-org/shared.git"), "you must re-authorize the GitHub App `Demo'")
	disconnect()
	github.SignOn("octocat", "octo-org") // as the page says
	connect("octocat")
	require.Empty(t, stands(t, ada, "ready"))
	rig.Shell(t, terminal, "git clone -q "+github.URL()+"/octo-org/shared.git && cd shared && git commit -q --allow-empty -m one && git push -q && cd ..")

	// Its repositories are archived, then one of its branches is protected.
	for _, name := range []string{"octo-org/shared", "octo-org/handbook"} {
		require.NoError(t, github.Archive(name, true))
	}
	disconnect()
	connect("octocat")
	require.Empty(t, stands(t, ada, "archived"))
	require.Contains(t, rig.Page(t, ada), "Archived, so nobody can push: 2")
	rig.Shell(t, terminal, "cd shared && git commit -q --allow-empty -m two")
	said := git("git push")
	require.Contains(t, said, "remote: This repository was archived so it is read-only.")
	require.Contains(t, said, "error: 403")
	require.NoError(t, github.Archive("octo-org/shared", false))
	require.NoError(t, github.Protect("octo-org/shared", "main"))
	said = git("git push")
	require.Contains(t, said, "GH006: Protected branch update failed for refs/heads/main.")
	require.Contains(t, said, "(protected branch hook declined)")
	rig.Shell(t, terminal, "git push -q origin HEAD:refs/heads/draft")
}
