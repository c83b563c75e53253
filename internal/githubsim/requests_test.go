package githubsim_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/githubsim"
)

func TestRequestOfAMemberWaitsForAnOwner(t *testing.T) {
	t.Parallel()
	sim, key := botWorld(t)
	app := appJWT(t, sim, key, -time.Minute, 5*time.Minute, githubsim.DefaultClientID)
	requests := func() []any { return send(t, "GET", sim.APIURL()+"/app/installation-requests", app, nil).list }
	require.Empty(t, requests())

	mona := newBrowser(t, sim, "mona")
	form := "/apps/" + githubsim.DefaultSlug + "/installations/new"
	mona.get(form)
	require.Contains(t, mona.page, `id="account-mona"`)
	require.Contains(t, mona.page, `id="request-octo-org"`)
	mona.get(form + "/permissions?target=octo-org")
	require.Equal(t, http.StatusNotFound, mona.code, "she may not install it")
	mona.get(form)
	mona.post(form+"/request", "target", "octo-org")
	require.Contains(t, mona.page, `id="requested"`)
	mona.get(form)
	require.Contains(t, mona.page, `id="asked-octo-org"`)

	waiting := requests()
	require.Len(t, waiting, 1)
	require.Equal(t, "octo-org", waiting[0].(map[string]any)["account"].(map[string]any)["login"])
	require.Equal(t, "mona", waiting[0].(map[string]any)["requester"].(map[string]any)["login"])
	user := "Bearer " + userToken(t, sim, "mona").str("access_token")
	require.Zero(t, send(t, "GET", sim.APIURL()+"/user/installations", user, nil).body["total_count"])
	require.Equal(t, http.StatusUnauthorized, send(t, "GET", sim.APIURL()+"/app/installation-requests", user, nil).status)

	_, err := sim.Install("octo-org")
	require.NoError(t, err)
	require.Empty(t, requests(), "an owner has agreed")
}

func TestRequestAndInstallationLeadToTheSetupAddress(t *testing.T) {
	t.Parallel()
	var reached []string
	setup := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { reached = append(reached, r.URL.String()) }))
	t.Cleanup(setup.Close)
	sim := start(t, func(o *githubsim.Options) {
		o.Apps = []githubsim.App{{ClientID: githubsim.DefaultClientID, Slug: githubsim.DefaultSlug, SetupURL: setup.URL + "/services/x/?a=b"}}
	})
	form := "/apps/" + githubsim.DefaultSlug + "/installations/new"
	mona := newBrowser(t, sim, "mona")
	mona.get(form)
	mona.post(form+"/request", "target", "octo-org")
	mona.get(form + "/permissions?target=mona")
	mona.post(form+"/permissions", "target", "mona", "repository_selection", "all")
	require.Len(t, reached, 2)
	require.Equal(t, "/services/x/?a=b&setup_action=request", reached[0])
	require.Regexp(t, `^/services/x/\?a=b&installation_id=\d+&setup_action=install$`, reached[1])
	require.Error(t, sim.RequestApp("octo-org", "octocat"), "an owner installs")
	sim.DeclineRequests("octo-org")
}
