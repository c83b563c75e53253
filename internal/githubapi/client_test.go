package githubapi_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/githubapi"
	"github.com/ghscoped/ghscoped-service/internal/githubsim"
	"github.com/ghscoped/ghscoped-service/internal/secret"
	"github.com/ghscoped/ghscoped-service/internal/webaddr"
)

// loopback refuses to reach anything but this machine.
type loopback struct{}

func (loopback) RoundTrip(r *http.Request) (*http.Response, error) {
	if ip := net.ParseIP(r.URL.Hostname()); ip == nil || !ip.IsLoopback() {
		return nil, errors.New("a test may reach loopback only: " + r.URL.Host)
	}
	return http.DefaultTransport.RoundTrip(r)
}

// clock is a time that only the test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Now().Truncate(time.Second)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// options talk to a GitHub at web, with an API where a GHES has it.
func options(t *testing.T, web string, now func() time.Time) githubapi.Options {
	t.Helper()
	u, err := url.Parse(web)
	require.NoError(t, err)
	return githubapi.Options{Web: u, API: webaddr.GitHubAPI(u), ClientID: githubsim.DefaultClientID,
		AppURL: web + "/apps/" + githubsim.DefaultSlug,
		HTTP:   &http.Client{Transport: loopback{}}, Clock: now}
}

func newClient(t *testing.T, o githubapi.Options) *githubapi.Client {
	t.Helper()
	client, err := githubapi.New(o)
	require.NoError(t, err)
	return client
}

// newSim is a simulator whose clock and the client's are one.
func newSim(t *testing.T, o githubsim.Options) (*githubsim.Server, *clock) {
	t.Helper()
	c := newClock()
	if o.Clock == nil {
		o.Clock = c.Now
	}
	sim := githubsim.New(o)
	require.NoError(t, sim.Start())
	t.Cleanup(func() { _ = sim.Close() })
	return sim, c
}

// granted is a token of login's, by a whole device flow.
func granted(t *testing.T, sim *githubsim.Server, client *githubapi.Client, login string) github.Token {
	t.Helper()
	code, err := client.DeviceCode(t.Context())
	require.NoError(t, err)
	require.NoError(t, sim.Approve(code.UserCode, login))
	poll, err := client.PollOnce(t.Context(), code.DeviceCode)
	require.NoError(t, err)
	require.Equal(t, github.PollGranted, poll.Status)
	return poll.Token
}

// requireCode checks the kind of an error, and that it says nothing of what the
// other side wrote.
func requireCode(t *testing.T, err error, code string, passing bool) *apierror.Error {
	t.Helper()
	var e *apierror.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, code, e.Code, "%v", err)
	require.Equal(t, passing, e.Retryable, "%v", err)
	require.NotEmpty(t, e.Message)
	require.NotContains(t, e.Error()+e.Hint, "marker")
	return e
}

// testKey is made once: RSA keys are slow to make.
var testKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func publicPEM(t *testing.T, key *rsa.PrivateKey) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func writeKey(t *testing.T, path string, key *rsa.PrivateKey) {
	t.Helper()
	data := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	require.NoError(t, os.WriteFile(path+".new", data, 0o600))
	require.NoError(t, os.Rename(path+".new", path))
}

func keyFile(t *testing.T, key *rsa.PrivateKey) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "app.pem")
	writeKey(t, path, key)
	return path
}

func TestNewRefusesAMissingOption(t *testing.T) {
	t.Parallel()
	_, err := githubapi.New(githubapi.Options{ClientID: "x"})
	require.Error(t, err)
}

func sec(value string) secret.String { return secret.New(value) }
