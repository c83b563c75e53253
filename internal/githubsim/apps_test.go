package githubsim_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/githubsim"
)

// botWorld is a simulator whose App has a key.
func botWorld(t *testing.T) (*githubsim.Server, *rsa.PrivateKey) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	require.NoError(t, err)
	return start(t, func(o *githubsim.Options) {
		o.Apps = []githubsim.App{{ClientID: githubsim.DefaultClientID, Slug: githubsim.DefaultSlug,
			PublicKeyPEM: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))}}
	}), key
}

func appJWT(t *testing.T, sim *githubsim.Server, key *rsa.PrivateKey, iat, exp time.Duration, iss string) string {
	t.Helper()
	now := sim.Now()
	v, err := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{"iat": now.Add(iat).Unix(), "exp": now.Add(exp).Unix(), "iss": iss}).SignedString(key)
	require.NoError(t, err)
	return "Bearer " + v
}

func TestAppJWTTimes(t *testing.T) {
	t.Parallel()
	sim, key := botWorld(t)
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	id := githubsim.DefaultClientID
	for _, tc := range []struct {
		name   string
		auth   string
		status int
		says   string
	}{
		{"right", appJWT(t, sim, key, -time.Minute, 9*time.Minute, id), 200, ""},
		{"exactly 10 minutes", appJWT(t, sim, key, 0, 10*time.Minute, id), 200, ""},
		{"too long", appJWT(t, sim, key, -time.Minute, 601*time.Second, id), 401, "too far in the future"},
		{"expired", appJWT(t, sim, key, -10*time.Minute, 0, id), 401, "future time at which the assertion expires"},
		{"issued in the future", appJWT(t, sim, key, 61*time.Second, 5*time.Minute, id), 401, "'Issued at' claim"},
		{"another key", appJWT(t, sim, other, -time.Minute, 5*time.Minute, id), 401, "could not be decoded"},
		{"unknown issuer", appJWT(t, sim, key, -time.Minute, 5*time.Minute, "nobody"), 404, "Integration not found"},
		{"no JWT", "Bearer ghs_x", 401, "could not be decoded"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := send(t, "GET", sim.APIURL()+"/app", tc.auth, nil)
			require.Equal(t, tc.status, a.status, a.raw)
			require.Contains(t, a.str("message"), tc.says)
		})
	}
}

func TestInstallationTokens(t *testing.T) {
	t.Parallel()
	sim, key := botWorld(t)
	id, err := sim.Install("octocat", "hello", "notes")
	require.NoError(t, err)
	auth := appJWT(t, sim, key, -time.Minute, 9*time.Minute, githubsim.DefaultClientID)
	address := fmt.Sprintf("%s/app/installations/%d/access_tokens", sim.APIURL(), id)
	require.EqualValues(t, id, send(t, "GET", sim.APIURL()+"/repos/octocat/notes/installation", auth, nil).body["id"])
	require.Equal(t, 404, send(t, "GET", sim.APIURL()+"/repos/octocat/other/installation", auth, nil).status)
	require.Len(t, send(t, "GET", sim.APIURL()+"/app/installations", auth, nil).list, 1)

	for _, tc := range []struct {
		name   string
		ask    ask
		status int
	}{
		{"outside the installation", ask{"repositories": []string{"other"}}, 422},
		{"another owner", ask{"repositories": []string{"octo-org/shared"}}, 422},
		{"more than the installation's permissions", ask{"permissions": ask{"administration": "read"}}, 422},
		{"a level it has not", ask{"permissions": ask{"contents": "admin"}}, 422},
		{"501 repositories", ask{"repository_ids": make([]int, 501)}, 422},
		{"no installation's token", nil, 201},
	} {
		t.Run(tc.name, func(t *testing.T) {
			require.Equal(t, tc.status, send(t, "POST", address, auth, tc.ask).status)
		})
	}
	a := send(t, "POST", address, auth, ask{"repositories": []string{"hello"}, "permissions": ask{"contents": "write"}})
	require.Equal(t, 201, a.status, a.raw)
	token := a.str("token")
	require.Len(t, token, 520)
	require.True(t, strings.HasPrefix(token, "ghs_"))
	require.Equal(t, "selected", a.str("repository_selection"))
	require.Equal(t, sim.Now().Add(time.Hour).UTC().Format(time.RFC3339), a.str("expires_at"))
	require.Equal(t, ask{"contents": "write", "metadata": "read"}, a.body["permissions"])
	require.EqualValues(t, 1, send(t, "GET", sim.APIURL()+"/installation/repositories", "Bearer "+token, nil).body["total_count"])
	require.Equal(t, 403, send(t, "GET", sim.APIURL()+"/user", "Bearer "+token, nil).status)

	require.Equal(t, 200, pushCheck(t, sim, "octocat/hello", token))
	require.Equal(t, 404, pushCheck(t, sim, "octocat/notes", token))
	require.Equal(t, 403, pushCheck(t, sim, "octocat/other", token))
	require.Equal(t, 422, send(t, "POST", sim.APIURL()+"/credentials/revoke", "", ask{"credentials": []string{token}}).status)
	require.Equal(t, 204, send(t, "DELETE", sim.APIURL()+"/installation/token", "Bearer "+token, nil).status)
	require.Equal(t, 401, send(t, "DELETE", sim.APIURL()+"/installation/token", "Bearer "+token, nil).status)
	require.NoError(t, sim.Suspend(id, true))
	require.Equal(t, 403, send(t, "POST", address, auth, nil).status)
}

func TestPullsByABotStartWorkflows(t *testing.T) {
	t.Parallel()
	sim, key := botWorld(t)
	id, err := sim.Install("octocat", "hello")
	require.NoError(t, err)
	require.NoError(t, sim.Commit("octocat/hello", "workflows", map[string]string{
		".github/workflows/ci.yml": "on:\n  pull_request:\n", ".github/workflows/nightly.yml": "on: schedule\n", ".github/ghscoped.yaml": "a: b\n"}))
	auth := appJWT(t, sim, key, -time.Minute, 9*time.Minute, githubsim.DefaultClientID)
	token := send(t, "POST", fmt.Sprintf("%s/app/installations/%d/access_tokens", sim.APIURL(), id), auth, nil).str("token")
	repo := sim.APIURL() + "/repos/octocat/hello"

	file := send(t, "GET", repo+"/contents/.github/ghscoped.yaml", "Bearer "+token, nil)
	raw, err := base64.StdEncoding.DecodeString(file.str("content"))
	require.NoError(t, err)
	require.Equal(t, "a: b\n", string(raw))
	require.Len(t, send(t, "GET", repo+"/contents/.github/workflows", "Bearer "+token, nil).list, 2)
	require.Equal(t, 404, send(t, "GET", repo+"/contents/nothing", "Bearer "+token, nil).status)

	dir := filepath.Join(t.TempDir(), "r")
	out, err := git(t, t.TempDir(), token, "clone", sim.URL()+"/octocat/hello", dir)
	require.NoError(t, err, out)
	out, err = git(t, dir, token, "push", "origin", "HEAD:refs/heads/change")
	require.NoError(t, err, out)
	pull := map[string]string{"title": "Change", "head": "change", "base": "main"}
	a := send(t, "POST", repo+"/pulls", "Bearer "+token, pull)
	require.Equal(t, 201, a.status, a.raw)
	require.Len(t, send(t, "GET", repo+"/pulls", "Bearer "+token, nil).list, 1)
	p := sim.Stats().Pulls[0]
	require.Equal(t, githubsim.DefaultSlug+"[bot]", p.Actor)
	require.Equal(t, []string{".github/workflows/ci.yml"}, p.Workflows)
	require.Equal(t, 422, send(t, "POST", repo+"/pulls", "Bearer "+token, map[string]string{"title": "x", "head": "none", "base": "main"}).status)
	require.Equal(t, 403, send(t, "POST", sim.APIURL()+"/repos/octocat/other/pulls", "Bearer "+token, pull).status)
}

func TestManifestBecomesAnApp(t *testing.T) {
	t.Parallel()
	sim := start(t)
	b := newBrowser(t, sim, "mona")
	b.post("/settings/apps/new?state=s1", "manifest", `{"name":"My Hub","url":"http://hub","redirect_url":"`+sim.URL()+`/login","public":true,"default_permissions":{"contents":"write"}}`)
	require.Contains(t, b.page, "contents: write")
	b.post("/settings/apps/new/confirmation", "pending", b.at.Query().Get("pending"), "name", "My Hub")
	require.Equal(t, "s1", b.at.Query().Get("state"))
	address := sim.APIURL() + "/app-manifests/" + b.at.Query().Get("code") + "/conversions"
	a := send(t, "POST", address, "", nil)
	require.Equal(t, 201, a.status, a.raw)
	require.Equal(t, "my-hub", a.str("slug"))
	key, err := jwt.ParseRSAPrivateKeyFromPEM([]byte(a.str("pem")))
	require.NoError(t, err)
	require.Equal(t, 200, send(t, "GET", sim.APIURL()+"/app", appJWT(t, sim, key, -time.Minute, 9*time.Minute, a.str("client_id")), nil).status)
	require.Equal(t, 404, send(t, "POST", address, "", nil).status)
}
