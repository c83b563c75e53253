package server_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/flow"
	"github.com/ghscoped/ghscoped-service/internal/server"
)

// standsStill makes ada's record one in which a removal waits for a Hub token of hers.
func (f *fixture) standsStill() {
	f.t.Helper()
	user, err := f.users.Load(f.t.Context(), "ada")
	require.NoError(f.t, err)
	user.Created = created
	user.Deliveries = []flow.Delivery{{Server: "", State: flow.DeliveryRemoving, Delivered: "x", MayHold: true,
		Error: &apierror.Error{Code: apierror.CodeHubSignedOut, Message: "No sign-in of yours.", Hint: "h"}}}
	require.NoError(f.t, f.users.Save(f.t.Context(), user))
}

// noServers writes nowhere; that it is there makes servers be written into.
type noServers struct{ flow.Deliverer }

func push(f *fixture, o *server.Options) {
	o.Pull = false
	f.change(func(o *flow.Options) { o.Deliverer = noServers{} })
}

func TestFragmentContinuesWhatWaitsForAHubTokenOfWhoeverLooks(t *testing.T) {
	t.Parallel()
	f := setUp(t, push)
	ada := f.signIn("ada")
	f.standsStill()
	asked := f.asked
	shown := read(t, ada.do(http.MethodGet, "fragment", nil, nil))
	require.NotContains(t, shown, "No sign-in of yours", "she is signed in")
	user, err := f.users.Load(t.Context(), "ada")
	require.NoError(t, err)
	require.Equal(t, "hub-ada", user.HubToken.Reveal())
	require.False(t, user.Deliveries[0].Due.IsZero(), "it continues")
	require.Equal(t, asked+1, f.asked, "the Hub has said that the token is one that it knows")

	version := user.Version
	require.Equal(t, http.StatusOK, ada.do(http.MethodGet, "fragment", nil, nil).StatusCode)
	user, err = f.users.Load(t.Context(), "ada")
	require.NoError(t, err)
	require.Equal(t, version, user.Version, "once: a page that is read again changes nothing")
	require.Equal(t, asked+1, f.asked)
}

func TestFragmentHandsOnNoTokenThatTheHubRefuses(t *testing.T) {
	t.Parallel()
	f := setUp(t, push)
	ada := f.signIn("ada")
	f.standsStill()
	f.takeBack("hub-ada")
	require.Equal(t, http.StatusUnauthorized, ada.do(http.MethodGet, "fragment", nil, nil).StatusCode,
		"although the Hub's last answer still counts")
	user, err := f.users.Load(t.Context(), "ada")
	require.NoError(t, err)
	require.True(t, user.HubToken.Empty())
	require.True(t, user.Deliveries[0].Due.IsZero())
}

func TestBackFromGitHubHasTheServiceLookThere(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		address string
		looks   bool
	}{
		"the page":                                {"", false},
		"what the script reads":                   {"fragment", false},
		"what it reads on the way back":           {"fragment?back", true},
		"the link without the script":             {"?back", true},
		"from installing the App":                 {"?installation_id=7&setup_action=install", true},
		"from asking an organisation to agree":    {"?setup_action=request", true},
		"from choosing other repositories for it": {"?installation_id=7&setup_action=update", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setUp(t)
			ada := f.signIn("ada")
			f.connect(ada)
			require.Equal(t, http.StatusOK, ada.do(http.MethodGet, c.address, nil, nil).StatusCode)
			user, err := f.users.Load(t.Context(), "ada")
			require.NoError(t, err)
			due := user.Due()
			require.Equal(t, c.looks, due.Before(time.Now().Add(time.Minute)), due)
		})
	}
}

func TestErrorOfASessionThatHasEndedOffersToSignIn(t *testing.T) {
	t.Parallel()
	f := setUp(t)
	grace := f.staff()
	f.takeBack("hub-grace")
	for _, path := range []string{"admin/disconnect", "admin/disconnect-all", "admin/forget-account", "admin/revoke-bots"} {
		response := grace.write(http.MethodPost, path)
		require.Equal(t, http.StatusUnauthorized, response.StatusCode, path)
		shown := read(t, response)
		require.Contains(t, shown, `id="sign-in" class="button primary" href="`+prefix+`"`, path)
		require.NotContains(t, shown, "sign-in at the Hub", path)
	}
}

func TestPageSaysForAnHourThatAnAccessHasEnded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		code, end time.Duration // ago
		state     string
	}{
		"a code that ended lately":                  {30 * time.Minute, 30 * time.Minute, "expired"},
		"one that ended long ago":                   {2 * time.Hour, 2 * time.Hour, "none"},
		"a connection that ended lately":            {8 * time.Hour, 30 * time.Minute, "expired"},
		"one that ended long ago, too":              {8 * time.Hour, 2 * time.Hour, "none"},
		"one of an earlier release, without a time": {8 * time.Hour, 0, "none"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setUp(t)
			ada := f.signIn("ada")
			user, err := f.users.Load(t.Context(), "ada")
			require.NoError(t, err)
			user.Created = created
			user.Flow = &flow.Flow{State: flow.Expired, ExpiresAt: time.Now().Add(-c.code)}
			if c.end > 0 {
				user.Flow.EndedAt = time.Now().Add(-c.end)
			}
			require.NoError(t, f.users.Save(t.Context(), user))
			require.Contains(t, read(t, ada.do(http.MethodGet, "", nil, nil)), `data-state="`+c.state+`"`)
		})
	}
}
