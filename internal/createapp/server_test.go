package createapp_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/createapp"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// TestServerAnswersItsOwnNameOnly: a page that somebody else lets lead to this
// port (DNS rebinding) reads neither the form with its state, nor gives a code.
func TestServerAnswersItsOwnNameOnly(t *testing.T) {
	t.Parallel()
	server, err := createapp.Listen(createapp.Options{
		Name: "App", GitHub: &url.URL{Scheme: "https", Host: "github.com"},
		Hub: &url.URL{Scheme: "https", Host: "hub.example.org", Path: "/"}, Service: "connect-github",
	}, "127.0.0.1:0")
	require.NoError(t, err)
	codes := make(chan secret.String, 1)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if code, err := server.Code(ctx); err == nil {
			codes <- code
		}
	}()
	t.Cleanup(func() { cancel(); <-ended })
	own, err := url.Parse(server.URL())
	require.NoError(t, err)
	get := func(host, path string) (int, string) {
		request, err := http.NewRequest(http.MethodGet, server.URL()+path, nil)
		require.NoError(t, err)
		request.Host = host
		answer, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		return answer.StatusCode, string(body)
	}
	status, form := get(own.Host, "")
	require.Equal(t, http.StatusOK, status)
	_, state, found := strings.Cut(form, "state=")
	require.True(t, found, form)
	state, _, _ = strings.Cut(state, `"`)

	for name, host := range map[string]string{
		"another name": "evil.example.org", "another name, our port": "evil.example.org:" + own.Port(), "localhost": "localhost:" + own.Port(),
		"another port": "127.0.0.1:1", "no port": "127.0.0.1", "our address as a label": own.Hostname() + ".evil.example.org:" + own.Port(),
	} {
		for _, path := range []string{"", "created?code=c&state=" + state, "elsewhere"} {
			status, body := get(host, path)
			require.Equal(t, http.StatusNotFound, status, "%s: %s", name, path)
			require.NotContains(t, body, state, name)
		}
	}
	require.Empty(t, codes, "nothing was taken from another name")

	status, _ = get(own.Host, "created?code=c&state="+state)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "c", (<-codes).Reveal())
}

func TestManifestBringsPeopleBackToThePage(t *testing.T) {
	t.Parallel()
	text, err := createapp.Options{Hub: &url.URL{Scheme: "https", Host: "hub.example.org", Path: "/base/"}, Service: "connect-github"}.Manifest("http://127.0.0.1/x")
	require.NoError(t, err)
	require.Contains(t, text, `"setup_url":"https://hub.example.org/base/services/connect-github/"`)
}
