package githubsim_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptrace"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/githubsim"
)

// clock is a time that only moves when told.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func start(t *testing.T, change ...func(*githubsim.Options)) *githubsim.Server {
	t.Helper()
	c := &clock{now: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)}
	o := githubsim.Options{Clock: c.Now}
	for _, f := range change {
		f(&o)
	}
	sim := githubsim.New(o)
	require.NoError(t, sim.Start())
	t.Cleanup(func() { require.NoError(t, sim.Close()) })
	return sim
}

type answer struct {
	status int
	header http.Header
	body   map[string]any
	list   []any
	raw    string
}

func (a answer) str(key string) string { v, _ := a.body[key].(string); return v }

// send makes one JSON request. auth is a whole Authorization header.
func send(t *testing.T, method, address, auth string, body any) answer {
	t.Helper()
	a, err := trySend(method, address, auth, body)
	require.NoError(t, err)
	return a
}

func trySend(method, address, auth string, body any) (answer, error) {
	var in io.Reader
	kind := "application/json"
	switch b := body.(type) {
	case nil:
	case url.Values:
		in, kind = strings.NewReader(b.Encode()), "application/x-www-form-urlencoded"
	default:
		raw, _ := json.Marshal(b)
		in = bytes.NewReader(raw)
	}
	r, err := http.NewRequest(method, address, in)
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("Content-Type", kind)
	r.Header.Set("Accept", "application/json")
	if auth != "" {
		r.Header.Set("Authorization", auth)
	}
	// On a connection that was used before, net/http repeats a GET that was reset.
	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	a := answer{status: res.StatusCode, header: res.Header, raw: string(raw)}
	if json.Unmarshal(raw, &a.body) != nil {
		_ = json.Unmarshal(raw, &a.list)
	}
	return a, err
}

const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

func deviceCode(t *testing.T, sim *githubsim.Server) answer {
	t.Helper()
	a := send(t, "POST", sim.URL()+"/login/device/code", "", url.Values{"client_id": {githubsim.DefaultClientID}})
	require.Equal(t, 200, a.status, a.raw)
	return a
}

func exchange(t *testing.T, sim *githubsim.Server, kv ...string) answer {
	t.Helper()
	form := url.Values{"client_id": {githubsim.DefaultClientID}}
	for i := 0; i < len(kv); i += 2 {
		form.Set(kv[i], kv[i+1])
	}
	return send(t, "POST", sim.URL()+"/login/oauth/access_token", "", form)
}

func poll(t *testing.T, sim *githubsim.Server, code string, kv ...string) answer {
	t.Helper()
	return exchange(t, sim, append([]string{"grant_type", deviceGrant, "device_code", code}, kv...)...)
}

// userToken runs a whole device flow.
func userToken(t *testing.T, sim *githubsim.Server, login string, kv ...string) answer {
	t.Helper()
	d := deviceCode(t, sim)
	require.NoError(t, sim.Approve(d.str("user_code"), login))
	a := poll(t, sim, d.str("device_code"), kv...)
	require.NotEmpty(t, a.str("access_token"), a.raw)
	return a
}

// browser is a person with cookies who follows redirects and fills in forms.
type browser struct {
	t    *testing.T
	http *http.Client
	base string
	page string
	at   *url.URL
	code int
}

func newBrowser(t *testing.T, sim *githubsim.Server, login string) *browser {
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	b := &browser{t: t, base: sim.URL(), http: &http.Client{Jar: jar}}
	b.get("/login")
	b.post("/session", "login", login)
	require.Contains(t, b.page, `id="signed-in-as">`+login)
	return b
}

func (b *browser) get(path string) {
	b.t.Helper()
	res, err := b.http.Get(b.base + path)
	b.read(res, err)
}

func (b *browser) post(path string, kv ...string) {
	b.t.Helper()
	form := url.Values{}
	for i := 0; i < len(kv); i += 2 {
		form.Add(kv[i], kv[i+1])
	}
	if m := regexp.MustCompile(`name="authenticity_token" value="(\w+)"`).FindStringSubmatch(b.page); m != nil {
		form.Set("authenticity_token", m[1])
	}
	res, err := b.http.PostForm(b.base+path, form)
	b.read(res, err)
}

func (b *browser) read(res *http.Response, err error) {
	b.t.Helper()
	require.NoError(b.t, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	require.NoError(b.t, err)
	b.page, b.at, b.code = string(raw), res.Request.URL, res.StatusCode
}

// git runs the real git as nobody's user, with one token for the simulator.
func git(t *testing.T, dir, token string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "credential.helper=", "-c", "credential.helper=!f() { echo username=x-access-token; echo password=$TOKEN; }; f",
		"-c", "user.name=T", "-c", "user.email=t@example.org"}, args...)...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "TOKEN=" + token, "LC_ALL=C"}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestLatencyPassesBeforeAndAfterTheWork(t *testing.T) {
	t.Parallel()
	const longest = 400 * time.Millisecond
	sim := start(t, func(o *githubsim.Options) { o.Clock, o.Latency = time.Now, longest })
	for range 5 {
		began := time.Now()
		code := send(t, http.MethodPost, sim.URL()+"/login/device/code", "", url.Values{"client_id": {githubsim.DefaultClientID}})
		ended := time.Now()
		require.Equal(t, http.StatusOK, code.status)
		require.GreaterOrEqual(t, ended.Sub(began), longest/4)
		codes := sim.Stats().DeviceCodes
		issued := codes[len(codes)-1].IssuedAt
		require.GreaterOrEqual(t, issued.Sub(began), longest/8)
		require.GreaterOrEqual(t, ended.Sub(issued), longest/8)
	}
}

func TestLatencyDoesNotUndoWhatACallerLeft(t *testing.T) {
	t.Parallel()
	sim := start(t, func(o *githubsim.Options) { o.Latency = 400 * time.Millisecond })
	ctx, leave := context.WithCancel(t.Context())
	body := strings.NewReader(url.Values{"client_id": {githubsim.DefaultClientID}}.Encode())
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, sim.URL()+"/login/device/code", body)
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r = r.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { leave() }}))
	_, err = http.DefaultClient.Do(r)
	require.ErrorIs(t, err, context.Canceled)
	require.Eventually(t, func() bool { return len(sim.Stats().DeviceCodes) == 1 }, time.Minute, 10*time.Millisecond)
}
