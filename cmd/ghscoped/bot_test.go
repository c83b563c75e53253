package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/client"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// fakeService mints tokens that live an hour by its clock.
type fakeService struct {
	mu      sync.Mutex
	now     time.Time
	err     error
	minted  int
	revoked []string
	away    bool
	ended   []string // at GitHub itself
}

func (f *fakeService) clock() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

func (f *fakeService) BotToken(context.Context, client.BotRequest) (client.BotToken, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return client.BotToken{}, f.err
	}
	f.minted++
	return client.BotToken{
		Token: secret.Store(secret.New(fmt.Sprint("ghs_", f.minted))), ExpiresAt: f.now.Add(time.Hour),
		Git: client.GitIdentity{Name: "app[bot]", Email: "7+app[bot]@users.noreply.github.com"},
	}, nil
}

func (f *fakeService) RevokeBotToken(ctx context.Context, id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.away {
		return errors.New("the service is away")
	}
	f.revoked = append(f.revoked, id)
	return ctx.Err()
}

func (f *fakeService) RevokeInstallationToken(_ context.Context, token github.InstallationToken) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = append(f.ended, token.Token.Reveal())
	return nil
}

func hash(token string) string { return secret.New(token).Hash() }

func newAgent() (*tokenAgent, *fakeService) {
	f := &fakeService{now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
	return &tokenAgent{service: f, github: f, clock: f.clock}, f
}

func requireToken(t *testing.T, a *tokenAgent, want string) {
	t.Helper()
	token, err := a.token(t.Context())
	require.NoError(t, err)
	require.Equal(t, want, token.Token.Reveal())
}

func TestTokenAgentRenewsATokenNearItsEnd(t *testing.T) {
	t.Parallel()
	a, f := newAgent()
	requireToken(t, a, "ghs_1")
	f.now = f.now.Add(49 * time.Minute)
	requireToken(t, a, "ghs_1")
	f.now = f.now.Add(time.Minute)
	requireToken(t, a, "ghs_2")
	f.now = f.now.Add(55 * time.Minute)
	f.err = errors.New("GitHub is away")
	requireToken(t, a, "ghs_2")
	f.now = f.now.Add(5 * time.Minute)
	_, err := a.token(t.Context())
	require.Error(t, err, "it has ended")
	f.err = nil
	requireToken(t, a, "ghs_3")
	a.refused(hash("ghs_2"))
	requireToken(t, a, "ghs_3")
	a.refused(hash("ghs_3"))
	requireToken(t, a, "ghs_4")

	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, a.end(cancelled))
	require.Equal(t, []string{hash("ghs_3"), hash("ghs_4")}, f.revoked, "the others have ended by themselves")
}

func TestTokenAgentEndsATokenAtGitHubWhereTheServiceIsAway(t *testing.T) {
	t.Parallel()
	a, f := newAgent()
	requireToken(t, a, "ghs_1")
	f.away = true
	require.NoError(t, a.end(t.Context()))
	require.Equal(t, []string{"ghs_1"}, f.ended)
}

func TestMintAsksAgainWhileItMayPass(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, f := newAgent()
		f.err = &client.Error{Status: 503, Code: "github_limited", Retryable: true, RetryAfter: 30 * time.Second}
		began := time.Now()
		time.AfterFunc(45*time.Second, func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.err = nil
		})
		_, err := mint(t.Context(), f, client.BotRequest{})
		require.NoError(t, err)
		require.Equal(t, time.Minute, time.Since(began), "no sooner than it was asked to")

		f.err = &client.Error{Code: client.CodeUnreachable, Retryable: true}
		began = time.Now()
		_, err = mint(t.Context(), f, client.BotRequest{})
		require.ErrorIs(t, err, f.err)
		require.Equal(t, mintLimit, time.Since(began), "and not for ever")

		f.err = &client.Error{Status: 403, Code: "bot_refused"}
		began = time.Now()
		_, err = mint(t.Context(), f, client.BotRequest{})
		require.ErrorIs(t, err, f.err)
		require.Zero(t, time.Since(began))
	})
}

func TestTokenAgentListensForItsUserOnly(t *testing.T) {
	t.Parallel()
	a, f := newAgent()
	path, remove, err := a.listen(t.Context(), os.TempDir())
	require.NoError(t, err)
	info, err := os.Stat(filepath.Dir(path))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())

	in := invocation{getenv: func(name string) string { return map[string]string{socketVariable: path}[name] }}
	for _, want := range []string{"ghs_1", "ghs_1"} {
		token, err := in.askAgent(t.Context(), agentQuestion{})
		require.NoError(t, err)
		require.Equal(t, want, token.Token.Reveal())
	}
	_, err = in.askAgent(t.Context(), agentQuestion{Refused: hash("ghs_1")})
	require.NoError(t, err)
	f.err = &client.Error{Status: 403, Code: "bot_refused", Message: "No rule allows this.", Hint: "Ask."}
	_, err = in.askAgent(t.Context(), agentQuestion{})
	require.Equal(t, asCommandError(f.err), asCommandError(err), "with the same exit code")
	require.Equal(t, exitFailed, asCommandError(err).exit)

	remove()
	require.NoDirExists(t, filepath.Dir(path))
	_, err = in.askAgent(t.Context(), agentQuestion{})
	require.Equal(t, "no_job", asCommandError(err).code)
}

func TestTokenAgentListensWhateverTheFolderForTemporaryFiles(t *testing.T) {
	t.Parallel()
	for name, length := range map[string]int{"the longest that will do": maxTemporary, "a longer one": maxTemporary + 1, "a long one": 200} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			short, err := os.MkdirTemp("/tmp", "t-")
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, os.RemoveAll(short)) })
			temporary := filepath.Join(short, strings.Repeat("x", length-len(short)-1))
			require.NoError(t, os.Mkdir(temporary, 0o700))
			a, _ := newAgent()
			path, remove, err := a.listen(t.Context(), temporary)
			require.NoError(t, err)
			defer remove()
			require.Equal(t, length <= maxTemporary, strings.HasPrefix(path, temporary+"/"))
			in := invocation{getenv: func(string) string { return path }}
			_, err = in.askAgent(t.Context(), agentQuestion{})
			require.NoError(t, err)
		})
	}
}

// job runs a shell line as a job; signals are sent to this process when the
// line has said "ready".
func job(t *testing.T, line string, signals ...syscall.Signal) (out string, exit int) {
	t.Helper()
	reading, writing, err := os.Pipe()
	require.NoError(t, err)
	in := invocation{getenv: func(string) string { return "" }, stdin: strings.NewReader(""), stdout: writing, stderr: os.Stderr}
	a, f := newAgent()
	ended := make(chan error)
	go func() {
		err := in.runJob(t.Context(), a, []string{"sh", "-c", line})
		_ = writing.Close()
		ended <- err
	}()
	lines := bufio.NewScanner(reading)
	for lines.Scan() {
		out += lines.Text() + "\n"
		if lines.Text() == "ready" {
			for _, s := range signals {
				require.NoError(t, syscall.Kill(os.Getpid(), s))
			}
		}
	}
	err = <-ended
	require.Equal(t, []string{hash("ghs_1")}, f.revoked)
	if err == nil {
		return out, 0
	}
	return out, asCommandError(err).exit
}

// Signals reach the whole process, so these jobs run one after the other.
func TestRunJobEndsAsItsCommandDoes(t *testing.T) {
	for name, tc := range map[string]struct {
		line    string
		signals []syscall.Signal
		exit    int
		says    string
	}{
		"well":                          {"echo $GH_TOKEN $GITHUB_TOKEN $GIT_AUTHOR_NAME", nil, 0, "ghs_1 ghs_1 app[bot]\n"},
		"with its own code":             {"exit 7", nil, 7, ""},
		"by a signal of its own":        {"kill -KILL $$", nil, 137, ""},
		"told by a signal":              {"trap 'echo told; exit 3' TERM; echo ready; while :; do sleep 0.05; done", []syscall.Signal{syscall.SIGTERM}, 3, "told"},
		"killed by a signal":            {"echo ready; exec sleep 60", []syscall.Signal{syscall.SIGHUP}, 129, ""},
		"well, in spite of a signal":    {"trap 'echo told; exit 0' INT; echo ready; while :; do sleep 0.05; done", []syscall.Signal{syscall.SIGINT}, 0, "told"},
		"with signals of other meaning": {"trap 'echo usr1; exit 5' USR1; echo ready; while :; do sleep 0.05; done", []syscall.Signal{syscall.SIGUSR1}, 5, "usr1"},
	} {
		t.Run(name, func(t *testing.T) {
			out, exit := job(t, tc.line, tc.signals...)
			require.Equal(t, tc.exit, exit, out)
			require.Contains(t, out, tc.says)
		})
	}
}

func TestRunJobLeavesNoTokenWhereTheCommandCannotBeRun(t *testing.T) {
	t.Parallel()
	for command, exit := range map[string]int{"no-such-command": exitNoCommand, os.TempDir(): exitCannotRun} {
		a, f := newAgent()
		in := invocation{getenv: func(string) string { return "" }, stdin: strings.NewReader(""), stdout: os.Stdout, stderr: os.Stderr}
		require.Equal(t, exit, asCommandError(in.runJob(t.Context(), a, []string{command})).exit)
		require.Len(t, f.revoked, 1)
	}
}

// TestJobEnvHasGitAskTheTokenAgentOnly shows git the environment of a job.
func TestJobEnvHasGitAskTheTokenAgentOnly(t *testing.T) {
	t.Parallel()
	github, err := url.Parse("https://github.com")
	require.NoError(t, err)
	before := map[string]string{"GIT_CONFIG_COUNT": "2", "GIT_CONFIG_KEY_0": "credential.helper", "GIT_CONFIG_VALUE_0": "store",
		"GIT_CONFIG_KEY_1": "init.defaultBranch", "GIT_CONFIG_VALUE_1": "trunk"}
	getenv := func(name string) string { return before[name] }
	env := []string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH"), "GIT_CONFIG_NOSYSTEM=1"}
	for name, value := range before {
		env = append(env, name+"="+value)
	}
	env = append(env, jobEnv(getenv, github, client.BotToken{Token: secret.Store(secret.New("ghs_1")), Repositories: []string{"octo-org/papers"}}, "/run/bot", "/opt/it's/ghscoped")...)
	ask := func(args ...string) string {
		git := exec.Command("git", args...)
		git.Env = env
		out, err := git.Output()
		require.NoError(t, err)
		return string(out)
	}
	require.Equal(t, "\n!'/opt/it'\\''s/ghscoped' git-credential-bot\n", ask("config", "--get-all", "credential.https://github.com.helper"),
		"the empty one takes back those of before")
	require.Equal(t, "trunk\n", ask("config", "init.defaultBranch"), "what was there stays")
	require.False(t, slices.ContainsFunc(env, func(e string) bool { return strings.HasPrefix(e, "GIT_AUTHOR") }), "no name is no empty name")

	// Settings by which git would use another credential than the job's.
	for _, setting := range [][2]string{
		{"url.https://me:ghp_other@github.com/.insteadOf", "https://github.com/"},
		{"url.git@github.com:.insteadOf", "https://github.com/"},
		{"url.ssh://git@github.com/.pushInsteadOf", "https://github.com/"},
		{"http.https://github.com/.extraheader", "Authorization: basic b3RoZXI="},
		{"http.extraheader", "Authorization: basic b3RoZXI="},
	} {
		ask("config", "--global", "--add", setting[0], setting[1])
	}
	for _, typed := range []string{"https://github.com/octo-org/papers", "git@github.com:octo-org/papers", "ssh://git@github.com/octo-org/papers", "git+ssh://git@github.com/octo-org/papers"} {
		require.Equal(t, "https://github.com/octo-org/papers\n", ask("ls-remote", "--get-url", typed))
		repository := t.TempDir()
		ask("init", "-q", repository)
		ask("-C", repository, "remote", "add", "origin", typed)
		require.Equal(t, "https://github.com/octo-org/papers\n", ask("-C", repository, "remote", "get-url", "--push", "origin"))
	}
	headers := strings.Split(strings.TrimSuffix(ask("config", "--get-urlmatch", "http.extraheader", "https://github.com/octo-org/papers"), "\n"), "\n")
	require.Empty(t, headers[len(headers)-1], "the last one, which drops those before it")
	require.False(t, slices.ContainsFunc(env, func(e string) bool { return strings.HasPrefix(e, "GH_HOST") }))
}
