package bot_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/appkey"
	"github.com/ghscoped/ghscoped-service/internal/bot"
	"github.com/ghscoped/ghscoped-service/internal/githubapi"
	"github.com/ghscoped/ghscoped-service/internal/githubsim"
	"github.com/ghscoped/ghscoped-service/internal/webaddr"
)

// realGit runs git with no configuration but its own.
func realGit(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=b", "GIT_AUTHOR_EMAIL=b@x.test", "GIT_COMMITTER_NAME=b", "GIT_COMMITTER_EMAIL=b@x.test")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// tryPush clones a repository with a token and pushes a new branch to it.
func tryPush(t *testing.T, sim *githubsim.Server, full string, token bot.Token, branch string) (string, error) {
	t.Helper()
	origin, err := url.Parse(sim.URL() + "/" + full + ".git")
	require.NoError(t, err)
	origin.User = url.UserPassword("x-access-token", token.Token.Reveal())
	dir := filepath.Join(t.TempDir(), "work")
	if out, err := realGit(t, "", "clone", "-q", origin.String(), dir); err != nil {
		return out, err
	}
	_, err = realGit(t, dir, "commit", "-q", "--allow-empty", "-m", "by the bot")
	require.NoError(t, err)
	return realGit(t, dir, "push", "origin", "HEAD:refs/heads/"+branch)
}

// loopback refuses to reach anything but this machine.
type loopback struct{}

func (loopback) RoundTrip(r *http.Request) (*http.Response, error) {
	if ip := net.ParseIP(r.URL.Hostname()); ip == nil || !ip.IsLoopback() {
		return nil, errors.New("a test may reach loopback only: " + r.URL.Host)
	}
	return http.DefaultTransport.RoundTrip(r)
}

func newGitHub(t *testing.T) (*githubsim.Server, bot.GitHub) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	require.NoError(t, err)
	keyFile := filepath.Join(t.TempDir(), "app.pem")
	require.NoError(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}), 0o600))

	sim := githubsim.New(githubsim.Options{Apps: []githubsim.App{{ClientID: githubsim.DefaultClientID, Slug: githubsim.DefaultSlug,
		PublicKeyPEM: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))}}})
	require.NoError(t, sim.Start())
	t.Cleanup(func() { _ = sim.Close() })
	_, err = sim.Install("octo-org")
	require.NoError(t, err)
	web, err := url.Parse(sim.URL())
	require.NoError(t, err)
	client, err := githubapi.New(githubapi.Options{Web: web, API: webaddr.GitHubAPI(web), ClientID: githubsim.DefaultClientID, Signer: appkey.New(keyFile),
		HTTP: &http.Client{Transport: loopback{}}, Clock: time.Now})
	require.NoError(t, err)
	return sim, client
}

func TestIssueLetsABotPushWhereItsRuleSaysAndNowhereElse(t *testing.T) {
	t.Parallel()
	sim, client := newGitHub(t)
	fakes := newStage(t, policyText, nil)
	fakes.now = time.Now()
	issuer := bot.New(bot.Options{Policy: func() *bot.Policy { return fakes.policy }, GitHub: client, Store: fakes, Audit: fakes,
		Clock: time.Now, Registry: prometheus.NewRegistry()})

	token, err := issuer.Issue(t.Context(), nbbot, push("octo-org/shared"), "request-1")
	require.NoError(t, err)
	out, err := tryPush(t, sim, "octo-org/shared", token, "nightly")
	require.NoError(t, err, out)
	out, err = tryPush(t, sim, "octo-org/handbook", token, "nightly")
	require.Error(t, err, "the token is for one repository, though the installation has all")
	require.Contains(t, out, "denied")

	_, err = issuer.Issue(t.Context(), nbbot, push("octocat/hello"), "request-2")
	requireCode(t, err, "bot_refused")

	pushes := sim.Stats().Pushes
	require.Equal(t, "octo-org/shared", pushes[0].Repository)
	require.Equal(t, githubsim.DefaultSlug+"[bot]", pushes[0].Actor)
	require.Equal(t, fakes.events[0].TokenHash, pushes[0].TokenSHA256, "the audit names the token that pushed")
	require.Equal(t, []string{bot.Issued, bot.Refused}, []string{fakes.events[0].Outcome, fakes.events[1].Outcome})

	n, err := issuer.RevokeAll(t.Context(), "user:admin", "")
	require.NoError(t, err)
	require.Equal(t, 1, n)
	out, err = tryPush(t, sim, "octo-org/shared", token, "late")
	require.Error(t, err)
	require.Contains(t, strings.ToLower(out), "invalid username or token")
}

func TestRepositoryFileInTheRealRepositoryDecides(t *testing.T) {
	t.Parallel()
	sim, client := newGitHub(t)
	fakes := newStage(t, policyText, nil)
	issuer := bot.New(bot.Options{Policy: func() *bot.Policy { return fakes.policy }, RepositoryFile: true, GitHub: client, Store: fakes, Audit: fakes,
		Clock: time.Now, Registry: prometheus.NewRegistry()})
	_, err := issuer.Issue(t.Context(), nbbot, push("octo-org/shared"), "r")
	requireCode(t, err, "repository_refused")

	require.NoError(t, sim.Commit("octo-org/shared", "allow the bot", map[string]string{
		bot.RepositoryFilePath: "version: 1\nallow:\n  - callers: [service:nbbot]\n    permissions: {contents: write}\n"}))
	_, err = issuer.Issue(t.Context(), nbbot, push("octo-org/shared"), "r")
	requireCode(t, err, "repository_unguarded")
	require.NoError(t, sim.Protect("octo-org/shared", "main"))
	token, err := issuer.Issue(t.Context(), nbbot, push("octo-org/shared"), "r")
	require.NoError(t, err)
	out, err := tryPush(t, sim, "octo-org/shared", token, "allowed")
	require.NoError(t, err, out)
	live := 0
	for _, info := range sim.Tokens() {
		if info.State == "live" {
			live++
		}
	}
	require.Equal(t, 1, live, "the tokens that read the file are revoked")
}
