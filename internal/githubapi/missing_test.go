package githubapi_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/appkey"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/githubapi"
	"github.com/ghscoped/ghscoped-service/internal/githubsim"
)

// accessOf is what a new token of login reaches.
func accessOf(t *testing.T, sim *githubsim.Server, client *githubapi.Client, login string) github.Access {
	t.Helper()
	token := granted(t, sim, client, login).Access.String
	account, err := client.Account(t.Context(), token)
	require.NoError(t, err)
	access, err := client.Access(t.Context(), token, account.ID)
	require.NoError(t, err)
	return access
}

func TestAccessNamesAnOrganisationThatWantsASignOn(t *testing.T) {
	t.Parallel()
	sim, c := newSim(t, githubsim.Options{})
	client := newClient(t, options(t, sim.URL(), c.Now))
	_, err := sim.Install("octo-org")
	require.NoError(t, err)
	sim.SAML("octo-org", true)
	signOn := sim.URL() + "/orgs/octo-org/sso"
	missing := []github.Missing{{Account: "octo-org", State: github.AccessSingleSignOn, Fix: signOn}}
	require.Equal(t, github.Access{State: github.AccessSingleSignOn, Fix: signOn, Missing: missing}, accessOf(t, sim, client, "octocat"))

	_, err = sim.Install("octocat", "hello")
	require.NoError(t, err)
	access := accessOf(t, sim, client, "octocat")
	require.Equal(t, github.AccessReady, access.State, "the others can be pushed to")
	require.Equal(t, missing, access.Missing)

	sim.SignOn("octocat", "octo-org")
	access = accessOf(t, sim, client, "octocat")
	require.Empty(t, access.Missing)
	require.Len(t, access.Repositories, 3)
}

// GitHub documents two forms of the header, and any of the lists may have one.
func TestAccessReadsEachFormOfTheSignOnHeader(t *testing.T) {
	t.Parallel()
	const installation = `{"total_count":1,"installations":[{"id":7,"account":{"id":42,"login":"octo-org","type":"Organization"},"permissions":{"contents":"write"}}]}`
	const nothing = `{"total_count":0,"repositories":[]}`
	named := github.Missing{Account: "octo-org", State: github.AccessSingleSignOn, Fix: "/orgs/octo-org/sso"}
	unnamed := github.Missing{State: github.AccessSingleSignOn, Fix: "/settings/organizations"}
	for name, test := range map[string]struct {
		ofInstallations, ofRepositories string
		status                          int
		want                            []github.Missing
	}{
		"refused, with an address":   {"", "required; url=https://github.com/orgs/octo-org/sso?authorization_request=A", 403, []github.Missing{named}},
		"a list with its own id":     {"", "partial-results; organizations=42", 200, []github.Missing{named}},
		"several ids":                {"", "partial-results; organizations=41, 42", 200, []github.Missing{named, unnamed}},
		"the list of installations":  {"partial-results; organizations=41", "", 200, []github.Missing{unnamed}},
		"both lists":                 {"partial-results; organizations=42", "partial-results; organizations=42", 200, []github.Missing{named}},
		"refused without an address": {"", "required", 403, []github.Missing{named}},
		"a form that is not known":   {"", "something; organizations=42", 200, nil},
		"ids that are no numbers":    {"", "partial-results; organizations=x,", 200, nil},
		"refused for something else": {"", "", 403, []github.Missing{{Account: "octo-org", State: github.AccessRefused, Fix: "/orgs/octo-org/people"}}},
		"gone since it was listed":   {"", "", 404, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := clientOf(t, func(w http.ResponseWriter, r *http.Request) {
				status, body, header := 200, installation, test.ofInstallations
				if r.URL.Path != "/api/v3/user/installations" {
					status, body, header = test.status, nothing, test.ofRepositories
				}
				if header != "" {
					w.Header().Set("X-GitHub-SSO", header)
				}
				says(status, "application/json", body)(w, r)
			}, newClock().Now)
			access, err := client.Access(t.Context(), sec("ghu_x"), 0)
			require.NoError(t, err)
			require.Len(t, access.Missing, len(test.want))
			for i, want := range test.want {
				require.Equal(t, want.Account, access.Missing[i].Account)
				require.Equal(t, want.State, access.Missing[i].State)
				require.Regexp(t, `^http://127\.0\.0\.1:\d+`+want.Fix+`$`, access.Missing[i].Fix)
			}
			if len(test.want) > 0 {
				require.Equal(t, test.want[0].State, access.State)
				require.Equal(t, access.Missing[0].Fix, access.Fix)
			} else {
				require.Equal(t, github.AccessNoRepository, access.State)
			}
		})
	}
}

func TestAccessNamesARequestThatWaitsForAnOwner(t *testing.T) {
	t.Parallel()
	sim, c := newSim(t, githubsim.Options{Apps: []githubsim.App{{ClientID: githubsim.DefaultClientID,
		Slug: githubsim.DefaultSlug, PublicKeyPEM: publicPEM(t, testKey())}}})
	o := options(t, sim.URL(), c.Now)
	without := newClient(t, o)
	o.Signer = appkey.New(keyFile(t, testKey()))
	client := newClient(t, o)
	require.NoError(t, sim.RequestApp("octo-org", "mona"))

	owners := sim.URL() + "/organizations/octo-org/settings/installations"
	requested := github.Access{State: github.AccessRequested, Fix: owners,
		Missing: []github.Missing{{Account: "octo-org", State: github.AccessRequested, Fix: owners}}}
	require.Equal(t, requested, accessOf(t, sim, client, "mona"))
	require.Equal(t, github.AccessNotInstalled, accessOf(t, sim, client, "octocat").State, "it is hers")
	require.Equal(t, 1, sim.Stats().Requests["GET /app/installation-requests"], "they are the same for all")
	require.Equal(t, github.AccessNotInstalled, accessOf(t, sim, without, "mona").State, "only the App's key shows them")

	_, err := sim.Install("mona")
	require.NoError(t, err)
	require.Equal(t, github.AccessRequested, accessOf(t, sim, client, "mona").State, "she has no repository of her own")
	_, err = sim.Install("octo-org")
	require.NoError(t, err)
	c.Advance(time.Minute)
	access := accessOf(t, sim, client, "mona")
	require.Equal(t, github.AccessReady, access.State)
	require.Empty(t, access.Missing)
}

func TestAccessDoesNotFailWithTheRequests(t *testing.T) {
	t.Parallel()
	sim, _, client, _ := botWorld(t)
	_, err := sim.Fault(githubsim.Fault{Endpoint: "GET /app/installation-requests", Kind: githubsim.FaultHTML502})
	require.NoError(t, err)
	access := accessOf(t, sim, client, "octocat")
	require.Equal(t, github.AccessReady, access.State)
	require.Empty(t, access.Missing)
}

func TestAccessNamesASuspendedAccountBesideOthers(t *testing.T) {
	t.Parallel()
	sim, c := newSim(t, githubsim.Options{})
	client := newClient(t, options(t, sim.URL(), c.Now))
	id, err := sim.Install("octo-org")
	require.NoError(t, err)
	_, err = sim.Install("octocat", "hello")
	require.NoError(t, err)
	require.NoError(t, sim.Suspend(id, true))
	access := accessOf(t, sim, client, "octocat")
	require.Equal(t, github.AccessReady, access.State)
	require.Equal(t, []github.Missing{{Account: "octo-org", State: github.AccessSuspended,
		Fix: fmt.Sprintf("%s/organizations/octo-org/settings/installations/%d", sim.URL(), id)}}, access.Missing)
}

func TestAccessNamesArchivedRepositories(t *testing.T) {
	t.Parallel()
	sim, c := newSim(t, githubsim.Options{})
	client := newClient(t, options(t, sim.URL(), c.Now))
	id, err := sim.Install("octocat", "hello", "notes")
	require.NoError(t, err)
	require.NoError(t, sim.Archive("octocat/hello", true))
	access := accessOf(t, sim, client, "octocat")
	require.Equal(t, github.AccessReady, access.State)
	require.True(t, access.Repositories[0].Archived)
	require.False(t, access.Repositories[0].Push)
	require.False(t, access.Repositories[1].Archived)

	require.NoError(t, sim.Archive("octocat/notes", true))
	access = accessOf(t, sim, client, "octocat")
	require.Equal(t, github.AccessArchived, access.State)
	require.Equal(t, fmt.Sprintf("%s/settings/installations/%d", sim.URL(), id), access.Fix)

	require.NoError(t, sim.SetPermissions(id, map[string]string{"contents": "read"}))
	require.Equal(t, github.AccessReadOnly, accessOf(t, sim, client, "octocat").State, "ending the archive would not help")
}
