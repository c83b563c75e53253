package hubapi_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/hubapi"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// serve answers like a user's server behind the Hub's proxy.
func serve(t *testing.T, handler http.HandlerFunc) *hubapi.UserServer {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	base, err := url.Parse(server.URL + "/jhub/user/a%2Bb@x.org/gpu%20test/")
	require.NoError(t, err)
	return hubapi.NewUserServer(hub.Address{URL: base}, secret.New("the-token"), server.Client())
}

func TestCallsGoToTheServersPathWithTheToken(t *testing.T) {
	t.Parallel()
	var seen, body string
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		content, _ := io.ReadAll(r.Body)
		seen, body = r.Method+" "+r.RequestURI+" "+r.Header.Get("Authorization"), string(content)
		_, _ = io.WriteString(w, `{"name": "7", "id": "k/1"}`)
	})
	const base = " /jhub/user/a%2Bb@x.org/gpu%20test/"

	name, err := server.StartTerminal(t.Context(), []string{"/bin/sh", "-c", "exit"})
	require.NoError(t, err)
	require.Equal(t, "7", name)
	require.Equal(t, "POST"+base+"api/terminals token the-token", seen)
	require.JSONEq(t, `{"shell_command": ["/bin/sh", "-c", "exit"]}`, body)

	_, err = server.StartTerminal(t.Context(), nil)
	require.NoError(t, err)
	require.JSONEq(t, `{}`, body)

	id, err := server.StartKernel(t.Context(), "python3")
	require.NoError(t, err)
	require.JSONEq(t, `{"name": "python3"}`, body)
	require.NoError(t, server.DeleteKernel(t.Context(), id))
	require.Equal(t, "DELETE"+base+"api/kernels/k%2F1 token the-token", seen)
}

func TestKernelSpecs(t *testing.T) {
	t.Parallel()
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"default": "ir", "kernelspecs": {"ir": {"spec": {"language": "R"}}, "py": {"spec": {"language": "python"}}, "odd": {}}}`)
	})
	specs, err := server.KernelSpecs(t.Context())
	require.NoError(t, err)
	require.Equal(t, hubapi.KernelSpecs{Default: "ir", Languages: map[string]string{"ir": "R", "py": "python", "odd": ""}}, specs)
}

func TestUserServerDeletesNothingThatIsGone(t *testing.T) {
	t.Parallel()
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
	require.NoError(t, server.DeleteTerminal(t.Context(), "1"))
	require.NoError(t, server.DeleteKernel(t.Context(), "1"))
}

func TestUserServerFollowsNoRedirectWithTheToken(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	t.Cleanup(elsewhere.Close)
	server := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) })

	_, err := server.StartTerminal(t.Context(), nil)
	require.Equal(t, http.StatusFound, hubapi.Status(err))
	_, err = server.DialTerminal(t.Context(), "1")
	require.Equal(t, http.StatusFound, hubapi.Status(err))
	_, err = server.DialKernel(t.Context(), "1", "session")
	require.Equal(t, http.StatusFound, hubapi.Status(err))
}

func TestUserServerKeepsTheStatusOfARefusal(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 401, 403, 404, 424, 429, 500, 503} {
		server := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		_, err := server.KernelSpecs(t.Context())
		require.Equal(t, status, hubapi.Status(err))
		_, err = server.DialTerminal(t.Context(), "1")
		require.Equal(t, status, hubapi.Status(err))
	}
}

func TestRetryAfterIsAnHourAtMost(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]time.Duration{
		"40": 40 * time.Second, "3600": time.Hour, "86400": time.Hour, "9223372036854775807": time.Hour, "10000000000": time.Hour,
		"": 0, "0": 0, "-1": 0, "soon": 0, "99999999999999999999": 0,
	} {
		server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", said)
			w.WriteHeader(http.StatusTooManyRequests)
		})
		_, err := server.KernelSpecs(t.Context())
		var unavailable *hub.UnavailableError
		require.ErrorAs(t, err, &unavailable)
		require.Equal(t, want, unavailable.RetryAfter, "%q", said)
	}
}

func TestUserServerCutsAnAnswerWithoutEnd(t *testing.T) {
	t.Parallel()
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"name": "`)
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, strings.Repeat("x", 64<<10)); err != nil {
				return
			}
		}
	})
	_, err := server.StartTerminal(t.Context(), nil)
	var unavailable *hub.UnavailableError
	require.ErrorAs(t, err, &unavailable)
}

func TestUserServerWebsocketCarriesTheTokenAndLimitsMessages(t *testing.T) {
	t.Parallel()
	seen := make(chan string, 1)
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		seen <- r.URL.EscapedPath() + " " + r.Header.Get("Authorization")
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		_ = conn.Write(r.Context(), websocket.MessageText, []byte(strings.Repeat("x", 2<<20)))
		_, _, _ = conn.Read(r.Context())
	})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	conn, err := server.DialTerminal(ctx, "1")
	require.NoError(t, err)
	require.Equal(t, "/jhub/user/a%2Bb@x.org/gpu%20test/terminals/websocket/1 token the-token", <-seen)
	_, _, err = conn.Read(ctx)
	require.ErrorIs(t, err, websocket.ErrMessageTooBig)
}
