package action_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/githubsim"
	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/internal/oidcsim"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

// The numbers that the policy names.
const (
	repositoryID = 1
	ownerID      = 2
)

// world is what all tests share: a Hub with the service, GitHub with a repository that
// has a workflow, and the issuers of Actions and of a cluster.
type world struct {
	*rig.World
	folder, act, ghscoped string
	authorities           string // file of the certificates that all of it has
	actions, cluster      *oidcsim.Issuer
}

var shared *world

func TestMain(m *testing.M) { rig.Main(m, start) }

func start(s *rig.Shared) error {
	w := &world{folder: s.Folder}
	shared = w
	service, err := w.programs()
	if err != nil {
		return err
	}
	policy, err := os.ReadFile("testdata/policy.yaml")
	if err != nil {
		return err
	}
	settings, public, err := rig.BotSettings(s.Folder, string(policy))
	if err != nil {
		return err
	}
	github, err := s.GitHub(githubsim.Options{
		TLS:    true, // as act takes every GitHub to be
		Limits: githubsim.Limits{UserPerHour: 1e6, AnonymousPerHour: 1e6},
		Accounts: []githubsim.Account{{Login: "octocat", ID: 3},
			{Login: "octo", ID: ownerID, Org: true, Members: map[string]string{"octocat": "admin"}}},
		Repositories: []githubsim.Repository{{FullName: "octo/deploy", ID: repositoryID, Private: true}, {FullName: "octo/docs", Private: true}},
		Apps:         []githubsim.App{{ClientID: githubsim.DefaultClientID, Slug: githubsim.DefaultSlug, PublicKeyPEM: string(public)}},
	})
	if err != nil {
		return err
	}
	_, err = github.Install("octo")
	if err := errors.Join(err, w.commitAction(github), w.issuers(s)); err != nil {
		return err
	}
	w.authorities = filepath.Join(s.Folder, "ca.pem")
	if err := os.WriteFile(w.authorities, bytes.Join([][]byte{github.CAPEM(), w.actions.CAPEM(), w.cluster.CAPEM()}, nil), 0o600); err != nil {
		return err
	}
	settings = append(settings, "GHSCOPED_DELIVERY=pull", "SSL_CERT_FILE="+w.authorities, "GHSCOPED_BOT_ISSUERS_CA_FILE="+w.authorities,
		"GHSCOPED_BOT_ISSUERS=actions="+w.actions.URL()+",kubernetes="+w.cluster.URL())
	w.World, err = s.World(rig.WorldOptions{Program: service, GitHub: github, Hub: hubtest.Options{ServiceEnv: rig.ByName(settings)}, Serve: (*rig.World).Run})
	return err
}

func (w *world) programs() (service string, err error) {
	if w.ghscoped, err = rig.Build(w.folder, "cmd/ghscoped"); err != nil {
		return "", err
	}
	root, err := hubtest.Root()
	if err != nil {
		return "", err
	}
	w.act = filepath.Join(root, ".demo/bin/act")
	if _, err := os.Stat(w.act); err != nil {
		return "", fmt.Errorf("run demo/install.sh act: %w", err)
	}
	return rig.Build(w.folder, "cmd/ghscoped-service")
}

func (w *world) issuers(s *rig.Shared) (err error) {
	for _, issuer := range []**oidcsim.Issuer{&w.actions, &w.cluster} {
		if *issuer, err = oidcsim.Start(oidcsim.Options{TLS: true}); err != nil {
			return err
		}
		s.Cleanup((*issuer).Close)
	}
	return nil
}

// commitAction puts the workflows and the action into the repository.
func (w *world) commitAction(github *githubsim.Server) error {
	files := map[string]string{}
	for from, to := range map[string]string{"testdata/refresh.yaml": ".github/workflows/refresh.yaml", "testdata/checks.yaml": ".github/workflows/checks.yaml"} {
		text, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		files[to] = string(text)
	}
	for _, pattern := range []string{"action.yml", "*.mjs", "lib/*.mjs"} {
		found, err := filepath.Glob(filepath.Join("../../action", pattern))
		if err != nil {
			return err
		}
		for _, path := range found {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			files[strings.TrimPrefix(path, "../../")] = string(text)
		}
	}
	return github.Commit("octo/deploy", "The workflows, and the action", files)
}

// checkout is the repository as actions/checkout leaves it: with a credential of the
// workflow's own, by which nobody can push.
func (w *world) checkout(t *testing.T) string {
	t.Helper()
	bare, err := w.GitHub.RepositoryDir("octo/deploy")
	require.NoError(t, err)
	folder := filepath.Join(t.TempDir(), "deploy")
	header := "AUTHORIZATION: basic " + base64.StdEncoding.EncodeToString([]byte("x-access-token:ghs_of_the_workflow_itself"))
	for _, args := range [][]string{
		{"clone", "-q", "-b", "main", bare, folder},
		{"-C", folder, "remote", "set-url", "origin", w.GitHub.URL() + "/octo/deploy"},
		{"-C", folder, "config", "http." + w.GitHub.URL() + "/.extraheader", header},
	} {
		out, err := exec.Command("git", args...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	return folder
}

// trust are the variables by which everything in a job trusts the simulators.
func (w *world) trust() []string {
	return []string{"NODE_EXTRA_CA_CERTS=" + w.authorities, "GIT_SSL_CAINFO=" + w.authorities, "CURL_CA_BUNDLE=" + w.authorities, "SSL_CERT_FILE=" + w.authorities}
}

// inActions are the variables of a job that may ask who it is.
func (w *world) inActions(job oidcsim.Job) []string {
	address, token := w.actions.StartJob(job)
	return []string{"ACTIONS_ID_TOKEN_REQUEST_URL=" + address, "ACTIONS_ID_TOKEN_REQUEST_TOKEN=" + token}
}

// run has act run the workflow as that job, and returns its log and exit code.
func (w *world) run(t *testing.T, job oidcsim.Job, vars ...string) (log string, code int) {
	t.Helper()
	github, err := url.Parse(w.GitHub.URL())
	require.NoError(t, err)
	event := job.EventName
	if event == "" {
		event = "push"
	}
	args := []string{event, "-W", ".github/workflows/refresh.yaml", "-P", "ubuntu-latest=-self-hosted", "--github-instance", github.Host,
		"--action-offline-mode", "--no-cache-server", "--var", "HUB=" + w.Hub.ServiceURL}
	for _, variable := range vars {
		args = append(args, "--var", variable)
	}
	for _, variable := range slices.Concat(w.trust(), w.inActions(job), []string{"GIT_TERMINAL_PROMPT=0"}) {
		args = append(args, "--env", variable)
	}
	home := t.TempDir()
	act := exec.CommandContext(hubtest.Context(t), w.act, args...)
	act.Dir = w.checkout(t)
	// It asks for news of itself otherwise, and nothing here reaches beyond this machine.
	act.Env = []string{"ACT_DISABLE_VERSION_CHECK=1", "PATH=" + os.Getenv("PATH"), "HOME=" + home, "GIT_CONFIG_NOSYSTEM=1"}
	return ended(t, act)
}

// bot runs ghscoped, with only these variables, and returns what it printed and its
// exit code.
func (w *world) bot(t *testing.T, env []string, args ...string) (out string, code int) {
	t.Helper()
	command := exec.CommandContext(hubtest.Context(t), w.ghscoped, args...)
	command.Env = slices.Concat([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "GIT_CONFIG_NOSYSTEM=1",
		"GHSCOPED_URL=" + w.Hub.ServiceURL, "GHSCOPED_GITHUB_URL=" + w.GitHub.URL()}, w.trust(), env)
	return ended(t, command)
}

func ended(t *testing.T, command *exec.Cmd) (out string, code int) {
	t.Helper()
	printed, err := command.CombinedOutput()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		require.NoError(t, err, "%s", printed)
	}
	return string(printed), command.ProcessState.ExitCode()
}

// event is a line of the audit.
type event struct {
	Audit                        bool
	Action, Caller, Outcome, Why string
	TokenHash                    string `json:"token_sha256"`
}

// audit waits for the event of which wanted holds: a line may reach the log after the
// answer that it is about.
func (w *world) audit(t *testing.T, wanted func(event) bool) (found event) {
	t.Helper()
	require.Eventually(t, func() bool {
		for line := range bytes.Lines(w.Service.Log.Bytes()) {
			var e event
			if json.Unmarshal(line, &e) == nil && e.Audit && wanted(e) {
				found = e
				return true
			}
		}
		return false
	}, hubtest.Patience, 20*time.Millisecond)
	return found
}

// requireNoSecrets looks for every token that there ever was in what was printed.
func (w *world) requireNoSecrets(t *testing.T, printed string) {
	t.Helper()
	tokens := w.GitHub.Tokens()
	require.NotEmpty(t, tokens)
	for _, token := range tokens {
		require.NotContains(t, printed, token.Token)
		require.NotContains(t, printed, base64.StdEncoding.EncodeToString([]byte("x-access-token:"+token.Token)))
	}
	require.NotContains(t, printed, "eyJ", "the beginning of every identity token")
}
