package githubapi_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/githubapi"
)

// says answers everything alike.
func says(status int, contentType, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

func hijacked(then func(net.Conn)) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		then(conn)
		_ = conn.Close()
	}
}

func endless(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	chunk := []byte(strings.Repeat(" ", 1<<16))
	for {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

func clientOf(t *testing.T, handler http.HandlerFunc, now func() time.Time) *githubapi.Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return newClient(t, options(t, server.URL, now))
}

// calls are one method of each way in which answers are read.
var calls = map[string]func(context.Context, *githubapi.Client) error{
	"device code": func(ctx context.Context, c *githubapi.Client) error { _, err := c.DeviceCode(ctx); return err },
	"poll":        func(ctx context.Context, c *githubapi.Client) error { _, err := c.PollOnce(ctx, sec("dc")); return err },
	"refresh":     func(ctx context.Context, c *githubapi.Client) error { _, err := c.Refresh(ctx, sec("ghr")); return err },
	"exchange": func(ctx context.Context, c *githubapi.Client) error {
		_, err := c.Exchange(ctx, "code", "verifier", "https://hub.test/cb")
		return err
	},
	"account": func(ctx context.Context, c *githubapi.Client) error { _, err := c.Account(ctx, sec("ghu")); return err },
	"access": func(ctx context.Context, c *githubapi.Client) error {
		_, err := c.Access(ctx, sec("ghu"), 0)
		return err
	},
}

func TestErrorsOfGitHubsAreRetryableWhateverTheirForm(t *testing.T) {
	t.Parallel()
	html := "<html><body>marker</body></html>"
	cases := map[string]struct {
		handler http.HandlerFunc
		code    string
	}{
		"500 with JSON":        {says(500, "application/json", `{"message":"marker"}`), "github_unreachable"},
		"502 HTML page":        {says(502, "text/html", html), "github_unreachable"},
		"503 without a body":   {says(503, "", ""), "github_unreachable"},
		"200 HTML page":        {says(200, "text/html", html), "github_bad_answer"},
		"truncated JSON":       {says(200, "application/json", `{"access_token":"marker`), "github_bad_answer"},
		"two JSON documents":   {says(200, "application/json", `{}{}`), "github_bad_answer"},
		"a list for an object": {says(200, "application/json", `["marker"]`), "github_bad_answer"},
		"an empty object":      {says(200, "application/json", `{"installations":0}`), "github_bad_answer"},
		"reset":                {hijacked(func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0) }), "github_unreachable"},
		"a broken body": {hijacked(func(c net.Conn) {
			_, _ = fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{\"acc")
		}), "github_unreachable"},
	}
	for name, tc := range cases {
		for call, do := range calls {
			t.Run(name+" to "+call, func(t *testing.T) {
				t.Parallel()
				err := do(t.Context(), clientOf(t, tc.handler, time.Now))
				if call == "exchange" { // x/oauth2 reads that answer, and tells fewer causes apart
					var e *apierror.Error
					require.ErrorAs(t, err, &e)
					require.True(t, e.Retryable, "%v", err)
					require.NotContains(t, err.Error(), "marker")
					return
				}
				requireCode(t, err, tc.code, true)
			})
		}
	}
}

func TestClientCutsABodyWithoutAnEndOff(t *testing.T) {
	t.Parallel()
	for call, do := range calls {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			requireCode(t, do(t.Context(), clientOf(t, endless, time.Now)), "github_bad_answer", true)
		})
	}
}

func TestClientEndsABlackHoleAtTheDeadline(t *testing.T) {
	t.Parallel()
	hole := func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // else the server does not notice that the client left
		<-r.Context().Done()
	}
	for call, do := range calls {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			client := clientOf(t, hole, time.Now)
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			requireCode(t, do(ctx, client), "github_unreachable", true)
		})
	}
}

func TestClientEndsAnAnswerThatDripsAtTheDeadline(t *testing.T) {
	t.Parallel()
	drip := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for r.Context().Err() == nil {
			_, _ = io.WriteString(w, " ")
			_ = http.NewResponseController(w).Flush()
			time.Sleep(time.Millisecond) // the fault itself
		}
	}
	for call, do := range calls {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			client := clientOf(t, drip, time.Now)
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			code := "github_unreachable"
			if call == "exchange" { // x/oauth2 reads that answer, and tells fewer causes apart
				code = "github_bad_answer"
			}
			requireCode(t, do(ctx, client), code, true)
		})
	}
}

func TestClientFollowsNoRedirectWithAToken(t *testing.T) {
	t.Parallel()
	reached := make(chan string, 10)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { reached <- r.URL.Path }))
	t.Cleanup(elsewhere.Close)
	for call, do := range calls {
		client := clientOf(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		}, time.Now)
		require.Error(t, do(t.Context(), client), call)
	}
	require.Empty(t, reached)
}

func TestClientFollowsNoLinkOutsideTheAPI(t *testing.T) {
	t.Parallel()
	for _, link := range []string{`<https://evil.test/>; rel="next"`, `<http://127.0.0.1:1/api/v3/x>; rel="next"`, `</api/v3/x>; rel="next"`, `<http://[>; rel="next"`} {
		client := clientOf(t, says(200, "application/json", `{"installations":[]}`, "Link", link), time.Now)
		_, err := client.Access(t.Context(), sec("ghu"), 0)
		requireCode(t, err, "github_bad_answer", true)
	}
}

func TestAccessTakesAnEmptyPageForTheLast(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	client := clientOf(t, func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) > 1 {
			w.WriteHeader(http.StatusBadGateway) // else it would be asked for ever
			return
		}
		says(200, "application/json", `{"installations":[]}`, "Link", `<http://`+r.Host+r.URL.RequestURI()+`>; rel="next"`)(w, r)
	}, newClock().Now)
	access, err := client.Access(t.Context(), sec("ghu_x"), 0)
	require.NoError(t, err)
	require.Equal(t, github.AccessNotInstalled, access.State)
}

func TestDeviceCodePageIsGitHubsOwn(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(says(200, "application/json",
		`{"device_code":"d","user_code":"U","verification_uri":"javascript:alert(1)","expires_in":0,"interval":0}`))
	t.Cleanup(server.Close)
	code, err := newClient(t, options(t, server.URL, time.Now)).DeviceCode(t.Context())
	require.NoError(t, err)
	require.Equal(t, server.URL+"/login/device", code.VerificationURI)
	require.Equal(t, 15*time.Minute, code.ExpiresIn)
	require.Equal(t, 5*time.Second, code.Interval)
}

func TestLimitIsRespectedUntilItEnds(t *testing.T) {
	t.Parallel()
	c := newClock()
	cases := map[string]struct {
		status int
		header []string
		body   string
		wait   time.Duration
	}{
		"403 with Retry-After":   {403, []string{"Retry-After", "30"}, `{}`, 30 * time.Second},
		"429 with Retry-After":   {429, []string{"Retry-After", "7"}, `{}`, 7 * time.Second},
		"429 without a time":     {429, nil, `{}`, time.Minute},
		"429 with an HTTP date":  {429, []string{"Retry-After", c.Now().Add(20 * time.Second).UTC().Format(http.TimeFormat), "Date", c.Now().UTC().Format(http.TimeFormat)}, `{}`, 20 * time.Second},
		"403 with nothing left":  {403, []string{"X-RateLimit-Remaining", "0", "X-RateLimit-Reset", fmt.Sprint(c.Now().Add(5 * time.Minute).Unix()), "Date", c.Now().UTC().Format(http.TimeFormat)}, `{}`, 5 * time.Minute},
		"403 that only tells it": {403, nil, `{"message":"You have exceeded a secondary rate limit. marker"}`, time.Minute},
		"a day is an hour":       {429, []string{"Retry-After", "86400"}, `{}`, time.Hour},
		"never is an hour":       {429, []string{"Retry-After", "99999999999"}, `{}`, time.Hour},
		"at once is a second":    {429, []string{"Retry-After", "-4"}, `{}`, time.Second},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			var asked atomic.Int64
			client := clientOf(t, func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				says(tc.status, "application/json", tc.body, tc.header...)(w, r)
			}, c.Now)
			_, err := client.PollOnce(t.Context(), sec("one"))
			require.Equal(t, tc.wait, requireCode(t, err, "github_limited", true).RetryAfter)

			_, err = client.PollOnce(t.Context(), sec("another flow"))
			requireCode(t, err, "github_limited", true)
			_, err = client.DeviceCode(t.Context())
			requireCode(t, err, "github_limited", true)
			require.EqualValues(t, 1, asked.Load(), "GitHub must not be asked again")

			c.Advance(tc.wait)
			_, _ = client.PollOnce(t.Context(), sec("one"))
			require.EqualValues(t, 2, asked.Load())
		})
	}
}

func TestLimitOfOneUserIsNotAnothers(t *testing.T) {
	t.Parallel()
	client := clientOf(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer spent" {
			says(429, "application/json", `{}`, "Retry-After", "60")(w, r)
			return
		}
		says(200, "application/json", `{"id":1,"login":"mona"}`)(w, r)
	}, time.Now)
	_, err := client.Account(t.Context(), sec("spent"))
	requireCode(t, err, "github_limited", true)
	account, err := client.Account(t.Context(), sec("other"))
	require.NoError(t, err)
	require.Equal(t, "mona", account.Login)
}

func TestLimitIsKeptFromTheLastAllowedCall(t *testing.T) {
	t.Parallel()
	c := newClock()
	client := clientOf(t, says(200, "application/json", `{"id":1,"login":"mona"}`, "X-RateLimit-Remaining", "0",
		"X-RateLimit-Reset", fmt.Sprint(c.Now().Add(time.Minute).Unix()), "Date", c.Now().UTC().Format(http.TimeFormat)), c.Now)
	_, err := client.Account(t.Context(), sec("ghu"))
	require.NoError(t, err)
	_, err = client.Account(t.Context(), sec("ghu"))
	requireCode(t, err, "github_limited", true)
}

func TestClientSaysWhatGitHubAsksFor(t *testing.T) {
	t.Parallel()
	headers := make(chan http.Header, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		headers <- r.Header
		says(200, "application/json", `{"id":1,"login":"mona"}`, "X-RateLimit-Remaining", "41", "X-RateLimit-Resource", "core")(w, r)
	}))
	t.Cleanup(server.Close)
	o := options(t, server.URL, time.Now)
	counted := &counts{}
	o.Metrics = counted
	_, err := newClient(t, o).Account(t.Context(), sec("ghu"))
	require.NoError(t, err)
	seen := <-headers
	require.Equal(t, "application/json", seen.Get("Accept"))
	require.Equal(t, "2022-11-28", seen.Get("X-GitHub-Api-Version"))
	require.Equal(t, "ghscoped-service", seen.Get("User-Agent"))
	require.Equal(t, "Bearer ghu", seen.Get("Authorization"))

	require.Equal(t, []string{"user 200", "core 41"}, counted.calls)
}

// counts is a [githubapi.Metrics].
type counts struct{ calls []string }

func (c *counts) Called(endpoint, status string, _ time.Duration) {
	c.calls = append(c.calls, endpoint+" "+status)
}
func (c *counts) SlowedDown() { c.calls = append(c.calls, "slow_down") }
func (c *counts) Remaining(resource string, calls float64) {
	c.calls = append(c.calls, fmt.Sprint(resource, " ", calls))
}
