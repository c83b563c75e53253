package bots_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
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
  - name: teachers
    reason: People who teach keep the course up to date.
    callers: [group:teachers]
    repositories: [octocat/hello]
    permissions: {contents: write}
`

// world is what all tests share. They run one after the other.
type world struct {
	folder, bin, policy string
	key, publicKey      []byte // PEM
	github              *githubsim.Server
	hub                 *hubtest.Hub
	service             *hubtest.Program
	docsToken           string // Hub token of the service docsbot
	metricsToken        string // of a Hub service that may read metrics
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
	if err := w.startGitHub(); err != nil {
		return err
	}
	s.Cleanup(w.github.Close)
	extra, err := w.extra()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*hubtest.Patience)
	defer cancel()
	w.hub, err = hubtest.Start(ctx, hubtest.Options{Extra: extra, Users: []string{"tess", "ada"}, External: func(env []string) error {
		w.service, err = rig.Start(append(append(env, rig.GitHubEnv(w.github)...),
			"GHSCOPED_STORE=bolt:"+filepath.Join(w.folder, "store.db"), "GHSCOPED_DELIVERY=pull",
			"GHSCOPED_APP_PRIVATE_KEY_FILE="+w.keyFile(), "GHSCOPED_BOT_POLICY="+w.policy), nil, filepath.Join(w.bin, "ghscoped-service"), "serve")
		if err == nil {
			s.Cleanup(func() error { return w.service.Stop(5 * time.Second) })
		}
		return err
	}})
	if err == nil {
		s.Cleanup(w.hub.Stop)
	}
	return err
}

// prepare builds the programs and makes the files.
func (w *world) prepare() error {
	if err := os.Mkdir(w.bin, 0o700); err != nil {
		return err
	}
	for _, pkg := range []string{"cmd/ghscoped", "cmd/ghscoped-service"} {
		if _, err := rig.Build(w.bin, pkg); err != nil {
			return err
		}
	}
	var err error
	if w.key, w.publicKey, err = rig.NewAppKey(); err != nil {
		return err
	}
	bot := filepath.Join(w.folder, "nbbot")
	return errors.Join(
		os.WriteFile(w.keyFile(), w.key, 0o600), os.WriteFile(w.policy, []byte(policyText), 0o600),
		os.Mkdir(bot, 0o700), exec.Command("mkfifo", filepath.Join(bot, "in"), filepath.Join(bot, "out")).Run(),
		os.WriteFile(filepath.Join(bot, "nbbot.sh"), []byte(nbbot), 0o600))
}

func (w *world) keyFile() string { return filepath.Join(w.folder, "app.pem") }

func (w *world) startGitHub() error {
	w.github = githubsim.New(githubsim.Options{
		Latency: githubsim.GitHubLatency, InstallationTokenLife: tokenLife, Limits: githubsim.Limits{UserPerHour: 1e6, AnonymousPerHour: 1e6},
		Apps: []githubsim.App{{ClientID: githubsim.DefaultClientID, Slug: githubsim.DefaultSlug, PublicKeyPEM: string(w.publicKey)}},
	})
	if err := w.github.Start(); err != nil {
		return err
	}
	_, org := w.github.Install("octo-org")
	_, person := w.github.Install("octocat")
	return errors.Join(org, person)
}

// extra is the Hub's side: nbbot, which the Hub runs, docsbot, which runs
// elsewhere, and who reads the metrics.
func (w *world) extra() (string, error) {
	bot := filepath.Join(w.folder, "nbbot")
	services := []map[string]any{
		{"name": "nbbot", "command": []string{"sh", "nbbot.sh"}, "cwd": bot, "environment": map[string]string{
			"PATH": w.bin + string(os.PathListSeparator) + os.Getenv("PATH"), "HOME": bot, "GIT_CONFIG_NOSYSTEM": "1",
			"GHSCOPED_GITHUB_URL": w.github.URL(),
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
		err := os.WriteFile(filepath.Join(folder, "in"), []byte("GITHUB="+w.github.URL()+"\n"+job), 0)
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
	request, err := http.NewRequestWithContext(t.Context(), method, w.hub.ServiceURL+path, strings.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Authorization", "token "+token)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(content)
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
		for line := range bytes.Lines(w.service.Log.Bytes()) {
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
