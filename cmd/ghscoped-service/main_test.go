package main

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/app"
	"github.com/ghscoped/ghscoped-service/internal/config"
)

// enough is the least that a managed service is told.
func enough(more ...string) []string {
	return append([]string{
		"JUPYTERHUB_SERVICE_NAME=connect-github", "JUPYTERHUB_SERVICE_URL=http://127.0.0.1:10101",
		"JUPYTERHUB_API_URL=http://127.0.0.1:8081/hub/api", "JUPYTERHUB_API_TOKEN=marker-token",
		"GHSCOPED_CLIENT_ID=Iv23example", "GHSCOPED_APP_URL=https://github.com/apps/example",
		"GHSCOPED_PROXY_URL=http://127.0.0.1:8000",
	}, more...)
}

// fake is a service that records what was done to it.
type fake struct {
	startErr, stopErr error
	started           chan struct{}
	failed            chan error
	stopLimit         time.Duration
	stopCancelled     bool
}

func newFake() *fake { return &fake{started: make(chan struct{}), failed: make(chan error, 1)} }

func (f *fake) Start(context.Context) error {
	close(f.started)
	return f.startErr
}
func (f *fake) Addr() net.Addr       { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 10101} }
func (f *fake) Failed() <-chan error { return f.failed }
func (f *fake) Stop(ctx context.Context) error {
	deadline, _ := ctx.Deadline()
	f.stopLimit, f.stopCancelled = time.Until(deadline), ctx.Err() != nil
	return f.stopErr
}

type result struct {
	code           int
	stdout, stderr string
}

func call(ctx context.Context, environ []string, f *fake, buildErr error, args ...string) result {
	var stdout, stderr bytes.Buffer
	code := run(ctx, invocation{
		args: args, environ: environ, stdout: &stdout, stderr: &stderr,
		readFile: func(path string) ([]byte, error) {
			return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
		},
		build: func(config.Config, app.Dependencies) (service, error) { return f, buildErr },
	})
	return result{code, stdout.String(), stderr.String()}
}

func TestServeEndsWithTheContextAndHasTenSecondsToStop(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"serve"}} {
		f := newFake()
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-f.started
			cancel()
		}()
		got := call(ctx, enough(), f, nil, args...)
		require.Equal(t, exitOK, got.code, got.stderr)
		require.False(t, f.stopCancelled)
		require.InDelta(t, stopLimit.Seconds(), f.stopLimit.Seconds(), 1)
		require.Contains(t, got.stderr, `"msg":"serving","address":"127.0.0.1:10101","prefix":"/services/connect-github/"`)
		require.NotContains(t, got.stderr, "marker-token")
	}
}

func TestServeStopsWhatAnswersNobodyAnyMore(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.failed <- errors.New("the listener is gone")
	got := call(t.Context(), enough(), f, nil)
	require.Equal(t, exitFault, got.code)
	require.Contains(t, got.stderr, "the listener is gone")
	require.InDelta(t, stopLimit.Seconds(), f.stopLimit.Seconds(), 1, "what is under way is handed over all the same")
}

func TestRunExitCodeTellsSettingsFromOtherErrors(t *testing.T) {
	t.Parallel()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	held := errors.New("another process holds the store")
	for name, test := range map[string]struct {
		args     []string
		environ  []string
		f        *fake
		buildErr error
		code     int
		says     string
	}{
		"settings missing":       {nil, nil, newFake(), nil, exitUsage, "client_id (not set): it is required"},
		"an unknown command":     {[]string{"sevre"}, enough(), newFake(), nil, exitUsage, "unknown command \"sevre\" for \"ghscoped-service\"\n\nDid you mean this?\n\tserve"},
		"an unknown option":      {[]string{"--colour"}, enough(), newFake(), nil, exitUsage, "unknown flag: --colour"},
		"an argument too many":   {[]string{"serve", "now"}, enough(), newFake(), nil, exitUsage, `unexpected argument "now"`},
		"cannot be built":        {nil, enough(), newFake(), held, exitFault, held.Error()},
		"cannot start":           {nil, enough(), &fake{started: make(chan struct{}), startErr: held}, nil, exitFault, held.Error()},
		"did not stop in order":  {nil, enough(), &fake{started: make(chan struct{}), stopErr: held}, nil, exitFault, held.Error()},
		"nobody is there to ask": {[]string{"healthcheck"}, enough("GHSCOPED_LISTEN=127.0.0.1:1"), newFake(), nil, exitFault, "not well"},
	} {
		got := call(cancelled, test.environ, test.f, test.buildErr, test.args...)
		require.Equal(t, test.code, got.code, name)
		require.Contains(t, got.stderr, test.says, name)
		require.Empty(t, got.stdout, name)
	}
}

func TestRunRefusesWhatWasRemoved(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args, environ []string
		says          string
	}{
		"audit":                {[]string{"audit", "--user", "ada"}, nil, "the command audit was removed: use jq"},
		"store check":          {[]string{"store", "check"}, nil, "the command store was removed: the service checks its file when it starts"},
		"keys add":             {[]string{"keys", "add", "FILE"}, nil, "the command keys add was removed: put the line that 'ghscoped-service keys new' prints second in the file"},
		"keys promote":         {[]string{"keys", "promote", "FILE"}, nil, "the command keys promote was removed: move the second key"},
		"version":              {[]string{"version"}, nil, "use ghscoped-service --version"},
		"a setting's option":   {[]string{"--client-id=x"}, nil, "settings are no options any more: --client-id: set GHSCOPED_CLIENT_ID in the environment, or client_id in the file that --config names"},
		"with a value":         {[]string{"-client-id", "x"}, nil, "settings are no options any more: --client-id: set GHSCOPED_CLIENT_ID"},
		"with one dash":        {[]string{"check-config", "-refresh"}, nil, "settings are no options any more: --refresh: set GHSCOPED_REFRESH"},
		"a removed setting":    {[]string{"--logo", "/x"}, nil, "settings are no options any more: --logo: the page shows the Hub's own logo"},
		"an option's one dash": {[]string{"doctor", "-json"}, nil, "options begin with two dashes: write --json"},
		"a removed variable":   {[]string{"check-config"}, enough("GHSCOPED_SHOW_AVATARS=true"), "GHSCOPED_SHOW_AVATARS (environment): this setting was removed; the page shows an initial"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := call(t.Context(), test.environ, newFake(), nil, test.args...)
			require.Equal(t, exitUsage, got.code)
			require.Contains(t, got.stderr, test.says)
			require.Empty(t, got.stdout)
		})
	}
}

func TestCheckConfigNamesEveryErrorAtOnce(t *testing.T) {
	t.Parallel()
	got := call(t.Context(), []string{"GHSCOPED_IDENTITY=strict", "GHSCOPED_COLOUR=blue", "GHSCOPED_STORE=redis://h"}, nil, nil, "check-config")
	require.Equal(t, exitUsage, got.code)
	for _, line := range []string{"GHSCOPED_COLOUR (environment)", "client_id", "app_url", "identity (environment GHSCOPED_IDENTITY)",
		"JUPYTERHUB_SERVICE_NAME", "JUPYTERHUB_API_URL", "JUPYTERHUB_API_TOKEN", "listen", "key_file", "proxy_url"} {
		require.Contains(t, got.stderr, "\n  "+line)
	}
}

func TestCheckConfigPrintsTheSettingsWithoutSecrets(t *testing.T) {
	t.Parallel()
	got := call(t.Context(), enough("GHSCOPED_REFRESH=true"), nil, nil, "check-config")
	require.Equal(t, exitOK, got.code, got.stderr)
	lines := map[string]string{}
	for line := range strings.Lines(got.stdout) {
		fields := strings.Fields(line)
		lines[fields[0]] = strings.Join(fields[1:], " ")
	}
	require.Equal(t, "[redacted] environment JUPYTERHUB_API_TOKEN", lines["JUPYTERHUB_API_TOKEN"])
	require.Equal(t, "true environment GHSCOPED_REFRESH", lines["refresh"])
	require.Equal(t, "127.0.0.1:10101 default", lines["listen"])
	require.Equal(t, "~/.config/ghscoped/credential default", lines["git_credentials_path"])
	require.Equal(t, "/services/connect-github/ default", lines["JUPYTERHUB_SERVICE_PREFIX"])
	require.NotContains(t, got.stdout, "marker-token")
}

func TestHealthcheckAsksWhereTheServiceAnswers(t *testing.T) {
	t.Parallel()
	for want, s := range map[string]config.Service{
		"http://127.0.0.1:80/p/healthz": {Listen: ":80", Prefix: "/p/"},
		"http://127.0.0.1:81/p/healthz": {Listen: "0.0.0.0:81", Prefix: "/p/"},
		"http://[::1]:82/p/healthz":     {Listen: "[::]:82", Prefix: "/p/"},
		"http://10.0.0.1:83/p/healthz":  {Listen: "10.0.0.1:83", Prefix: "/p/"},
		"http://127.0.0.1:84/healthz":   {Listen: ":80", Prefix: "/p/", MetricsAddr: ":84"},
	} {
		require.Equal(t, want, opsURL(s, "healthz"))
	}
}

func TestHealthcheckFollowsTheAnswer(t *testing.T) {
	t.Parallel()
	for status, code := range map[int]int{http.StatusOK: exitOK, http.StatusServiceUnavailable: exitFault} {
		var asked string
		running := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked = r.URL.Path
			w.WriteHeader(status)
		}))
		defer running.Close()
		got := call(t.Context(), enough("GHSCOPED_LISTEN="+strings.TrimPrefix(running.URL, "http://")), nil, nil, "healthcheck")
		require.Equal(t, code, got.code, got.stderr)
		require.Equal(t, "/services/connect-github/healthz", asked)
	}
}

func TestUserEndAsksTheRunningService(t *testing.T) {
	t.Parallel()
	answer := func(status int, body string) (listen string, asked *http.Request) {
		asked = &http.Request{}
		running := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			*asked = *r
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}))
		t.Cleanup(running.Close)
		return strings.TrimPrefix(running.URL, "http://"), asked
	}
	listen, asked := answer(http.StatusNoContent, "")
	got := call(t.Context(), enough("GHSCOPED_LISTEN="+listen), nil, nil, "user", "end", "o'malley ü/$")
	require.Equal(t, exitOK, got.code, got.stderr)
	require.Equal(t, http.MethodDelete, asked.Method)
	require.Equal(t, "/services/connect-github/api/users/o%27malley%20%C3%BC%2F$", asked.URL.EscapedPath())
	require.Equal(t, "token marker-token", asked.Header.Get("Authorization"))

	unknown, _ := answer(http.StatusNotFound, `{"error":{"code":"no_record","message":"There is no record of this user.","hint":"Check the name."}}`)
	other, _ := answer(http.StatusNotFound, "<html>")
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, free.Close())
	for name, c := range map[string]struct {
		args []string
		set  string
		code int
		says string
	}{
		"no such record":           {[]string{"end", "nobody"}, "GHSCOPED_LISTEN=" + unknown, exitFault, "There is no record of this user. (no_record)"},
		"something else answers":   {[]string{"end", "ada"}, "GHSCOPED_LISTEN=" + other, exitFault, "which is not this service"},
		"the service does not run": {[]string{"end", "ada"}, "GHSCOPED_LISTEN=" + free.Addr().String(), exitFault, "the service does not run on this machine"},
		"no name":                  {[]string{"end"}, "", exitUsage, "user end NAME"},
		"an empty name":            {[]string{"end", ""}, "", exitUsage, "user end NAME"},
		"another word":             {[]string{"begin", "ada"}, "", exitUsage, `unknown command "begin" for "ghscoped-service user"`},
		"a setting that is wrong":  {[]string{"end", "ada"}, "GHSCOPED_DELIVERY=post", exitUsage, "delivery"},
	} {
		got := call(t.Context(), enough(c.set), nil, nil, append([]string{"user"}, c.args...)...)
		require.Equal(t, c.code, got.code, name)
		require.Contains(t, got.stderr, c.says, name)
		require.NotContains(t, got.stderr, "marker-token", name)
	}
}

func TestHelpNamesCommandsAndSettings(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--help"}, {"help"}, {"-h"}} {
		got := call(t.Context(), nil, nil, nil, args...)
		require.Equal(t, exitOK, got.code)
		require.Contains(t, got.stdout, "check-config")
		require.Empty(t, got.stderr)
	}
	got := call(t.Context(), nil, nil, nil, "help", "settings")
	require.Equal(t, exitOK, got.code)
	require.Contains(t, got.stdout, "GHSCOPED_CLIENT_ID, GH_SCOPED_CREDS_CLIENT_ID")
}

func TestHelpOfEachCommand(t *testing.T) {
	t.Parallel()
	documented, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	for _, c := range newRoot(invocation{}).Commands() {
		if c.Hidden || !c.Runnable() {
			continue
		}
		got := call(t.Context(), nil, nil, nil, c.Name(), "--help")
		require.Equal(t, exitOK, got.code, c.Name())
		require.Contains(t, got.stdout, "Usage:\n  ghscoped-service "+c.Name(), c.Name())
		require.Empty(t, got.stderr, c.Name())
		require.Regexp(t, `(?m)^//\tghscoped-service \[?`+c.Name()+`\b`, string(documented))
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	got := call(t.Context(), nil, nil, nil, "--version")
	require.Equal(t, exitOK, got.code)
	require.Regexp(t, `^ghscoped-service version \S+\n$`, got.stdout)
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	got := call(t.Context(), nil, nil, nil, "completion", "bash")
	require.Equal(t, exitOK, got.code)
	require.Contains(t, got.stdout, "bash completion")
}
