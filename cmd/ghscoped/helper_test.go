package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/credential/credentialtest"
)

// git waits for each of them.
func TestAnswerGitAsksTheServiceOnce(t *testing.T) {
	t.Parallel()
	var asked []string
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.Path)
		_, _ = io.WriteString(w, `{"username":"x-access-token","password":"ghu_1","password_expiry_utc":4102444800}`)
	}))
	t.Cleanup(service.Close)
	answer, writing, err := os.Pipe()
	require.NoError(t, err)
	env := map[string]string{"GHSCOPED_URL": service.URL + "/services/connect-github/", "JUPYTERHUB_API_TOKEN": "t"}
	exit := run(t.Context(), invocation{args: []string{"git-credential-ghscoped", "get"}, getenv: func(name string) string { return env[name] },
		stdin: strings.NewReader("protocol=https\nhost=github.com\n\n"), stdout: writing, stderr: os.Stderr, clock: time.Now, http: service.Client()})
	require.Equal(t, exitOK, exit)
	require.NoError(t, writing.Close())
	said, err := io.ReadAll(answer)
	require.NoError(t, err)
	require.Equal(t, "username=x-access-token\npassword=ghu_1\npassword_expiry_utc=4102444800\n", string(said))
	require.Equal(t, []string{"POST /services/connect-github/api/credential"}, asked)
}

func TestAnswerGitForTheHostsThatAreTheSameForGit(t *testing.T) {
	t.Parallel()
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"username":"x-access-token","password":"ghu_1","password_expiry_utc":4102444800}`)
	}))
	t.Cleanup(service.Close)
	for _, q := range credentialtest.Questions() {
		t.Run(q.Name, func(t *testing.T) {
			t.Parallel()
			said, err := os.Create(t.TempDir() + "/said")
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, said.Close()) })
			env := map[string]string{"GHSCOPED_URL": service.URL, "JUPYTERHUB_API_TOKEN": "t", "GHSCOPED_GITHUB_URL": q.GitHub}
			exit := run(t.Context(), invocation{args: []string{"git-credential-ghscoped", "get"}, getenv: func(name string) string { return env[name] },
				stdin: strings.NewReader(q.Text()), stdout: said, stderr: said, clock: time.Now, http: service.Client()})
			require.Equal(t, exitOK, exit)
			text, err := os.ReadFile(said.Name())
			require.NoError(t, err)
			want := ""
			if q.Answered {
				want = "username=x-access-token\npassword=ghu_1\npassword_expiry_utc=4102444800\n"
			}
			require.Equal(t, want, string(text))
		})
	}
}

// git starts this program for every question: what it links, it initialises
// each time (docs/decisions/0015).
func TestProgramLinksNothingOfTheService(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	require.NoError(t, err)
	linked := strings.Fields(string(out))
	const ours = "github.com/ghscoped/ghscoped-service/"
	require.Contains(t, linked, ours+"internal/client")
	for _, path := range linked {
		for _, foreign := range []string{"github.com/prometheus/", "google.golang.org/protobuf/", "html/template", "go.etcd.io/", "go.yaml.in/", "github.com/golang-jwt/", "github.com/spf13/cobra/doc",
			ours + "internal/bot", ours + "internal/config", ours + "internal/doctor", ours + "internal/metrics", ours + "internal/server", ours + "internal/store", ours + "web"} {
			require.False(t, strings.HasPrefix(path, foreign), path)
		}
	}
}

func TestRunPrintsNoSecretGivenByMistake(t *testing.T) {
	t.Parallel()
	const token = "ghs_marker0aaaaaaaaaaaaaaaaaaaaaaaaa"
	for _, args := range [][]string{
		{token}, {"login", token}, {"login", "--token=" + token}, {"setup", token}, {"status", "-" + token}, {"logout", token},
		{"bot-token", "--permission", token}, {"doctor", token}, {"bot", token},
	} {
		said, err := os.Create(t.TempDir() + "/said")
		require.NoError(t, err)
		exit := run(t.Context(), invocation{args: append([]string{"ghscoped"}, args...), getenv: func(string) string { return "" },
			stdin: strings.NewReader(""), stdout: said, stderr: said, clock: time.Now})
		require.NotEqual(t, exitOK, exit, args)
		text, err := os.ReadFile(said.Name())
		require.NoError(t, err)
		require.NotContains(t, string(text), "marker0", args)
		require.NoError(t, said.Close())
	}
}
