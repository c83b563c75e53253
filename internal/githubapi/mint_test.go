package githubapi_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/appkey"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/githubapi"
	"github.com/ghscoped/ghscoped-service/internal/githubsim"
)

const mintEndpoint = "POST /app/installations/{id}/access_tokens"

// manyRepositories is an App with its key, on an account with so many repositories.
func manyRepositories(t *testing.T, n int) (*githubsim.Server, *githubapi.Client, []string) {
	t.Helper()
	o := githubsim.Options{
		Accounts: []githubsim.Account{{Login: "octocat"}, {Login: "octo-org", Org: true, Members: map[string]string{"octocat": "admin"}}},
		Apps:     []githubsim.App{{ClientID: githubsim.DefaultClientID, Slug: githubsim.DefaultSlug, PublicKeyPEM: publicPEM(t, testKey())}},
	}
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("repository-with-a-name-of-usual-length-%03d", i)
		o.Repositories = append(o.Repositories, githubsim.Repository{FullName: "octo-org/" + names[i]})
	}
	sim, c := newSim(t, o)
	_, err := sim.Install("octo-org")
	require.NoError(t, err)
	with := options(t, sim.URL(), c.Now)
	with.Signer = appkey.New(keyFile(t, testKey()))
	return sim, newClient(t, with), names
}

func TestMintReadsAnAnswerWithFiveHundredRepositories(t *testing.T) {
	t.Parallel()
	_, client, names := manyRepositories(t, 500)
	token, err := client.Mint(t.Context(), "octo-org", names, write)
	require.NoError(t, err)
	require.Len(t, token.Repositories, 500)
	require.True(t, token.Selected)
}

func TestMintAccountsForAnAnswerThatIsLost(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		kind  string
		state string // of the token that GitHub has made
		says  string
	}{
		"the connection ends before it":    {githubsim.FaultLost, "live", "may have made a token that nobody has"},
		"it breaks off behind the token":   {githubsim.FaultTruncate, "revoked", "was revoked"},
		"a page stands in for it":          {githubsim.FaultWrongType, "", "may have made a token"},
		"a server in between gives it up":  {githubsim.FaultHTML502, "", "may have made a token"},
		"it never ends":                    {githubsim.FaultEndless, "", "may have made a token"},
		"the connection ends, and is over": {githubsim.FaultReset, "", "may have made a token"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim, client, names := manyRepositories(t, 20)
			_, err := sim.Fault(githubsim.Fault{Kind: test.kind, Endpoint: mintEndpoint, Times: 1})
			require.NoError(t, err)
			_, err = client.Mint(t.Context(), "octo-org", names, write)
			own := requireCode(t, err, "answer_lost", true)
			require.Contains(t, own.Message, test.says)
			if test.state != "" {
				require.Equal(t, test.state, sim.Tokens()[0].State)
			}
			_, err = client.Mint(t.Context(), "octo-org", names, write)
			require.NoError(t, err)
		})
	}
}

// unshared makes a connection for each request: one that was kept open may have taken
// the request.
type unshared struct{}

func (unshared) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Close = true
	return loopback{}.RoundTrip(r)
}

func TestMintThatReachedNobodyIsNoLostAnswer(t *testing.T) {
	t.Parallel()
	sim, c, _, key := botWorld(t)
	o := options(t, sim.URL(), c.Now)
	o.Signer, o.HTTP = appkey.New(key), &http.Client{Transport: unshared{}}
	client := newClient(t, o)
	_, err := client.InstallationFor(t.Context(), "octo-org", "shared")
	require.NoError(t, err)
	require.NoError(t, sim.Close())
	_, err = client.Mint(t.Context(), "octo-org", []string{"shared"}, write)
	requireCode(t, err, "github_unreachable", true)
}

// limitsOf403 are the ways in which GitHub says a limit with the status of a refusal.
var limitsOf403 = map[string]githubsim.Fault{
	"Retry-After":           {RetryAfter: 30},
	"X-RateLimit-Remaining": {Header: map[string]string{"X-RateLimit-Remaining": "0"}},
	"its text":              {Body: `{"message":"You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}`},
	"its text of old":       {Body: `{"message":"You have triggered an abuse detection mechanism."}`},
}

func TestClientTakesA403WithALimitForNoRefusal(t *testing.T) {
	t.Parallel()
	for call, do := range map[string]func(context.Context, *githubapi.Client, github.InstallationToken) error{
		"look for the App": func(ctx context.Context, c *githubapi.Client, _ github.InstallationToken) error {
			_, err := c.InstallationFor(ctx, "octocat", "hello")
			return err
		},
		"mint": func(ctx context.Context, c *githubapi.Client, _ github.InstallationToken) error {
			_, err := c.Mint(ctx, "octo-org", []string{"shared"}, write)
			return err
		},
		"revoke an installation token": func(ctx context.Context, c *githubapi.Client, token github.InstallationToken) error {
			return c.RevokeInstallationToken(ctx, token)
		},
		"see whether one is alive": func(ctx context.Context, c *githubapi.Client, token github.InstallationToken) error {
			_, err := c.Alive(ctx, token)
			return err
		},
		"ask for the name": func(ctx context.Context, c *githubapi.Client, token github.InstallationToken) error {
			_, err := c.Identity(ctx, token)
			return err
		},
		"read a file": func(ctx context.Context, c *githubapi.Client, token github.InstallationToken) error {
			_, _, err := c.File(ctx, token, "octo-org", "shared", "README.md", 1000)
			return err
		},
		"make a commit": func(ctx context.Context, c *githubapi.Client, token github.InstallationToken) error {
			_, err := c.CommitOnBranch(ctx, token, github.Commit{Repository: "octo-org/shared", Branch: "main", Headline: "x"})
			return err
		},
		"make a branch": func(ctx context.Context, c *githubapi.Client, token github.InstallationToken) error {
			return c.CreateBranch(ctx, token, "octo-org/shared", "new", strings.Repeat("1", 40))
		},
		"revoke a user's token without the secret": func(ctx context.Context, c *githubapi.Client, _ github.InstallationToken) error {
			return c.Revoke(ctx, sec("ghu_of_nobody"))
		},
		"poll": func(ctx context.Context, c *githubapi.Client, _ github.InstallationToken) error {
			_, err := c.PollOnce(ctx, sec("code"))
			return err
		},
		"exchange a code": func(ctx context.Context, c *githubapi.Client, _ github.InstallationToken) error {
			_, err := c.Exchange(ctx, "code", strings.Repeat("v", 43), "http://127.0.0.1/callback")
			return err
		},
		"list what a token reaches": func(ctx context.Context, c *githubapi.Client, _ github.InstallationToken) error {
			_, err := c.Access(ctx, sec("ghu_x"), 0)
			return err
		},
	} {
		for how, fault := range limitsOf403 {
			t.Run(call+", by "+how, func(t *testing.T) {
				t.Parallel()
				sim, _, client, _ := botWorld(t)
				token, err := client.Mint(t.Context(), "octo-org", []string{"shared"}, write)
				require.NoError(t, err)
				fault.Kind, fault.Status = githubsim.FaultStatus, http.StatusForbidden
				_, err = sim.Fault(fault)
				require.NoError(t, err)
				requireCode(t, do(t.Context(), client, token), "github_limited", true)
				require.Equal(t, "live", sim.Tokens()[0].State)
			})
		}
	}
}

func TestRevokeOfARefreshTokenIsNoSuccessWhileGitHubLimits(t *testing.T) {
	t.Parallel()
	for how, fault := range limitsOf403 {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			sim, c := newSim(t, githubsim.Options{Apps: []githubsim.App{{ClientID: githubsim.DefaultClientID, Slug: githubsim.DefaultSlug, ClientSecret: "s3cret"}}})
			o := options(t, sim.URL(), c.Now)
			o.ClientSecret = sec("s3cret")
			fault.Kind, fault.Status, fault.Endpoint = githubsim.FaultStatus, http.StatusForbidden, "POST /credentials/revoke"
			_, err := sim.Fault(fault)
			require.NoError(t, err)
			requireCode(t, newClient(t, o).Revoke(t.Context(), sec("ghr_of_somebody")), "github_limited", true)
		})
	}
}

func TestInstallationTokenThatIsYoungMayBeUnknownForAMoment(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(context.Context, *githubapi.Client, github.InstallationToken) error{
		"its name": func(ctx context.Context, c *githubapi.Client, token github.InstallationToken) error {
			_, err := c.Identity(ctx, token)
			return err
		},
		"its end": func(ctx context.Context, c *githubapi.Client, token github.InstallationToken) error {
			return c.RevokeInstallationToken(ctx, token)
		},
		"its life": func(ctx context.Context, c *githubapi.Client, token github.InstallationToken) error {
			alive, err := c.Alive(ctx, token)
			return errors.Join(err, dead(!alive))
		},
		"a file": func(ctx context.Context, c *githubapi.Client, token github.InstallationToken) error {
			_, _, err := c.File(ctx, token, "octo-org", "shared", "README.md", 1000)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim, _, client, _ := botWorld(t)
			token, err := client.Mint(t.Context(), "octo-org", []string{"shared"}, write)
			require.NoError(t, err)
			_, err = sim.Fault(githubsim.Fault{Kind: githubsim.FaultFresh401, Times: 2})
			require.NoError(t, err)
			require.NoError(t, do(t.Context(), client, token))
			if name == "its end" {
				require.Equal(t, "revoked", sim.Tokens()[0].State)
			}
		})
	}
}

func dead(is bool) error {
	if is {
		return errors.New("called dead")
	}
	return nil
}

func TestRevokeInstallationTokenThatStaysUnknownIsNoSuccess(t *testing.T) {
	t.Parallel()
	sim, _, client, _ := botWorld(t)
	token, err := client.Mint(t.Context(), "octo-org", []string{"shared"}, write)
	require.NoError(t, err)
	_, err = sim.Fault(githubsim.Fault{Kind: githubsim.FaultFresh401})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	requireCode(t, client.RevokeInstallationToken(ctx, token), "github_unreachable", true)
	require.Equal(t, "live", sim.Tokens()[0].State)
}

func TestAliveIsFalseForWhatEndedAtGitHub(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*githubsim.Server, *githubapi.Client, github.InstallationToken, int64) error{
		"revoked": func(_ *githubsim.Server, c *githubapi.Client, token github.InstallationToken, _ int64) error {
			return c.RevokeInstallationToken(context.Background(), token)
		},
		"suspended": func(sim *githubsim.Server, _ *githubapi.Client, _ github.InstallationToken, id int64) error {
			return sim.Suspend(id, true)
		},
		"uninstalled": func(sim *githubsim.Server, _ *githubapi.Client, _ github.InstallationToken, id int64) error {
			return sim.Uninstall(id)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim, c, client, _ := botWorld(t)
			id, err := sim.Install("octo-org", "shared")
			require.NoError(t, err)
			token, err := client.Mint(t.Context(), "octo-org", []string{"shared"}, write)
			require.NoError(t, err)
			c.Advance(time.Minute)
			alive, err := client.Alive(t.Context(), token)
			require.NoError(t, err)
			require.True(t, alive)
			require.NoError(t, end(sim, client, token, id))
			alive, err = client.Alive(t.Context(), token)
			require.NoError(t, err)
			require.False(t, alive)
		})
	}
}

func TestMintNamesItsCauseByGitHubsReason(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		before  func(*testing.T, *githubsim.Server, int64)
		ask     map[string]string
		of      string
		code    string
		hint    string // with the page that fixes it
		nowhere string // in what a person gets
	}{
		"a repository that was not chosen": {of: "handbook", code: "not_granted", hint: "/settings/installations/"},
		"no such repository":               {of: "none", code: "not_granted", hint: "/settings/installations/"},
		"a permission that the App lacks":  {ask: map[string]string{"issues": "write"}, code: "app_lacks_permission", hint: "/apps/ghscoped-demo"},
		"a permission that is new": {before: func(t *testing.T, sim *githubsim.Server, id int64) {
			require.NoError(t, sim.SetPermissions(id, map[string]string{"contents": "read"}))
		}, code: "permission_not_accepted", hint: "/settings/installations/"},
		"allowed addresses": {before: func(_ *testing.T, sim *githubsim.Server, _ int64) { sim.AllowList("octo-org", true) },
			code: "address_not_allowed", hint: "/organizations/octo-org/settings/security", nowhere: "correct authorization credentials"},
		"suspended": {before: func(t *testing.T, sim *githubsim.Server, id int64) { require.NoError(t, sim.Suspend(id, true)) },
			code: "installation_suspended", hint: "/settings/installations/"},
		"a former name": {before: func(t *testing.T, sim *githubsim.Server, _ int64) {
			require.NoError(t, sim.Rename("octo-org/shared", "common"))
		}, code: "repository_renamed", hint: "/octo-org/shared"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim, _, client, _ := botWorld(t)
			id, err := sim.Install("octo-org", "shared")
			require.NoError(t, err)
			if test.before != nil {
				test.before(t, sim, id)
			}
			of, ask := "shared", write
			if test.of != "" {
				of = test.of
			}
			if test.ask != nil {
				ask = test.ask
			}
			_, err = client.Mint(t.Context(), "octo-org", []string{of}, ask)
			own := requireCode(t, err, test.code, false)
			require.Contains(t, own.Hint, test.hint)
			require.NotEmpty(t, own.Err.Error(), "the log has GitHub's own reason")
			if test.nowhere != "" {
				require.NotContains(t, own.Message+own.Hint, test.nowhere)
				require.Contains(t, own.Err.Error(), test.nowhere)
			}
		})
	}
}

func TestMintWithAClientIDThatIsNoAppsSaysSo(t *testing.T) {
	t.Parallel()
	sim, c, _, path := botWorld(t)
	o := options(t, sim.URL(), c.Now)
	o.Signer, o.ClientID = appkey.New(path), "another-app"
	_, err := newClient(t, o).Mint(t.Context(), "octo-org", []string{"shared"}, write)
	requireCode(t, err, apierror.CodeAppUnknown, false)
}
