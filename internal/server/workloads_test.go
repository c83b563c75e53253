package server_test

import (
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/oidcsim"
	"github.com/ghscoped/ghscoped-service/internal/server"
	"github.com/ghscoped/ghscoped-service/internal/store"
	"github.com/ghscoped/ghscoped-service/internal/store/bolt"
	"github.com/ghscoped/ghscoped-service/internal/workload"
)

const workloadService = "https://hub.example.org/services/connect-github"

// withWorkloads has an issuer of identity tokens, and jobs of octo/deploy.
func withWorkloads(t *testing.T) (*fixture, func(job oidcsim.Job) string) {
	t.Helper()
	issuer, err := oidcsim.Start(oidcsim.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = issuer.Close() })
	address, err := url.Parse(issuer.URL())
	require.NoError(t, err)
	audience, err := url.Parse(workloadService)
	require.NoError(t, err)
	seen, err := bolt.Open(filepath.Join(t.TempDir(), "seen.db"), time.Now)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, seen.Close()) })
	f := withBots(t, func(_ *fixture, o *server.Options) {
		o.Workloads = workload.New(workload.Options{
			Issuers:  []workload.Issuer{{Kind: workload.Actions, Address: address, HTTP: http.DefaultClient}},
			Audience: audience, Once: store.NewOnce(seen), Clock: time.Now, Logger: slog.New(slog.DiscardHandler),
		})
	})
	return f, func(job oidcsim.Job) string { return issuer.Sign(issuer.JobClaims(job, workloadService)) }
}

const pushDeploy = `{"repositories":["octo/deploy"],"permissions":{"contents":"write"}}`

func TestBotTokensOfAWorkflow(t *testing.T) {
	t.Parallel()
	f, token := withWorkloads(t)
	post := func(token, body string) (status int, problem string) {
		response := f.program(http.MethodPost, "api/bot-tokens", token, body)
		if response.StatusCode != http.StatusOK {
			problem = code(t, response)
		}
		return response.StatusCode, problem
	}
	status, problem := post(token(oidcsim.Job{RunID: "77"}), pushDeploy)
	require.Equal(t, http.StatusOK, status, problem)
	events, err := f.audit.Recent(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, "actions:octo/deploy#77", events[0].Caller)
	require.Equal(t, "refs/heads/main", events[0].Claims["ref"])
	require.Equal(t, "deploy", events[0].Rule)

	for name, tc := range map[string]struct {
		job  oidcsim.Job
		body string
		want string
	}{
		"another branch":                 {oidcsim.Job{Ref: "refs/heads/x"}, pushDeploy, "bot_refused"},
		"a pull request":                 {oidcsim.Job{EventName: "pull_request"}, pushDeploy, "bot_refused"},
		"another repository":             {oidcsim.Job{Repository: "octo/other", RepositoryID: 9}, pushDeploy, "bot_refused"},
		"who took over the name":         {oidcsim.Job{RepositoryID: 9}, pushDeploy, "bot_refused"},
		"a repository of another's rule": {oidcsim.Job{}, pushShared, "bot_refused"},
	} {
		status, problem := post(token(tc.job), tc.body)
		require.Equal(t, http.StatusForbidden, status, name)
		require.Equal(t, tc.want, problem, name)
	}

	// Once, and nothing but this.
	used := token(oidcsim.Job{})
	status, _ = post(used, pushDeploy)
	require.Equal(t, http.StatusOK, status)
	status, problem = post(used, pushDeploy)
	require.Equal(t, http.StatusUnauthorized, status)
	require.Equal(t, "identity_replayed", problem)
	for _, path := range []string{"", "api/session", "api/connection", "api/credential", "api/flows/current"} {
		response := f.program(http.MethodGet, path, token(oidcsim.Job{}), "")
		require.NotEqual(t, http.StatusOK, response.StatusCode, path)
		require.Empty(t, response.Cookies(), path)
	}
}

// Each run of a workflow has tokens of its own.
func TestBotTokensOfAWorkflowAreTheirRuns(t *testing.T) {
	t.Parallel()
	f, token := withWorkloads(t)
	require.Equal(t, http.StatusOK, f.program(http.MethodPost, "api/bot-tokens", token(oidcsim.Job{RunID: "1"}), pushDeploy).StatusCode)
	own := f.liveIDs(token(oidcsim.Job{RunID: "1"}))
	require.Len(t, own, 1)
	require.Empty(t, f.liveIDs(token(oidcsim.Job{RunID: "2"})))
	remove := func(job oidcsim.Job) int {
		return f.program(http.MethodDelete, "api/bot-tokens/"+own[0], token(job), "").StatusCode
	}
	require.Equal(t, http.StatusNotFound, remove(oidcsim.Job{RunID: "2"}))
	require.Empty(t, f.bots.revoked)
	require.Equal(t, http.StatusNoContent, remove(oidcsim.Job{RunID: "1"}))
	require.Len(t, f.bots.revoked, 1)
}

// Whoever shows tokens that are not taken is in the audit, at a bounded pace, and gets
// the reason each time.
func TestBotTokensAuditWhatIsNotTaken(t *testing.T) {
	t.Parallel()
	f, token := withWorkloads(t)
	good := token(oidcsim.Job{})
	bad := good[:strings.LastIndex(good, ".")] + "."
	for range 40 {
		response := f.program(http.MethodPost, "api/bot-tokens", bad, pushDeploy)
		require.Equal(t, http.StatusUnauthorized, response.StatusCode)
		require.Equal(t, "Bearer", response.Header.Get("WWW-Authenticate"))
		require.Equal(t, "identity_invalid", code(t, response))
	}
	events, err := f.audit.Recent(t.Context(), 100)
	require.NoError(t, err)
	require.Len(t, events, 20)
	require.Equal(t, "unidentified", events[0].Caller)
	require.Equal(t, "identity_invalid", events[0].Code)
	require.Equal(t, http.StatusOK, f.program(http.MethodPost, "api/bot-tokens", good, pushDeploy).StatusCode, "others are not held up")
}

func TestBotTokensTakeNoIdentityWhereNoIssuerIsNamed(t *testing.T) {
	t.Parallel()
	f := withBots(t)
	_, token := withWorkloads(t)
	response := f.program(http.MethodPost, "api/bot-tokens", token(oidcsim.Job{}), pushDeploy)
	require.Equal(t, http.StatusUnauthorized, response.StatusCode)
	require.Equal(t, "identity_issuer", code(t, response))
}
