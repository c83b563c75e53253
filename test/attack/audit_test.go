package attack_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/githubsim"
	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

// crowded is the real program beside a Hub that knows as many users as a test
// wants: the token "server-of-NAME" is that of NAME's server, and whoever comes
// back from the login with the code NAME is NAME.
type crowded struct {
	program *hubtest.Program
	store   string // its file
	address string // ends with the service's prefix
	github  *githubsim.Server
	asked   atomic.Int64 // whose a token is
	out     lines
}

// lines is what the program has said so far.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.SplitAfter(l.text.String(), "\n")
}

func newCrowded(t *testing.T, settings ...string) *crowded {
	t.Helper()
	c := &crowded{github: rig.NewGitHub(t, githubsim.Options{Interval: time.Second})}
	hub := httptest.NewServer(http.HandlerFunc(c.hub))
	t.Cleanup(hub.Close)
	folder, listen := t.TempDir(), rig.FreeAddress(t)
	c.store = filepath.Join(folder, "store.db")
	env := append([]string{
		"JUPYTERHUB_SERVICE_NAME=" + hubtest.ServiceName, "JUPYTERHUB_API_URL=" + hub.URL + "/hub/api", "JUPYTERHUB_API_TOKEN=server-of-the-service",
		"GHSCOPED_PROXY_URL=" + hub.URL, "GHSCOPED_LISTEN=" + listen, "GHSCOPED_DELIVERY=pull", "GHSCOPED_STORE=bolt:" + c.store,
	}, settings...)
	var err error
	c.program, err = rig.Start(append(env, rig.GitHubEnv(c.github)...), &c.out, service, "serve")
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.program.Stop(15 * time.Second) })
	c.address = "http://" + listen + "/services/" + hubtest.ServiceName + "/"
	require.NoError(t, rig.Answers(hubtest.Context(t), c.address+"healthz", c.program.Done()))
	return c
}

func (c *crowded) hub(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if strings.HasSuffix(r.URL.Path, "/oauth2/token") {
		_ = json.NewEncoder(w).Encode(map[string]string{"token_type": "Bearer", "access_token": "server-of-" + r.FormValue("code")})
		return
	}
	c.asked.Add(1)
	name, known := strings.CutPrefix(r.Header.Get("Authorization"), "token server-of-")
	if !known {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"kind": "user", "name": name, "created": "2026-01-01T00:00:00Z", "groups": []string{},
		"servers": map[string]any{}, "scopes": []string{"access:services!service=" + hubtest.ServiceName, "access:servers!server=" + name + "/", "read:metrics"}})
}

// ask is a request of a program in somebody's server.
func (c *crowded) ask(t *testing.T, user, method, path, body string) (int, http.Header, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, c.address+path, strings.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Authorization", "token server-of-"+user)
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answer.StatusCode, answer.Header, string(said)
}

func (c *crowded) size(t *testing.T) int64 {
	t.Helper()
	info, err := os.Stat(c.store)
	require.NoError(t, err)
	return info.Sys().(*syscall.Stat_t).Blocks * 512 // what the disk gave
}

// withBots are the settings that bot tokens need.
func withBots(t *testing.T) []string {
	t.Helper()
	env, _, err := rig.BotSettings(t.TempDir(), "version: 1\nrules:\n  - name: nightly\n    reason: the nightly job\n"+
		"    callers: [service:nbbot]\n    repositories: [octo-org/shared]\n    permissions: {contents: write}\n")
	require.NoError(t, err)
	return env
}

// TestAuditIsNotDrownedByRefusals: a program of one user asks for bot tokens in a
// loop, with the longest lists that there can be. 400 such requests made 49 MB of
// the store.
func TestAuditIsNotDrownedByRefusals(t *testing.T) {
	t.Parallel()
	const requests = 400
	c := newCrowded(t, withBots(t)...)
	names := make([]string, 500)
	for i := range names {
		names[i] = fmt.Sprintf(`"%s%03d"`, strings.Repeat("z", 198), i)
	}
	body := `{"repositories":[` + strings.Join(names, ",") + `],"permissions":{"contents":"write"}}`
	status, _, said := c.ask(t, "ada", http.MethodPost, "api/bot-tokens", `{"repositories":["octo-org/other"],"permissions":{"contents":"read"}}`)
	require.Equal(t, http.StatusForbidden, status, said)
	before := c.size(t)

	var mu sync.Mutex
	statuses := map[int]int{}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range requests / 8 {
				status, header, _ := c.ask(t, "eve", http.MethodPost, "api/bot-tokens", body)
				mu.Lock()
				statuses[status]++
				mu.Unlock()
				if status == http.StatusTooManyRequests && header.Get("Retry-After") == "" {
					t.Error("429 does not say when")
				}
			}
		})
	}
	all.Wait()
	grown := c.size(t) - before
	require.Equal(t, requests, statuses[http.StatusBadRequest]+statuses[http.StatusTooManyRequests], statuses)
	require.LessOrEqual(t, statuses[http.StatusBadRequest], 30, "20 at once, and a few while the test runs")
	require.Less(t, grown, int64(2<<20))
	status, _, _ = c.ask(t, "ada", http.MethodPost, "api/bot-tokens", `{"repositories":["octo-org/other"],"permissions":{"contents":"read"}}`)
	require.Equal(t, http.StatusForbidden, status, "somebody else's are looked at")

	require.NoError(t, c.program.Stop(15*time.Second))
	var bytes, told int
	for _, line := range c.out.all() {
		if !strings.HasPrefix(line, `{"audit":true`) {
			continue
		}
		require.LessOrEqual(t, len(line), 4096)
		bytes += len(line)
		if strings.Contains(line, `"code":"too_many_refusals"`) {
			told++
			require.Contains(t, line, fmt.Sprintf("%d further requests", statuses[http.StatusTooManyRequests]))
		}
	}
	require.Equal(t, 1, told, "one event says how many there were")
	t.Logf("%d requests: %v; the store grew by %d kB, the audit is %d kB", requests, statuses, grown>>10, bytes>>10)
}

// TestAuditIsNotDrownedByNames are two more of the kind: a path of 60 kB, and the
// name of a server of 60 kB.
func TestAuditIsNotDrownedByNames(t *testing.T) {
	t.Parallel()
	c := newCrowded(t)
	for range 20 {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.address+strings.Repeat("x", 60_000), nil)
		require.NoError(t, err)
		answer, err := http.DefaultClient.Do(request) // nobody at all
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		status, _, said := c.ask(t, "eve", http.MethodPost, "api/flows", `{"servers":["`+strings.Repeat("x", 60_000)+`"]}`)
		require.GreaterOrEqual(t, status, 400, said)
		require.Less(t, status, 500, said)
	}
	require.NoError(t, c.program.Stop(15*time.Second))
	for _, line := range c.out.all() {
		require.Less(t, len(line), 4096)
	}
}

// TestHubIsNotAskedForEachRequestWithABadToken: a program in a loop with a token
// that is nobody's asked the Hub as often.
func TestHubIsNotAskedForEachRequestWithABadToken(t *testing.T) {
	t.Parallel()
	c := newCrowded(t)
	began := time.Now()
	for range 200 {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.address+"api/connection", nil)
		require.NoError(t, err)
		request.Header.Set("Authorization", "token nobodys")
		answer, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.Equal(t, http.StatusUnauthorized, answer.StatusCode)
		require.NoError(t, answer.Body.Close())
	}
	require.LessOrEqual(t, c.asked.Load(), 1+int64(time.Since(began)/(2*time.Second)))
}

// TestFullStoreStopsNothingUnderWay: the disk is full. Nothing new begins, and
// what has begun goes on, up to its revocation.
func TestFullStoreStopsNothingUnderWay(t *testing.T) {
	t.Parallel()
	ctx := hubtest.Context(t)
	c := newCrowded(t, withBots(t)...)
	begin := func(user string) (int, string) {
		status, _, said := c.ask(t, user, http.MethodPost, "api/flows", "")
		var begun struct {
			UserCode string `json:"user_code"`
		}
		require.NoError(t, json.Unmarshal([]byte(said), &begun), said)
		return status, begun.UserCode
	}
	until := func(user, state string) {
		require.Eventually(t, func() bool {
			_, _, said := c.ask(t, user, http.MethodGet, "api/flows/current", "")
			return strings.Contains(said, `"state":"`+state+`"`)
		}, hubtest.Patience, 50*time.Millisecond, "%s is not %s", user, state)
	}
	_, bobs := begin("bob")
	require.NoError(t, c.github.Approve(bobs, "octocat"))
	until("bob", "connected")
	_, adas := begin("ada")
	requireSignIn(t, c, "carol")

	// As if the disk had no more than the file has now.
	limit := syscall.Rlimit{Cur: uint64(c.size(t)), Max: uint64(c.size(t))}
	_, _, errno := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(c.program.PID()), uintptr(syscall.RLIMIT_FSIZE),
		uintptr(unsafe.Pointer(&limit)), 0, 0, 0)
	require.Zero(t, errno)
	var others int
	for status := http.StatusCreated; status != http.StatusServiceUnavailable; others++ {
		require.Less(t, others, 5000)
		status, _ = begin(fmt.Sprint("user", others))
	}
	_, _, said := c.ask(t, "late", http.MethodPost, "api/flows", "")
	require.Contains(t, said, `"store_full"`)
	for range 30 { // the history takes nothing any more, and the lines go on
		c.ask(t, "eve", http.MethodPost, "api/bot-tokens", `{"repositories":["octo-org/other"],"permissions":{"contents":"read"}}`)
	}

	require.NoError(t, c.github.Approve(adas, "octocat"))
	until("ada", "connected")
	status, _, said := c.ask(t, "ada", http.MethodPost, "api/credential", credentialOf(t, c))
	require.Equal(t, http.StatusOK, status, said)
	for _, user := range []string{"ada", "bob"} {
		status, _, said = c.ask(t, user, http.MethodDelete, "api/connection", "")
		require.Equal(t, http.StatusNoContent, status, said)
	}
	require.Eventually(t, func() bool {
		return !slices.ContainsFunc(c.github.Tokens(), func(token githubsim.TokenInfo) bool { return token.State == "live" })
	}, hubtest.Patience, 50*time.Millisecond, "the tokens are revoked")
	requireSignIn(t, c, "dave")
	status, _, said = c.ask(t, "ada", http.MethodGet, "readyz", "")
	require.Equal(t, http.StatusOK, status, said)
	_, _, said = c.ask(t, "ada", http.MethodGet, "metrics", "")
	require.Contains(t, said, "ghscoped_store_full 1")
	require.NoError(t, ctx.Err())
	t.Logf("full after %d users", others)
}

func credentialOf(t *testing.T, c *crowded) string {
	t.Helper()
	at, err := url.Parse(c.github.URL())
	require.NoError(t, err)
	return fmt.Sprintf(`{"protocol":%q,"host":%q}`, at.Scheme, at.Host)
}

// requireSignIn signs somebody in and loads the page.
func requireSignIn(t *testing.T, c *crowded, user string) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	browser := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	get := func(path string) (*http.Response, string) {
		answer, err := browser.Get(c.address + path)
		require.NoError(t, err)
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		return answer, string(body)
	}
	answer, body := get("")
	at, err := answer.Location()
	require.NoError(t, err, body)
	answer, body = get("oauth_callback?code=" + user + "&state=" + at.Query().Get("state"))
	require.Equal(t, http.StatusFound, answer.StatusCode, body)
	answer, body = get("")
	require.Equal(t, http.StatusOK, answer.StatusCode)
	require.Contains(t, body, `id="state"`)
}
