package server_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/credential/credentialtest"
	"github.com/ghscoped/ghscoped-service/internal/flow"
	"github.com/ghscoped/ghscoped-service/internal/secret"
	"github.com/ghscoped/ghscoped-service/internal/server"
)

// oneRepository is the service as it gives one-repository tokens, with ada
// connected.
func oneRepository(t *testing.T) (*fixture, *browser) {
	t.Helper()
	f := setUp(t)
	f.change(func(o *flow.Options) { o.OneRepository = true })
	ada := f.signIn("ada")
	f.connect(ada)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.engine.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-done })
	return f, ada
}

func (f *fixture) credential(path string) *http.Response {
	return f.program(http.MethodPost, "api/credential", "server-ada", `{"protocol":"https","host":"github.com","path":"`+path+`"}`)
}

func TestCredentialIsForTheRepositoryInItsPath(t *testing.T) {
	t.Parallel()
	f, _ := oneRepository(t)
	for _, path := range []string{"octocat/one", "octocat/one.git", "octocat/one.wiki.git", "octocat/one.git/info/lfs", "octocat/one/"} {
		response := f.credential(path)
		require.Equal(t, http.StatusOK, response.StatusCode, path)
		body := read(t, response)
		require.Contains(t, body, narrowToken, path)
		require.NotContains(t, body, token, path)
	}
	for _, path := range []string{"", "/", "octocat", "octocat/", "/octocat/one", "../one", "octocat/..", "octocat/.git", "octo cat/one", `octocat/one\n`} {
		response := f.credential(path)
		require.Equal(t, http.StatusBadRequest, response.StatusCode, path)
		require.Equal(t, "repository_unnamed", code(t, response), path)
	}
	response := f.credential("octocat/other")
	require.Equal(t, http.StatusForbidden, response.StatusCode)
	require.Equal(t, "repository_not_chosen", code(t, response))
}

func TestPostCredentialAnswersForTheHostsThatAreTheSameForGit(t *testing.T) {
	t.Parallel()
	fixtures := map[string]*fixture{} // by the GitHub
	for _, q := range credentialtest.Questions() {
		f := fixtures[q.GitHub]
		if f == nil {
			gitHub, err := url.Parse(q.GitHub)
			require.NoError(t, err)
			f = setUp(t, func(_ *fixture, o *server.Options) { o.GitHubURL = gitHub })
			f.connect(f.signIn("ada"))
			fixtures[q.GitHub] = f
		}
		body, err := json.Marshal(map[string]string{"protocol": q.Protocol, "host": q.Host, "path": q.Path})
		require.NoError(t, err)
		response := f.program(http.MethodPost, "api/credential", "server-ada", string(body))
		if q.Answered {
			require.Equal(t, http.StatusOK, response.StatusCode, "%s: %q", q.Name, q.Host)
			require.Contains(t, read(t, response), token, "%s: %q", q.Name, q.Host)
		} else {
			require.Equal(t, "other_host", code(t, response), "%s: %q", q.Name, q.Host)
		}
	}
}

func TestCredentialRefusalIsToldByAServerOnly(t *testing.T) {
	t.Parallel()
	f, ada := oneRepository(t)
	require.Equal(t, http.StatusOK, f.credential("octocat/one").StatusCode)
	address := "api/credential/" + secret.New(narrowToken).Hash()
	response := ada.write(http.MethodDelete, address)
	require.Equal(t, "token_only", code(t, response))
	require.Equal(t, "not_connected", code(t, f.program(http.MethodDelete, address, "server-eve", "")))
	require.Equal(t, "token_unknown", code(t, f.program(http.MethodDelete, "api/credential/"+secret.New(token).Hash(), "server-ada", "")))
	require.Equal(t, http.StatusNoContent, f.program(http.MethodDelete, address, "server-ada", "").StatusCode)
	require.Equal(t, "token_unknown", code(t, f.program(http.MethodDelete, address, "server-ada", "")))
}
