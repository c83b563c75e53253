package webaddr_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/webaddr"
)

func TestGitHubAPIFollowsFromTheWebAddress(t *testing.T) {
	t.Parallel()
	for web, api := range map[string]string{
		"https://github.com":              "https://api.github.com",
		"https://github.com/":             "https://api.github.com",
		"https://GitHub.com":              "https://api.github.com",
		"https://github.com:443":          "https://api.github.com",
		"https://github.com.":             "https://api.github.com",
		"https://octo.ghe.com":            "https://api.octo.ghe.com",
		"https://OCTO.ghe.com:8443/":      "https://api.octo.ghe.com:8443",
		"https://github.example.org":      "https://github.example.org/api/v3",
		"https://github.example.org:8443": "https://github.example.org:8443/api/v3",
		"https://ghe.com":                 "https://ghe.com/api/v3",
		"https://notghe.com":              "https://notghe.com/api/v3",
		"https://github.com.evil.test":    "https://github.com.evil.test/api/v3",
		"http://127.0.0.1:8080/":          "http://127.0.0.1:8080/api/v3",
		"http://[::1]:8080":               "http://[::1]:8080/api/v3",
	} {
		u, err := url.Parse(web)
		require.NoError(t, err)
		require.Equal(t, api, webaddr.GitHubAPI(u).String(), web)
	}
}

func TestActionsIssuerFollowsFromTheWebAddress(t *testing.T) {
	t.Parallel()
	for web, issuer := range map[string]string{
		"https://github.com":           "https://token.actions.githubusercontent.com",
		"https://GitHub.com:443/":      "https://token.actions.githubusercontent.com",
		"https://octo.ghe.com":         "https://token.actions.octo.ghe.com",
		"https://github.example.org":   "https://github.example.org/_services/token",
		"https://github.com.evil.test": "https://github.com.evil.test/_services/token",
	} {
		u, err := url.Parse(web)
		require.NoError(t, err)
		require.Equal(t, issuer, webaddr.ActionsIssuer(u).String(), web)
	}
}

func TestPrivateIsHTTPSOrThisMachine(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"https://github.com":            true,
		"http://localhost:9":            true,
		"http://127.0.0.1:9":            true,
		"http://127.8.8.8":              true,
		"http://[::1]:9":                true,
		"http://github.com":             false,
		"http://10.0.0.1":               false,
		"http://localhost.evil.test":    false,
		"http://127.0.0.1.evil.test":    false,
		"ssh://127.0.0.1":               false,
		"https:///path":                 false,
		"http://127.0.0.1@evil.test/":   false,
		"http://[::ffff:127.0.0.1]:123": true,
	} {
		u, err := url.Parse(address)
		require.NoError(t, err)
		require.Equal(t, want, webaddr.Private(u), address)
	}
	require.False(t, webaddr.Private(nil))
}

func TestCanonicalHost(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ scheme, host, want string }{
		{"https", "github.com", "github.com"},
		{"https", "GitHub.COM", "github.com"},
		{"https", "github.com:443", "github.com"},
		{"https", "github.com:", "github.com"},
		{"https", "github.com:000443", "github.com"},
		{"https", "GitHub.com.:0443", "github.com"},
		{"https", "github.com:80", "github.com:80"},
		{"https", "github.com:08443", "github.com:8443"},
		{"https", "github.com:00", "github.com:0"},
		{"http", "localhost:80", "localhost"},
		{"http", "localhost:443", "localhost:443"},
		{"ssh", "github.com:443", "github.com:443"},
		{"https", "github.com..", "github.com."},
		{"https", "github.com:443:443", "github.com:443"},
		{"https", "github.com:+443", "github.com:+443"},
		{"https", "[::1]", "[::1]"},
		{"https", "[::A]:443", "[::a]"},
		{"https", "[::1]:", "[::1]"},
		{"https", "[::1]:8443", "[::1]:8443"},
		{"https", "\u212a.example", "\u212a.example"},
		{"https", "B\u00dcCHER.example", "b\u00dccher.example"},
		{"https", "\xff.example", "\xff.example"},
		{"https", ".", ""},
		{"https", ":443", ""},
		{"https", "", ""},
	} {
		require.Equal(t, test.want, webaddr.CanonicalHost(test.scheme, test.host), test.host)
	}
}

func TestSameHostOfNothing(t *testing.T) {
	t.Parallel()
	require.False(t, webaddr.SameHost("https", "", ""))
	require.False(t, webaddr.SameHost("https", ":443", "."))
}

func TestGitHubGraphQLIsBesideTheAPIOfAnEnterpriseServer(t *testing.T) {
	t.Parallel()
	for web, graphQL := range map[string]string{
		"https://github.com":           "https://api.github.com/graphql",
		"https://github.com/":          "https://api.github.com/graphql",
		"https://octo.ghe.com":         "https://api.octo.ghe.com/graphql",
		"https://github.example.org":   "https://github.example.org/api/graphql",
		"https://github.example.org/":  "https://github.example.org/api/graphql",
		"http://127.0.0.1:8080":        "http://127.0.0.1:8080/api/graphql",
		"https://host.test/behind/one": "https://host.test/behind/one/api/graphql",
	} {
		address, err := url.Parse(web)
		require.NoError(t, err)
		require.Equal(t, graphQL, webaddr.GitHubGraphQL(webaddr.GitHubAPI(address)).String(), web)
	}
}
