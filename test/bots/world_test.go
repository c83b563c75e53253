package bots_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/githubsim"
	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/internal/oidcsim"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

const (
	// tokenLife leaves a token 4 seconds before a job counts it as near its end,
	// which is 10 minutes before.
	tokenLife = 10*time.Minute + 4*time.Second
)

// policyText has a rule for each bot, and one that nobody here fulfils.
const policyText = `version: 1
rules:
  - name: nightly
    reason: The nightly job refreshes the course material.
    callers: [service:nbbot]
    repositories: [octo-org/shared]
    permissions: {contents: write, pull_requests: write}
  - name: docs
    reason: The documentation has a bot of its own.
    callers: [service:docsbot]
    repositories: [octo-org/handbook]
    permissions: {contents: write}
  - name: site
    reason: The workflow that builds the documentation commits to it.
    callers: [actions:octo/deploy]
    where: {repository_id: "1", repository_owner_id: "2", ref: refs/heads/main}
    repositories: [octo-org/handbook]
    permissions: {contents: write}
  - name: commits
    reason: Each test of bot commit has a repository of its own.
    callers: [service:docsbot]
    repositories: [octo-org/*]
    except: [octo-org/shared]
    permissions: {contents: write}
  - name: teachers
    reason: People who teach keep the course up to date.
    callers: [group:teachers]
    repositories: [octocat/hello]
    permissions: {contents: write}
`

// world is what all tests share. They run one after the other.
type world struct {
	*rig.World
	folder, bin, policy string
	docsToken           string // Hub token of the service docsbot
	metricsToken        string // of a Hub service that may read metrics
	actions             *oidcsim.Issuer
}

var shared *world

func TestMain(m *testing.M) { rig.Main(m, start) }

func start(s *rig.Shared) error {
	w := &world{folder: s.Folder, bin: filepath.Join(s.Folder, "bin"), policy: filepath.Join(s.Folder, "policy.yaml"),
		docsToken: rand.Text(), metricsToken: rand.Text()}
	shared = w
	if err := w.prepare(); err != nil {
		return err
	}
	settings, public, err := rig.BotSettings(s.Folder, policyText)
	if err != nil {
		return err
	}
	github, err := s.GitHub(githubsim.Options{
		InstallationTokenLife: tokenLife, Limits: githubsim.Limits{UserPerHour: 1e6, AnonymousPerHour: 1e6},
		Apps: []githubsim.App{{ClientID: githubsim.DefaultClientID, Slug: githubsim.DefaultSlug, PublicKeyPEM: string(public)}},
	})
	if err != nil {
		return err
	}
	if w.actions, err = oidcsim.Start(oidcsim.Options{}); err != nil {
		return err
	}
	s.Cleanup(w.actions.Close)
	settings = append(settings, "GHSCOPED_BOT_ISSUERS=actions="+w.actions.URL())
	_, org := github.Install("octo-org")
	_, person := github.Install("octocat")
	extra, err := w.extra(github)
	if err := errors.Join(org, person, err); err != nil {
		return err
	}
	hub := hubtest.Options{Extra: extra, Users: []string{"tess", "ada"}, ServiceEnv: rig.ByName(append(settings, "GHSCOPED_DELIVERY=pull"))}
	w.World, err = s.World(rig.WorldOptions{Program: filepath.Join(w.bin, "ghscoped-service"), Hub: hub, GitHub: github, Serve: (*rig.World).Run})
	return err
}

// prepare builds the programs, and makes the bot's folder.
func (w *world) prepare() error {
	if err := os.Mkdir(w.bin, 0o700); err != nil {
		return err
	}
	for _, pkg := range []string{"cmd/ghscoped", "cmd/ghscoped-service"} {
		if _, err := rig.Build(w.bin, pkg); err != nil {
			return err
		}
	}
	bot := filepath.Join(w.folder, "nbbot")
	return errors.Join(os.Mkdir(bot, 0o700), exec.Command("mkfifo", filepath.Join(bot, "in"), filepath.Join(bot, "out")).Run(),
		os.WriteFile(filepath.Join(bot, "nbbot.sh"), []byte(nbbot), 0o600))
}

// extra is the Hub's side: nbbot, which the Hub runs, docsbot, which runs
// elsewhere, and who reads the metrics.
func (w *world) extra(github *githubsim.Server) (string, error) {
	bot := filepath.Join(w.folder, "nbbot")
	services := []map[string]any{
		{"name": "nbbot", "command": []string{"sh", "nbbot.sh"}, "cwd": bot, "environment": map[string]string{
			"PATH": w.bin + string(os.PathListSeparator) + os.Getenv("PATH"), "HOME": bot, "GIT_CONFIG_NOSYSTEM": "1",
			"GHSCOPED_GITHUB_URL": github.URL(),
		}},
		{"name": "docsbot", "api_token": w.docsToken},
		{"name": "watch", "api_token": w.metricsToken},
	}
	roles := []map[string]any{
		{"name": "bots", "services": []string{"nbbot", "docsbot"}, "scopes": []string{"access:services!service=" + hubtest.ServiceName}},
		{"name": "watch", "services": []string{"watch"}, "scopes": []string{"read:metrics"}},
	}
	groups := map[string]any{"teachers": map[string]any{"users": []string{"tess"}}}
	var extra strings.Builder
	for target, value := range map[string]any{"services.extend": services, "load_roles.extend": roles, "load_groups.update": groups} {
		text, err := json.Marshal(value) // of these types, JSON is Python too
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&extra, "c.JupyterHub.%s(%s)\n", target, text)
	}
	return extra.String(), nil
}

// nbbot is the bot: a Hub service that does what it is told, one job after the
// other.
const nbbot = `while :; do
	cat in >job
	{ sh job 2>&1; echo "exit $?"; } >out
done
`

// do has nbbot do a job and returns what that printed and its exit code.
func (w *world) do(t testing.TB, job string) (out string, code int) {
	t.Helper()
	type result struct {
		out []byte
		err error
	}
	ended := make(chan result, 1)
	go func() {
		folder := filepath.Join(w.folder, "nbbot")
		err := os.WriteFile(filepath.Join(folder, "in"), []byte("GITHUB="+w.GitHub.URL()+"\n"+job), 0)
		out, readErr := os.ReadFile(filepath.Join(folder, "out"))
		ended <- result{out, errors.Join(err, readErr)}
	}()
	select {
	case r := <-ended:
		require.NoError(t, r.err)
		found := regexp.MustCompile(`exit (\d+)\n$`).FindSubmatch(r.out)
		require.NotNil(t, found, "%s", r.out)
		code, err := strconv.Atoi(string(found[1]))
		require.NoError(t, err)
		return string(bytes.TrimSuffix(r.out, found[0])), code
	case <-time.After(hubtest.Patience):
		require.Fail(t, "the bot does not answer")
		return "", 0
	}
}

// must is do for a job that has to succeed.
func (w *world) must(t testing.TB, job string) string {
	t.Helper()
	out, code := w.do(t, job)
	require.Zero(t, code, out)
	return out
}

// call asks the service with a Hub token, through the Hub's proxy.
func (w *world) call(t testing.TB, token, method, path, body string) (status int, answer string) {
	t.Helper()
	status = rig.Call(t, w.Hub.Holder(token), method, path, body, &answer)
	return status, answer
}

// workflow is the identity token of a job, a new one each time.
func (w *world) workflow(job oidcsim.Job) string {
	return w.actions.Sign(w.actions.JobClaims(job, w.Hub.ServiceURL))
}

func ask(repository, permission, level string) string {
	return fmt.Sprintf(`{"repositories":[%q],"permissions":{%q:%q}}`, repository, permission, level)
}

// event is a line of the audit.
type event struct {
	Action       string
	Caller       string
	Rule         string
	Outcome      string
	Repositories []string
	TokenHash    string `json:"token_sha256"`
	RequestID    string `json:"request_id"`
	Why          string
}

// audit reads the events that have all these words, until they are enough: a
// line may reach the log after the answer that it is about.
func (w *world) audit(t testing.TB, enough func([]event) bool, words ...string) (events []event) {
	t.Helper()
	require.Eventually(t, func() bool {
		events = nil
		for line := range bytes.Lines(w.Service.Log.Bytes()) {
			var e struct {
				event
				Audit bool
			}
			lacks := func(word string) bool { return !bytes.Contains(line, []byte(word)) }
			if json.Unmarshal(line, &e) == nil && e.Audit && !slices.ContainsFunc(words, lacks) {
				events = append(events, e.event)
			}
		}
		return enough(events)
	}, hubtest.Patience, 50*time.Millisecond, "%v: %v", words, &events)
	return events
}
