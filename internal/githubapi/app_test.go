package githubapi_test

import (
	"crypto/rand"
	"crypto/rsa"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/appkey"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/githubapi"
	"github.com/ghscoped/ghscoped-service/internal/githubsim"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

var write = map[string]string{"contents": "write"}

// botWorld is a simulator with the App installed, and a client with its key.
func botWorld(t *testing.T) (*githubsim.Server, *clock, *githubapi.Client, string) {
	t.Helper()
	sim, c := newSim(t, githubsim.Options{Apps: []githubsim.App{{ClientID: githubsim.DefaultClientID,
		Slug: githubsim.DefaultSlug, PublicKeyPEM: publicPEM(t, testKey())}}})
	_, err := sim.Install("octo-org", "shared", "handbook")
	require.NoError(t, err)
	o := options(t, sim.URL(), c.Now)
	file := keyFile(t, testKey())
	o.Signer = appkey.New(file)
	return sim, c, newClient(t, o), file
}

func TestMintGivesExactlyWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	sim, c, client, _ := botWorld(t)
	token, err := client.Mint(t.Context(), "octo-org", []string{"shared"}, write)
	require.NoError(t, err)
	require.Equal(t, []string{"octo-org/shared"}, token.Repositories)
	require.Equal(t, map[string]string{"contents": "write", "metadata": "read"}, token.Permissions)
	require.True(t, token.Selected)
	require.WithinDuration(t, c.Now().Add(time.Hour), token.ExpiresAt, time.Second)

	_, err = client.Mint(t.Context(), "octo-org", []string{"handbook"}, write)
	require.NoError(t, err)
	require.Equal(t, 1, sim.Stats().Requests["GET /repos/{owner}/{repo}/installation"], "the installation is remembered")

	require.NoError(t, client.RevokeInstallationToken(t.Context(), token))
	require.Equal(t, "revoked", sim.Tokens()[0].State)
	c.Advance(time.Minute)
	require.NoError(t, client.RevokeInstallationToken(t.Context(), token), "a dead token is no error")
}

func TestGuardedWantsARuleThatTakesSomebodyElse(t *testing.T) {
	t.Parallel()
	sim, _, client, _ := botWorld(t)
	token, err := client.Mint(t.Context(), "octo-org", []string{"shared", "handbook"}, map[string]string{"contents": "read"})
	require.NoError(t, err)
	guarded := func(repository string) error { return client.Guarded(t.Context(), token, "octo-org", repository) }
	require.NoError(t, sim.Protect("octo-org/handbook", "release"))
	for _, repository := range []string{"shared", "handbook"} {
		err := guarded(repository)
		var e *apierror.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, apierror.CodeRepositoryUnguarded, e.Code)
		require.Contains(t, e.Hint, sim.URL()+"/octo-org/"+repository+"/settings/rules")
	}
	require.NoError(t, sim.Protect("octo-org/shared", "main"))
	require.NoError(t, guarded("shared"))
	require.Error(t, guarded("none"))
	require.Error(t, guarded("../x"))
}

func TestMintWithoutNamesIsRefusedBeforeGitHubIsAsked(t *testing.T) {
	t.Parallel()
	sim, _, client, _ := botWorld(t)
	for name, ask := range map[string]struct {
		repositories []string
		permissions  map[string]string
	}{
		"no repositories": {nil, write},
		"no permissions":  {[]string{"shared"}, nil},
		"too many":        {strings.Split(strings.Repeat("r,", 500)+"r", ","), write},
		"a path":          {[]string{"../../user"}, write},
	} {
		_, err := client.Mint(t.Context(), "octo-org", ask.repositories, ask.permissions)
		requireCode(t, err, "github_refused", false)
		require.Empty(t, sim.Stats().Requests, name)
	}
}

func TestMintNamesARefusal(t *testing.T) {
	t.Parallel()
	sim, c, client, path := botWorld(t)
	_, err := client.Mint(t.Context(), "octocat", []string{"hello"}, write)
	requireCode(t, err, "not_installed", false)
	_, err = client.Mint(t.Context(), "octo-org", []string{"shared", "unknown"}, write)
	requireCode(t, err, "not_granted", false)
	_, err = client.Mint(t.Context(), "octo-org", []string{"unknown"}, write)
	requireCode(t, err, "not_granted", false)
	_, err = client.Mint(t.Context(), "octo-org", []string{"shared"}, map[string]string{"administration": "write"})
	requireCode(t, err, "app_lacks_permission", false)

	id, err := sim.Install("octo-org", "shared")
	require.NoError(t, err)
	require.NoError(t, sim.Suspend(id, true))
	_, err = client.Mint(t.Context(), "octo-org", []string{"shared"}, write)
	requireCode(t, err, "installation_suspended", false)
	require.NoError(t, sim.Suspend(id, false))

	// Installed again under another number: the remembered one is given up.
	_, err = client.Mint(t.Context(), "octo-org", []string{"shared"}, write)
	require.NoError(t, err)
	require.NoError(t, sim.Uninstall(id))
	_, err = sim.Install("octo-org", "shared")
	require.NoError(t, err)
	_, err = client.Mint(t.Context(), "octo-org", []string{"shared"}, write)
	require.NoError(t, err)

	o := options(t, sim.URL(), c.Now)
	o.Signer, o.ClientID = appkey.New(path), "another-app"
	_, err = newClient(t, o).Slug(t.Context())
	requireCode(t, err, "app_unknown", false)
}

func TestMintWorksWithAClockThatIsTenMinutesOff(t *testing.T) {
	t.Parallel()
	for name, off := range map[string]time.Duration{"fast": 10 * time.Minute, "slow": -10 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim, c, client, _ := botWorld(t)
			sim.Advance(-off)
			token, err := client.Mint(t.Context(), "octo-org", []string{"shared"}, write)
			require.NoError(t, err)
			require.WithinDuration(t, c.Now().Add(time.Hour), token.ExpiresAt, 2*time.Second, "by our clock")
		})
	}
}

func TestMintReadsTheKeyAgainWhenItsFileChanges(t *testing.T) {
	t.Parallel()
	sim, _, client, path := botWorld(t)
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	writeKey(t, path, other)
	_, err = client.Mint(t.Context(), "octo-org", []string{"shared"}, write)
	requireCode(t, err, "app_misconfigured", false)

	require.NoError(t, sim.PutApp(githubsim.App{ClientID: githubsim.DefaultClientID, Slug: githubsim.DefaultSlug, PublicKeyPEM: publicPEM(t, other)}))
	_, err = client.Mint(t.Context(), "octo-org", []string{"shared"}, write)
	require.NoError(t, err)

	require.NoError(t, os.Remove(path))
	_, err = client.Mint(t.Context(), "octo-org", []string{"shared"}, write)
	requireCode(t, err, "app_misconfigured", false)
}

func TestMintNeedsAKey(t *testing.T) {
	t.Parallel()
	_, err := newClient(t, options(t, "http://127.0.0.1:1", time.Now)).Mint(t.Context(), "o", []string{"r"}, write)
	requireCode(t, err, "app_misconfigured", false)
}

func TestIdentityOfTheBot(t *testing.T) {
	t.Parallel()
	_, _, client, _ := botWorld(t)
	token, err := client.Mint(t.Context(), "octo-org", []string{"shared"}, write)
	require.NoError(t, err)
	identity, err := client.Identity(t.Context(), token)
	require.NoError(t, err)
	require.Equal(t, githubsim.DefaultSlug+"[bot]", identity.Name)
	require.Regexp(t, `^[0-9]+\+ghscoped-demo\[bot\]@users\.noreply\.127\.0\.0\.1$`, identity.Email)
}

// signed signs nothing, for a GitHub that checks nothing.
type signed struct{}

func (signed) Sign(string, time.Time) (secret.String, error) { return sec("jwt"), nil }

func TestIdentityWithoutANumberOrAProperNameIsNone(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{`{"slug":"our-hub","login":"our-hub[bot]"}`, `{"slug":"../user","id":7}`} {
		server := httptest.NewServer(says(200, "application/json", answer))
		t.Cleanup(server.Close)
		o := options(t, server.URL, time.Now)
		o.Signer = signed{}
		client := newClient(t, o)
		_, err := client.Identity(t.Context(), github.InstallationToken{Token: sec("ghs_x")})
		requireCode(t, err, "github_bad_answer", true)
	}
}

func TestFileOfARepositoryIsBounded(t *testing.T) {
	t.Parallel()
	sim, _, client, _ := botWorld(t)
	require.NoError(t, sim.Commit("octo-org/shared", "policy", map[string]string{".github/ghscoped.yaml": "version: 1\n"}))
	token, err := client.Mint(t.Context(), "octo-org", []string{"shared"}, map[string]string{"contents": "read"})
	require.NoError(t, err)

	content, found, err := client.File(t.Context(), token, "octo-org", "shared", ".github/ghscoped.yaml", 1000)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, "version: 1\n", string(content))

	_, found, err = client.File(t.Context(), token, "octo-org", "shared", "none.yaml", 1000)
	require.NoError(t, err)
	require.False(t, found)
	_, _, err = client.File(t.Context(), token, "octo-org", "shared", ".github/ghscoped.yaml", 5)
	requireCode(t, err, "github_refused", false)
	_, _, err = client.File(t.Context(), token, "octo-org", "shared", ".github", 1000)
	require.Error(t, err, "a folder is no file")
}
