package githubapi_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/githubapi"
	"github.com/ghscoped/ghscoped-service/internal/githubsim"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// narrowing is a client with the App's secret, and a wide token of octocat's for
// hello and notes.
func narrowing(t *testing.T) (*githubsim.Server, *githubapi.Client, githubapi.Options, secret.String) {
	t.Helper()
	sim, c := newSim(t, githubsim.Options{Apps: []githubsim.App{
		{ClientID: githubsim.DefaultClientID, Slug: githubsim.DefaultSlug, ClientSecret: "the-secret"}}})
	_, err := sim.Install("octocat", "octocat/hello", "octocat/notes")
	require.NoError(t, err)
	o := options(t, sim.URL(), c.Now)
	o.ClientSecret = sec("the-secret")
	client := newClient(t, o)
	return sim, client, o, granted(t, sim, client, "octocat").Access.String
}

// reached are the names of the repositories that a token reaches.
func reached(t *testing.T, client *githubapi.Client, token secret.String) (names []string) {
	t.Helper()
	access, err := client.Access(t.Context(), token, 0)
	require.NoError(t, err)
	for _, r := range access.Repositories {
		names = append(names, r.FullName)
	}
	return names
}

func TestScopeTokenReachesItsRepositoryAndTheOtherStaysValid(t *testing.T) {
	t.Parallel()
	sim, client, _, wide := narrowing(t)
	narrow, err := client.ScopeToken(t.Context(), wide, "OctoCat/notes")
	require.NoError(t, err)
	require.Equal(t, sim.Now().Add(8*time.Hour).UTC(), narrow.ExpiresAt.UTC())
	require.True(t, narrow.Refresh.Empty())
	require.Equal(t, []string{"octocat/notes"}, reached(t, client, narrow.Access.String))
	require.Equal(t, []string{"octocat/hello", "octocat/notes"}, reached(t, client, wide))

	require.NoError(t, client.Revoke(t.Context(), narrow.Access.String))
	_, err = client.Account(t.Context(), narrow.Access.String)
	requireCode(t, err, "token_dead", false)
	_, err = client.Account(t.Context(), wide)
	require.NoError(t, err)
}

func TestScopeTokenSaysWhyThereIsNone(t *testing.T) {
	t.Parallel()
	sim, client, o, wide := narrowing(t)
	for _, repository := range []string{"octocat/other", "mona/hello", "nobody/hello"} {
		_, err := client.ScopeToken(t.Context(), wide, repository)
		refusal := requireCode(t, err, apierror.CodeRepositoryNotChosen, false)
		require.Contains(t, refusal.Hint, sim.URL()+"/apps/"+githubsim.DefaultSlug+"/installations/new", repository)
	}
	o.AppURL = ""
	_, err := newClient(t, o).ScopeToken(t.Context(), wide, "octocat/other")
	require.Contains(t, requireCode(t, err, apierror.CodeRepositoryNotChosen, false).Hint, "in your settings at GitHub")

	for status, want := range map[int]struct {
		code    string
		passing bool
	}{
		401: {"app_misconfigured", false}, 403: {apierror.CodeRepositoryNotChosen, false}, 500: {"github_unreachable", true}, 201: {"github_bad_answer", true},
	} {
		_, err := sim.Fault(githubsim.Fault{Kind: githubsim.FaultStatus, Status: status, Body: "{}", Times: 1})
		require.NoError(t, err)
		_, err = client.ScopeToken(t.Context(), wide, "octocat/hello")
		requireCode(t, err, want.code, want.passing)
	}
	_, err = sim.Fault(githubsim.Fault{Kind: githubsim.FaultStatus, Status: 200, Body: "{}", Times: 1})
	require.NoError(t, err)
	_, err = client.ScopeToken(t.Context(), wide, "octocat/hello")
	requireCode(t, err, "github_bad_answer", true)

	o.ClientSecret = sec("wrong")
	_, err = newClient(t, o).ScopeToken(t.Context(), wide, "octocat/hello")
	requireCode(t, err, "app_misconfigured", false)
	require.NoError(t, client.Revoke(t.Context(), wide))
	_, err = client.ScopeToken(t.Context(), wide, "octocat/hello")
	requireCode(t, err, apierror.CodeTokenDead, false)
}

func TestScopeTokenLimitOfOnePersonShutsNobodyElseOut(t *testing.T) {
	t.Parallel()
	sim, client, _, wide := narrowing(t)
	other := granted(t, sim, client, "octocat").Access.String
	_, err := sim.Fault(githubsim.Fault{Endpoint: http.MethodPost + " /applications/{client_id}/token/scoped",
		Kind: githubsim.FaultStatus, Status: 403, Body: `{"message":"You have exceeded a secondary rate limit"}`, Times: 1})
	require.NoError(t, err)
	_, err = client.ScopeToken(t.Context(), wide, "octocat/hello")
	requireCode(t, err, "github_limited", true)
	_, err = client.ScopeToken(t.Context(), wide, "octocat/hello")
	requireCode(t, err, "github_limited", true)
	_, err = client.ScopeToken(t.Context(), other, "octocat/hello")
	require.NoError(t, err)
}

func TestPollOnceForOneRepository(t *testing.T) {
	t.Parallel()
	sim, client, _, _ := narrowing(t)
	id, err := client.RepositoryID(t.Context(), "octocat/hello")
	require.NoError(t, err)
	for _, test := range []struct {
		name string
		id   int64
		want []string
	}{
		{"that was chosen", id, []string{"octocat/hello"}},
		{"that nobody knows: GitHub ignores it", 4711, []string{"octocat/hello", "octocat/notes"}},
	} {
		code, err := client.DeviceCode(t.Context())
		require.NoError(t, err)
		require.NoError(t, sim.Approve(code.UserCode, "octocat"))
		poll, err := client.PollOnceFor(t.Context(), code.DeviceCode, test.id)
		require.NoError(t, err)
		require.Equal(t, test.want, reached(t, client, poll.Token.Access.String), test.name)
	}
	_, err = client.RepositoryID(t.Context(), "octocat/notes")
	require.Contains(t, requireCode(t, err, apierror.CodeRepositoryUnknown, false).Hint, "--repository-id")

	for _, name := range []string{"octocat", "../user", "octocat/hello/issues", "octocat/", "octocat/..", "octocat/a b"} {
		_, err = client.RepositoryID(t.Context(), name)
		requireCode(t, err, "github_refused", false)
	}
}
