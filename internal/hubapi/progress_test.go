package hubapi_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/hubapi"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// What a JupyterHub 6.1.1 sends, empty keep-alive lines included.
const (
	spawning = "\n\ndata: {\"progress\": 0, \"message\": \"Server requested\"}\n\n" +
		"data: {\"progress\": 50, \"message\": \"Spawning server...\"}\n\n"
	ready  = `data: {"progress": 100, "ready": true, "message": "Server ready at /user/ada/", "html_message": "Server ready at <a href=\"/user/ada/\">/user/ada/</a>", "url": "/user/ada/"}` + "\n\n"
	failed = `data: {"progress": 100, "failed": true, "message": "Spawn failed: No space", "html_message": "<b>no</b>"}` + "\n\n"
)

// stream is an answer with a body that continues after text, until it is closed.
type stream struct {
	handle func(*http.Request) *http.Response
}

func (s stream) RoundTrip(r *http.Request) (*http.Response, error) { return s.handle(r), nil }

func endless(r *http.Request, text string) io.ReadCloser {
	read, write := io.Pipe()
	go func() { _, _ = io.WriteString(write, text) }()
	context.AfterFunc(r.Context(), func() { _ = read.CloseWithError(r.Context().Err()) })
	return read
}

func clientOf(t *testing.T, handle func(*http.Request) *http.Response) *hubapi.Client {
	t.Helper()
	api, err := url.Parse("http://hub.test/hub/api")
	require.NoError(t, err)
	return hubapi.New(api, api, nil, &http.Client{Transport: stream{handle}}, nil)
}

func TestProgressIsTheLastWordOnAStartingServer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text    string
		message string
		ready   bool
		within  time.Duration
	}{
		"on its way: after a second":          {spawning, "Spawning server...", false, time.Second},
		"ready: at once":                      {spawning + ready, "Server ready at /user/ada/", true, 0},
		"failed: at once":                     {spawning + failed, "Spawn failed: No space", false, 0},
		"silence":                             {"", "", false, time.Second},
		"no JSON":                             {"data: <html>\n\nevent: x\n: comment\n\n", "", false, time.Second},
		"control characters become spaces":    {"data: {\"message\": \"a\\u001b[31m\\n b\"}\n\n", "a [31m b", false, time.Second},
		"a line longer than any Hub's is cut": {"data: {\"message\": \"" + strings.Repeat("ü", 1000) + "\"}\n\n", strings.Repeat("ü", 299) + "…", false, time.Second},
		"a body without end":                  {"data: " + strings.Repeat("x", 1<<20), "", false, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				client := clientOf(t, func(r *http.Request) *http.Response {
					require.Equal(t, "token the-token", r.Header.Get("Authorization"))
					return &http.Response{StatusCode: http.StatusOK, Body: endless(r, c.text)}
				})
				began := time.Now()
				message, ready, err := client.Progress(t.Context(), secret.New("the-token"), "ada", "")
				require.NoError(t, err)
				require.Equal(t, c.message, message)
				require.True(t, utf8.ValidString(message))
				require.Equal(t, c.ready, ready)
				require.LessOrEqual(t, time.Since(began), c.within)
			})
		})
	}
}

func TestProgressAsksForTheRightServer(t *testing.T) {
	t.Parallel()
	for server, want := range map[string]string{
		"":         "/hub/api/users/o%27malley/server/progress",
		"gpu test": "/hub/api/users/o%27malley/servers/gpu%20test/progress",
	} {
		client := clientOf(t, func(r *http.Request) *http.Response {
			require.Equal(t, want, r.URL.EscapedPath())
			return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(ready))}
		})
		_, is, err := client.Progress(t.Context(), secret.New("t"), "o'malley", server)
		require.NoError(t, err)
		require.True(t, is)
	}
}

func TestProgressThatTheHubRefuses(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]error{
		http.StatusBadRequest:   nil, // it is not starting
		http.StatusNotFound:     nil, // it never was
		http.StatusUnauthorized: hub.ErrUnauthorized,
		http.StatusForbidden:    hub.ErrForbidden,
	} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
			t.Cleanup(server.Close)
			api, err := url.Parse(server.URL)
			require.NoError(t, err)
			_, _, err = hubapi.New(api, api, nil, server.Client(), nil).Progress(t.Context(), secret.New("t"), "ada", "")
			require.ErrorIs(t, err, want)
		})
	}
}
