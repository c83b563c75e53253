package attack_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/githubsim"
	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

// gitHubName is a name that only the proxy can resolve, as in a network whose
// only way out is a proxy.
const gitHubName = "github.test"

// proxy is an HTTP proxy that writes down what it can read.
type proxy struct {
	server *httptest.Server

	mu   sync.Mutex
	seen []string // a line for each request, with its token
}

func newProxy(t *testing.T) *proxy {
	p := &proxy{}
	p.server = httptest.NewServer(p)
	t.Cleanup(p.server.Close)
	return p
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.seen = append(p.seen, strings.TrimSpace(r.Method+" "+r.Host+" "+r.URL.Path+" "+r.Header.Get("Authorization")))
	p.mu.Unlock()
	if r.Method == http.MethodConnect {
		p.tunnel(w, r)
		return
	}
	onward := r.Clone(r.Context())
	onward.RequestURI = ""
	answer, err := (&http.Transport{}).RoundTrip(onward)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer answer.Body.Close()
	for name, values := range answer.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.StatusCode)
	_, _ = io.Copy(w, answer.Body)
}

func (p *proxy) tunnel(w http.ResponseWriter, r *http.Request) {
	_, port, _ := net.SplitHostPort(r.Host)
	to, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer to.Close()
	from, rest, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer from.Close()
	_, _ = io.WriteString(from, "HTTP/1.1 200 OK\r\n\r\n")
	go func() { _, _ = io.Copy(to, rest); _ = to.(*net.TCPConn).CloseWrite() }()
	_, _ = io.Copy(from, bufio.NewReader(to))
}

// others are the requests that were not for GitHub.
func (p *proxy) others() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(p.seen), func(line string) bool { return strings.HasPrefix(line, "CONNECT "+gitHubName+":") })
}

func (p *proxy) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.seen)
}

// env tells programs to use the proxy for everything, in each spelling.
func (p *proxy) env() []string {
	env := []string{"NO_PROXY=", "no_proxy="}
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"} {
		env = append(env, name+"="+p.server.URL, strings.ToLower(name)+"="+p.server.URL)
	}
	return env
}

// unproxied writes loopback addresses in a form that Go's exception for
// loopback does not know: a Hub is usually on another machine.
func unproxied(text string) string { return strings.ReplaceAll(text, "127.0.0.1", "0.0.0.0") }

// TestProxyForGitHubOnly: HTTP_PROXY is set for the service and in a user's
// server, and a person connects, gets the token delivered and uses ghscoped. The
// proxy sees tunnels to GitHub, and nothing of the Hub or of users' servers.
func TestProxyForGitHubOnly(t *testing.T) {
	t.Parallel()
	p, github, authority := newProxy(t), rig.NewGitHub(t, githubsim.Options{Interval: time.Second, TLS: true}), filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(authority, github.CAPEM(), 0o600))
	web, err := url.Parse(github.URL())
	require.NoError(t, err)
	gitHubURL := "https://" + net.JoinHostPort(gitHubName, web.Port())
	hub := hubtest.Options{Users: []string{"ada"}}
	w := rig.NewWorld(t, rig.WorldOptions{Program: service, Hub: hub, GitHub: github, Serve: func(w *rig.World) error {
		w.Env = append(slices.Concat(w.Env, p.env()), "SSL_CERT_FILE="+authority,
			"GHSCOPED_GITHUB_URL="+gitHubURL, "GHSCOPED_APP_URL="+strings.Replace(github.Info().AppURL, github.URL(), gitHubURL, 1),
			"GHSCOPED_PROXY_URL="+unproxied(origin(t, rig.Variable(w.Env, "JUPYTERHUB_PUBLIC_HUB_URL"))),
			"JUPYTERHUB_API_URL="+unproxied(rig.Variable(w.Env, "JUPYTERHUB_API_URL")))
		return w.Run()
	}})
	w.StartServer(t, "ada", "")
	ada := w.Visit(t, "ada") // signs in: the exchange of the Hub's code
	require.Empty(t, p.others(), "signing in")

	before := p.count()
	w.Connect(t, ada, "octocat")
	require.Greater(t, p.count(), before, "GitHub is reached through the proxy")
	require.Eventually(t, func() bool { // by terminal: HTTP and a websocket
		deliveries := rig.Connection(t, ada).Deliveries
		return len(deliveries) == 1 && deliveries[0].State == "delivered"
	}, hubtest.Patience, 50*time.Millisecond)
	require.Empty(t, p.others(), "connecting and delivering")

	t.Run("doctor", func(t *testing.T) {
		said := run(t, w.Env, service, "doctor")
		require.Contains(t, said, "GitHub answers")
		require.Empty(t, p.others(), said)
	})
	t.Run("ghscoped in a user's server", func(t *testing.T) {
		token := w.ServerToken(t, "ada", "")
		env := append(p.env(), "HOME="+t.TempDir(), "PATH="+os.Getenv("PATH"), "SSL_CERT_FILE="+authority, "GHSCOPED_GITHUB_URL="+gitHubURL,
			"JUPYTERHUB_API_TOKEN="+token, "JUPYTERHUB_API_URL="+unproxied(w.Hub.APIURL), "GHSCOPED_URL="+unproxied(w.Hub.ServiceURL))
		require.Contains(t, run(t, env, command, "status"), "octocat")
		run(t, env, command, "doctor")
		require.Empty(t, p.others())
	})
}

// run runs a program to its end, whatever its exit code, and returns what it
// said.
func run(t *testing.T, env []string, program string, args ...string) string {
	t.Helper()
	running := exec.CommandContext(hubtest.Context(t), program, args...)
	running.Env, running.Dir = env, t.TempDir()
	said, err := running.CombinedOutput()
	require.NotNil(t, running.ProcessState, "%v", err)
	return string(said)
}

func origin(t *testing.T, address string) string {
	parsed, err := url.Parse(address)
	require.NoError(t, err)
	return parsed.Scheme + "://" + parsed.Host
}
