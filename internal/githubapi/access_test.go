package githubapi_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/githubsim"
)

func TestAccessNamesWhatIsMissingAndWhereToMendIt(t *testing.T) {
	t.Parallel()
	sim, c := newSim(t, githubsim.Options{})
	client := newClient(t, options(t, sim.URL(), c.Now))
	token := granted(t, sim, client, "octocat").Access.String
	access := func() github.Access {
		got, err := client.Access(t.Context(), token, 0)
		require.NoError(t, err)
		return got
	}

	require.Equal(t, github.Access{State: github.AccessNotInstalled, Fix: sim.URL() + "/apps/" + githubsim.DefaultSlug + "/installations/new"}, access())

	id, err := sim.InstallApp(githubsim.DefaultClientID, "octocat", false)
	require.NoError(t, err)
	settings := fmt.Sprintf("%s/settings/installations/%d", sim.URL(), id)
	require.Equal(t, github.Access{State: github.AccessNoRepository, Fix: settings}, access())

	_, err = sim.Install("octocat", "hello", "notes")
	require.NoError(t, err)
	got := access()
	require.Equal(t, github.AccessReady, got.State)
	require.Empty(t, got.Fix)
	require.Len(t, got.Repositories, 2)
	require.Equal(t, "octocat/hello", got.Repositories[0].FullName)
	require.True(t, got.Repositories[0].Push)
	require.False(t, got.Repositories[0].Private)
	require.Equal(t, "octocat/notes", got.Repositories[1].FullName)
	require.True(t, got.Repositories[1].Private)

	require.NoError(t, sim.SetPermissions(id, map[string]string{"contents": "read", "metadata": "read"}))
	got = access()
	require.Equal(t, github.AccessReadOnly, got.State)
	require.Equal(t, settings, got.Fix)
	require.False(t, got.Repositories[0].Push)

	require.NoError(t, sim.Suspend(id, true))
	require.Equal(t, github.Access{State: github.AccessSuspended, Fix: settings,
		Missing: []github.Missing{{Account: "octocat", State: github.AccessSuspended, Fix: settings}}}, access())
}

func TestAccessOfAUserWithoutWriteAccessHasNoPush(t *testing.T) {
	t.Parallel()
	sim, c := newSim(t, githubsim.Options{})
	client := newClient(t, options(t, sim.URL(), c.Now))
	_, err := sim.Install("octo-org")
	require.NoError(t, err)
	access, err := client.Access(t.Context(), granted(t, sim, client, "mona").Access.String, 0)
	require.NoError(t, err)
	require.Equal(t, github.AccessReady, access.State)
	push := map[string]bool{}
	for _, r := range access.Repositories {
		push[r.FullName] = r.Push
	}
	require.Equal(t, map[string]bool{"octo-org/shared": true, "octo-org/handbook": false}, push)
}

func TestAccessReadsAllPagesOfManyRepositories(t *testing.T) {
	t.Parallel()
	world := githubsim.Options{Accounts: []githubsim.Account{{Login: "octocat"}}}
	for i := range 500 {
		world.Repositories = append(world.Repositories, githubsim.Repository{FullName: fmt.Sprintf("octocat/r%03d", i)})
	}
	for i := range 5 {
		org := fmt.Sprintf("org-%d", i)
		world.Accounts = append(world.Accounts, githubsim.Account{Login: org, Org: true, Members: map[string]string{"octocat": "admin"}})
		world.Repositories = append(world.Repositories, githubsim.Repository{FullName: org + "/one"})
	}
	sim, c := newSim(t, world)
	for _, account := range world.Accounts {
		_, err := sim.Install(account.Login)
		require.NoError(t, err)
	}
	client := newClient(t, options(t, sim.URL(), c.Now))
	access, err := client.Access(t.Context(), granted(t, sim, client, "octocat").Access.String, 0)
	require.NoError(t, err)
	require.Len(t, access.Repositories, 505)
	seen := map[string]bool{}
	for _, r := range access.Repositories {
		seen[r.FullName] = true
	}
	require.Len(t, seen, 505)
	require.Equal(t, 5+5, sim.Stats().Requests["GET /user/installations/{id}/repositories"])
}

func TestAccessFailsWithAPageThatFails(t *testing.T) {
	t.Parallel()
	sim, c := newSim(t, githubsim.Options{})
	_, err := sim.Install("octocat")
	require.NoError(t, err)
	_, err = sim.Install("octo-org")
	require.NoError(t, err)
	client := newClient(t, options(t, sim.URL(), c.Now))
	token := granted(t, sim, client, "octocat").Access.String
	_, err = sim.Fault(githubsim.Fault{Endpoint: "GET /user/installations/{id}/repositories", Kind: githubsim.FaultHTML502, Times: 1})
	require.NoError(t, err)
	_, err = client.Access(t.Context(), token, 0)
	requireCode(t, err, "github_unreachable", true)
	access, err := client.Access(t.Context(), token, 0)
	require.NoError(t, err)
	require.Len(t, access.Repositories, 5)
}
