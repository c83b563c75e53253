package hubapi_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/hubapi"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// at is a client whose proxy is at one place, and whose Hub browsers see at
// another; public may be empty.
func at(t *testing.T, proxy, public string) *hubapi.Client {
	t.Helper()
	proxyURL, err := url.Parse(proxy)
	require.NoError(t, err)
	var publicURL *url.URL
	if public != "" {
		publicURL, err = url.Parse(public)
		require.NoError(t, err)
	}
	return hubapi.New(proxyURL, proxyURL, publicURL, http.DefaultClient, nil)
}

func TestAddressIsAtTheProxyUnderTheServersOwnHost(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ public, named, path, host string }{
		{"", "/user/ada/", "/user/ada/", ""},
		{"", "/jhub/user/a%2Bb@x.org/gpu%20test", "/jhub/user/a%2Bb@x.org/gpu%20test/", ""},
		{"https://hub.example.org", "/user/ada/", "/user/ada/", ""},
		{"https://hub.example.org", "https://ada.hub.example.org/user/ada/", "/user/ada/", "ada.hub.example.org"},
		{"https://Hub.example.org", "https://ada.hub.example.org/user/ada/", "/user/ada/", "ada.hub.example.org"},
		{"http://hub.example.org:8000", "http://o_27malley.hub.example.org:8000/jhub/user/o%27malley/gpu%20test/", "/jhub/user/o%27malley/gpu%20test/", "o_27malley.hub.example.org:8000"},
	} {
		address, err := at(t, "http://proxy:80", test.public).Address(hub.Server{URL: test.named})
		require.NoError(t, err, test.named)
		require.Equal(t, "http://proxy:80"+test.path, address.URL.String(), test.named)
		require.Equal(t, test.host, address.Host, test.named)
	}
}

func TestAddressThatLeadsElsewhereIsRefused(t *testing.T) {
	t.Parallel()
	for what, named := range map[string]string{
		"nothing":                      "",
		"no path from the root":        "user/ada/",
		"a host without a scheme":      "//evil.example/user/ada/",
		"a host as a path":             "https://ada.hub.example.org//evil.example/",
		"another host":                 "https://evil.example/user/ada/",
		"a host that ends alike":       "https://evilhub.example.org/user/ada/",
		"a host that begins alike":     "https://ada.hub.example.org.evil.example/user/ada/",
		"the Hub's own host":           "https://hub.example.org/user/ada/",
		"a subdomain without a name":   "https://.hub.example.org/user/ada/",
		"a name and a password":        "https://ada:x@ada.hub.example.org/user/ada/",
		"the host as a name":           "https://ada.hub.example.org@evil.example/user/ada/",
		"another port":                 "https://ada.hub.example.org:8443/user/ada/",
		"another scheme":               "http://ada.hub.example.org/user/ada/",
		"no scheme":                    "//ada.hub.example.org/user/ada/",
		"no host":                      "https:///user/ada/",
		"a scheme and a path of sorts": "https:user/ada/",
		"a script":                     "javascript:alert(1)",
		"a line's end":                 "https://ada.hub.example.org\r\n/user/ada/",
	} {
		_, err := at(t, "http://proxy", "https://hub.example.org").Address(hub.Server{URL: named})
		require.Error(t, err, what)
	}
	_, err := at(t, "http://proxy", "").Address(hub.Server{URL: "https://ada.hub.example.org/user/ada/"})
	require.ErrorContains(t, err, "ada.hub.example.org", "the Hub's own host is not known")
}

func TestCallsAndWebsocketsGoToTheProxyWithTheServersHost(t *testing.T) {
	t.Parallel()
	seen := make(chan string, 2)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen <- r.Host + r.URL.Path
		if r.Header.Get("Upgrade") == "" {
			_, _ = w.Write([]byte(`{"name": "1"}`))
		} else if conn, err := websocket.Accept(w, r, nil); err == nil {
			_ = conn.CloseNow()
		}
	}))
	t.Cleanup(proxy.Close)
	address, err := at(t, proxy.URL, "http://hub.example.org").Address(hub.Server{URL: "http://ada.hub.example.org/user/ada/"})
	require.NoError(t, err)
	server := hubapi.NewUserServer(address, secret.New("the-token"), proxy.Client())

	name, err := server.StartTerminal(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, "ada.hub.example.org/user/ada/api/terminals", <-seen)
	conn, err := server.DialTerminal(t.Context(), name)
	require.NoError(t, err)
	require.NoError(t, conn.CloseNow())
	require.Equal(t, "ada.hub.example.org/user/ada/terminals/websocket/1", <-seen)
}
