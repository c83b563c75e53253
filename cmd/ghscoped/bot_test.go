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
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/client"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// fakeService mints tokens that live an hour by its clock.
type fakeService struct {
	mu      sync.Mutex
	now     time.Time
	err     error
	minted  int
	revoked []string
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
	f.revoked = append(f.revoked, id)
	return ctx.Err()
}

func hash(token string) string { return secret.New(token).Hash() }

func newAgent() (*tokenAgent, *fakeService) {
	f := &fakeService{now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
	return &tokenAgent{service: f, clock: f.clock}, f
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
	env = append(env, jobEnv(getenv, github, client.BotToken{Token: secret.Store(secret.New("ghs_1"))}, "/run/bot", "/opt/it's/ghscoped")...)
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
	require.False(t, slices.ContainsFunc(env, func(e string) bool { return strings.HasPrefix(e, "GH_HOST") }))
}
