package bots_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/githubsim"
	"github.com/ghscoped/ghscoped-service/internal/hubtest"
)

const (
	patience = time.Minute
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
	key                 *rsa.PrivateKey
	github              *githubsim.Server
	hub                 *hubtest.Hub
	service             *hubtest.Program
	docsToken           string // Hub token of the service docsbot
	metricsToken        string // of a Hub service that may read metrics
}

var shared *world

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	w, stop, err := startWorld()
	defer stop()
	if err != nil {
		log.Print(err)
		return 1
	}
	shared = w
	return m.Run()
}

func startWorld() (w *world, stop func(), err error) {
	var stops []func()
	stop = func() {
		for i := len(stops) - 1; i >= 0; i-- {
			stops[i]()
		}
	}
	folder, err := os.MkdirTemp("", "bots-test-")
	if err != nil {
		return nil, stop, err
	}
	stops = append(stops, func() { _ = os.RemoveAll(folder) })
	w = &world{folder: folder, bin: filepath.Join(folder, "bin"), policy: filepath.Join(folder, "policy.yaml"),
		docsToken: rand.Text(), metricsToken: rand.Text()}
	if err := w.prepare(); err != nil {
		return nil, stop, err
	}
	if err := w.startGitHub(); err != nil {
		return nil, stop, err
	}
	stops = append(stops, func() { _ = w.github.Close() })
	extra, err := w.extra()
	if err != nil {
		return nil, stop, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	w.hub, err = hubtest.Start(ctx, hubtest.Options{External: w.startService, Extra: extra, Users: []string{"tess", "ada"}})
	if w.service != nil {
		stops = append(stops, func() { _ = w.service.Stop(5 * time.Second) })
	}
	if err != nil {
		return nil, stop, err
	}
	stops = append(stops, func() { _ = w.hub.Stop() })
	return w, stop, nil
}

// prepare builds the programs and makes the files.
func (w *world) prepare() (err error) {
	build := exec.Command("go", "build", "-trimpath", "-o", w.bin+"/", "../../cmd/ghscoped", "../../cmd/ghscoped-service")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w: %s", err, out)
	}
	if w.key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		return err
	}
	bot := filepath.Join(w.folder, "nbbot")
	return errors.Join(
		os.WriteFile(w.keyFile(), w.keyPEM(), 0o600), os.WriteFile(w.policy, []byte(policyText), 0o600),
		os.Mkdir(bot, 0o700), exec.Command("mkfifo", filepath.Join(bot, "in"), filepath.Join(bot, "out")).Run(),
		os.WriteFile(filepath.Join(bot, "nbbot.sh"), []byte(nbbot), 0o600))
}

func (w *world) keyFile() string { return filepath.Join(w.folder, "app.pem") }

func (w *world) keyPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(w.key)})
}

func (w *world) startGitHub() error {
	public, err := x509.MarshalPKIXPublicKey(&w.key.PublicKey)
	if err != nil {
		return err
	}
	w.github = githubsim.New(githubsim.Options{
		InstallationTokenLife: tokenLife, Limits: githubsim.Limits{UserPerHour: 1e6, AnonymousPerHour: 1e6},
		Apps: []githubsim.App{{ClientID: githubsim.DefaultClientID, Slug: githubsim.DefaultSlug,
			PublicKeyPEM: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))}},
	})
	if err := w.github.Start(); err != nil {
		return err
	}
	_, org := w.github.Install("octo-org")
	_, person := w.github.Install("octocat")
	return errors.Join(org, person)
}

func (w *world) startService(env []string) (err error) {
	info := w.github.Info()
	cmd := exec.Command(filepath.Join(w.bin, "ghscoped-service"), "serve")
	cmd.Env = append(append(os.Environ(), env...),
		"GHSCOPED_CLIENT_ID="+info.ClientID, "GHSCOPED_APP_URL="+info.AppURL, "GHSCOPED_GITHUB_URL="+info.URL,
		"GHSCOPED_STORE=bolt:"+filepath.Join(w.folder, "store.db"), "GHSCOPED_DELIVERY=pull",
		"GHSCOPED_APP_PRIVATE_KEY_FILE="+w.keyFile(), "GHSCOPED_BOT_POLICY="+w.policy)
	w.service, err = hubtest.StartProgram(cmd, nil)
	return err
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
	case <-time.After(patience):
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

// audit reads what the service has written with its own command.
func (w *world) audit(t testing.TB, args ...string) []event {
	t.Helper()
	cmd := exec.Command(filepath.Join(w.bin, "ghscoped-service"), append([]string{"audit"}, args...)...)
	cmd.Stdin = bytes.NewReader(w.service.Log.Bytes())
	out, err := cmd.Output()
	require.NoError(t, err)
	var events []event
	for line := range bytes.Lines(out) {
		var e event
		require.NoError(t, json.Unmarshal(line, &e))
		events = append(events, e)
	}
	return events
}

// tokenState is what GitHub says of a token, named by its SHA-256.
func (w *world) tokenState(hash string) string {
	for _, token := range w.github.Tokens() {
		if token.SHA256 == hash {
			return token.State
		}
	}
	return "unknown"
}
