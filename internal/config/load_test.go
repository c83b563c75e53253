package config_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/config"
)

// managed is what JupyterHub 6 sets for a service with a command, and what
// every deployer adds.
func managed(more ...string) []string {
	return append([]string{
		"PATH=/usr/bin",
		"JUPYTERHUB_SERVICE_NAME=connect-github",
		"JUPYTERHUB_SERVICE_URL=http://127.0.0.1:10101",
		"JUPYTERHUB_SERVICE_PREFIX=/services/connect-github/",
		"JUPYTERHUB_API_TOKEN=marker-token",
		"JUPYTERHUB_API_URL=http://127.0.0.1:8081/hub/api",
		"JUPYTERHUB_CLIENT_ID=service-connect-github",
		`JUPYTERHUB_OAUTH_SCOPES=["access:services", "access:services!service=connect-github"]`,
		`JUPYTERHUB_OAUTH_ACCESS_SCOPES=["access:services", "access:services!service=connect-github"]`,
		"JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES=[]", // whatever is allowed
		"JUPYTERHUB_OAUTH_CALLBACK_URL=/services/connect-github/oauth_callback",
		"JUPYTERHUB_HOST=",
		"JUPYTERHUB_BASE_URL=/",
		"JUPYTERHUB_PUBLIC_URL=",
		"JUPYTERHUB_PUBLIC_HUB_URL=",
		"GHSCOPED_CLIENT_ID=Iv23example",
		"GHSCOPED_APP_URL=https://github.com/apps/example",
		"GHSCOPED_PROXY_URL=http://127.0.0.1:8000",
	}, more...)
}

// without drops variables; setting them again afterwards replaces them.
func without(environ []string, names ...string) []string {
	var kept []string
	for _, entry := range environ {
		drop := false
		for _, name := range names {
			drop = drop || len(entry) > len(name) && entry[:len(name)+1] == name+"="
		}
		if !drop {
			kept = append(kept, entry)
		}
	}
	return kept
}

// files is a disk of a few files.
type files map[string]string

func (f files) read(path string) ([]byte, error) {
	if content, ok := f[path]; ok {
		return []byte(content), nil
	}
	return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
}

func load(environ []string, disk files) (config.Config, error) {
	return config.Load("", environ, disk.read)
}

func errorsOf(t *testing.T, err error) config.Errors {
	t.Helper()
	var errs config.Errors
	require.ErrorAs(t, err, &errs)
	return errs
}

func TestLoadDerivesTheIssuers(t *testing.T) {
	t.Parallel()
	for gitHub, actions := range map[string]string{
		"https://github.com":         "https://token.actions.githubusercontent.com",
		"https://octo.ghe.com":       "https://token.actions.octo.ghe.com",
		"https://github.example.org": "https://github.example.org/_services/token",
	} {
		cfg, err := config.Load("", append(managed(), "GHSCOPED_GITHUB_URL="+gitHub, "GHSCOPED_APP_URL="+gitHub+"/apps/x", "GHSCOPED_BOT_POLICY=/file", "GHSCOPED_APP_PRIVATE_KEY_FILE=/file",
			"JUPYTERHUB_PUBLIC_URL=https://hub.example.org/services/x/", "GHSCOPED_BOT_ISSUERS=actions kubernetes, https://gitlab.example.org"), files{"/file": "x"}.read)
		require.NoError(t, err)
		var all []string
		for _, issuer := range cfg.Bot.Issuers {
			all = append(all, issuer.Kind+" "+issuer.URL.String())
		}
		require.Equal(t, []string{"actions " + actions, "kubernetes https://kubernetes.default.svc", "oidc https://gitlab.example.org"}, all)
	}
}

func TestLoadNeedsOnlyTheAppAndTheProxyForAManagedService(t *testing.T) {
	t.Parallel()
	c, err := load(managed(), nil)
	require.NoError(t, err)

	require.Equal(t, "connect-github", c.Service.Name)
	require.Equal(t, "/services/connect-github/", c.Service.Prefix)
	require.Equal(t, "127.0.0.1:10101", c.Service.Listen)
	require.Equal(t, "/services/connect-github/oauth_callback", c.Service.CallbackURL.String())
	require.Nil(t, c.Service.PublicURL)
	require.Equal(t, 8*time.Hour, c.Service.SessionLifetime)
	require.Equal(t, slog.LevelInfo, c.Service.LogLevel)
	require.Equal(t, "marker-token", c.Hub.Token.Value.Reveal())
	require.Equal(t, "http://127.0.0.1:8081/hub/api", c.Hub.APIURL.String())
	require.Equal(t, "/hub/", c.Hub.BrowserURL.String())
	require.Equal(t, "http://127.0.0.1:8000", c.Hub.ProxyURL.String())
	require.True(t, c.Hub.CanStart)
	require.True(t, c.Delivery.GitIdentity)
	require.Equal(t, []string{
		"access:services!service=connect-github",
		"read:users!user", "read:servers!user", "tokens!user", "servers!user",
	}, c.Hub.LoginScopes)
	require.Equal(t, "https://github.com", c.GitHub.URL.String())
	require.Equal(t, "https://api.github.com", c.GitHub.APIURL.String())
	require.Equal(t, config.IdentityAny, c.GitHub.Identity)
	require.Equal(t, config.Push, c.Delivery.Mode)
	require.Equal(t, config.Store{Path: "ghscoped.db", KeyFile: "ghscoped.db.key", MakeKey: true}, c.Store)
}

func TestLoadEnvironmentWinsOverTheFile(t *testing.T) {
	t.Parallel()
	disk := files{"c.yaml": "identity: match\nhub_name: from file\nsession_lifetime: 1h\n"}
	environ := managed("GHSCOPED_CONFIG=c.yaml", "GHSCOPED_HUB_NAME=from environment", "GHSCOPED_SESSION_LIFETIME=2h")

	c, err := load(environ, disk)
	require.NoError(t, err)
	require.Equal(t, config.IdentityMatch, c.GitHub.Identity)
	require.Equal(t, "from environment", c.Page.HubName)
	require.Equal(t, 2*time.Hour, c.Service.SessionLifetime)

	sources := map[string]string{}
	for _, e := range c.Effective() {
		sources[e.Name] = e.Source
	}
	require.Equal(t, "c.yaml line 1", sources["identity"])
	require.Equal(t, "environment GHSCOPED_HUB_NAME", sources["hub_name"])
	require.Equal(t, "default", sources["store"])
}

func TestLoadConfigFlagWinsOverItsVariable(t *testing.T) {
	t.Parallel()
	disk := files{"flag.yaml": "hub_name: flag", "env.yaml": "hub_name: env"}
	c, err := config.Load("flag.yaml", managed("GHSCOPED_CONFIG=env.yaml"), disk.read)
	require.NoError(t, err)
	require.Equal(t, "flag", c.Page.HubName)
}

func TestLoadAcceptsTheNamesOfGhScopedCreds(t *testing.T) {
	t.Parallel()
	environ := append(without(managed(), "GHSCOPED_CLIENT_ID", "GHSCOPED_APP_URL"),
		"GH_SCOPED_CREDS_CLIENT_ID=Iv1old", "GH_SCOPED_CREDS_APP_URL=https://github.com/apps/old")
	c, err := load(environ, nil)
	require.NoError(t, err)
	require.Equal(t, "Iv1old", c.GitHub.ClientID)
	require.Equal(t, "https://github.com/apps/old", c.GitHub.AppURL.String())
}

func TestLoadTakesEveryKindOfValueFromAYAMLFile(t *testing.T) {
	t.Parallel()
	disk := files{"c.yaml": `# what this Hub wants
refresh: true
hub_allowed_scopes:
  - "read:users!user"
  - "tokens!user"
  - "read:servers!user"
git_credentials_path: "~/ask: us"
log_level: debug
hub_name:
`}
	environ := without(managed(), "JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES")
	c, err := config.Load("c.yaml", environ, disk.read)
	require.NoError(t, err)
	require.True(t, c.Delivery.Refresh)
	require.Equal(t, []string{"read:users!user", "tokens!user", "read:servers!user"}, c.Hub.AllowedScopes)
	require.Equal(t, "~/ask: us", c.Delivery.CredentialsPath)
	require.Equal(t, slog.LevelDebug, c.Service.LogLevel)
	require.Empty(t, c.Page.HubName)
}

func TestLoadNamesAnotherGitHubByItsAddress(t *testing.T) {
	t.Parallel()
	for web, api := range map[string]string{
		"https://github.com":         "https://api.github.com",
		"https://octo.ghe.com":       "https://api.octo.ghe.com",
		"https://github.example.org": "https://github.example.org/api/v3",
		"http://127.0.0.1:7000":      "http://127.0.0.1:7000/api/v3",
		"http://[::1]:7000":          "http://[::1]:7000/api/v3",
		"http://localhost:7000":      "http://localhost:7000/api/v3",
	} {
		c, err := load(managed("GHSCOPED_GITHUB_URL="+web+"/", "GHSCOPED_APP_URL="+web+"/apps/x"), nil)
		require.NoError(t, err, web)
		require.Equal(t, web, c.GitHub.URL.String())
		require.Equal(t, api, c.GitHub.APIURL.String())
	}
}

func TestLoadTakesWhatTheDeployerSaysThatTheHubAllows(t *testing.T) {
	t.Parallel()
	c, err := load(managed(`GHSCOPED_HUB_ALLOWED_SCOPES=["read:users!user","read:servers!user","tokens!user","access:servers!user"]`), nil)
	require.NoError(t, err, "the Hub's empty list is no contradiction")
	require.Equal(t, []string{"access:services!service=connect-github", "read:users!user", "read:servers!user", "tokens!user"}, c.Hub.LoginScopes,
		"what opens all servers is never asked for")
	require.False(t, c.Hub.CanStart)
}

func TestLoadTakesTheProxyFromTheHubsPublicAddress(t *testing.T) {
	t.Parallel()
	base := without(managed(), "GHSCOPED_PROXY_URL", "JUPYTERHUB_HOST", "JUPYTERHUB_PUBLIC_HUB_URL", "JUPYTERHUB_OAUTH_CALLBACK_URL")
	for name, test := range map[string]struct {
		more           []string
		proxy, service string
	}{
		"public_url at the Hub": {
			[]string{"JUPYTERHUB_PUBLIC_HUB_URL=https://hub.example.org/jhub/hub/"},
			"https://hub.example.org", "https://hub.example.org/services/connect-github/",
		},
		"a subdomain for each user": {
			[]string{
				"JUPYTERHUB_HOST=https://hub.example.org",
				"JUPYTERHUB_OAUTH_CALLBACK_URL=https://services.hub.example.org/services/connect-github/oauth_callback",
			},
			"https://hub.example.org", "https://services.hub.example.org/services/connect-github/",
		},
		"named": {
			[]string{"JUPYTERHUB_PUBLIC_HUB_URL=https://hub.example.org/hub/", "GHSCOPED_PROXY_URL=http://proxy-public"},
			"http://proxy-public", "https://hub.example.org/services/connect-github/",
		},
	} {
		c, err := load(append(base[:len(base):len(base)], test.more...), nil)
		require.NoError(t, err, name)
		require.Equal(t, name == "a subdomain for each user", c.Service.OwnHost, name)
		require.Equal(t, test.proxy, c.Hub.ProxyURL.String(), name)
		require.Equal(t, test.service, c.Service.PublicURL.String(), name)
	}
}

func TestLoadHostCookiesWhereTheHostIsTheServicesAlone(t *testing.T) {
	t.Parallel()
	base := without(managed(), "JUPYTERHUB_PUBLIC_URL", "JUPYTERHUB_PUBLIC_HUB_URL")
	const own = "JUPYTERHUB_PUBLIC_URL=https://connect-github--service.hub.example.org/services/connect-github/"
	for name, test := range map[string]struct {
		more []string
		want bool
	}{
		"one origin":                            {[]string{"JUPYTERHUB_PUBLIC_HUB_URL=https://hub.example.org/hub/"}, false},
		"one origin, as the deployer wants it":  {[]string{"JUPYTERHUB_PUBLIC_HUB_URL=https://hub.example.org/hub/", "JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED=1"}, true},
		"nobody said, as the deployer wants it": {[]string{"JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED=true"}, true},
		"its own host":                          {[]string{"JUPYTERHUB_PUBLIC_HUB_URL=https://hub.example.org/hub/", own}, true},
		"its own host, over plain http":         {[]string{"JUPYTERHUB_PUBLIC_HUB_URL=http://hub.example.org/hub/", strings.Replace(own, "https", "http", 1)}, false},
		"a host of all services, JupyterHub 4":  {[]string{"JUPYTERHUB_PUBLIC_HUB_URL=https://hub.example.org/hub/", "JUPYTERHUB_PUBLIC_URL=https://services.hub.example.org/services/connect-github/"}, false},
	} {
		c, err := load(append(base[:len(base):len(base)], test.more...), nil)
		require.NoError(t, err, name)
		require.Equal(t, test.want, c.Service.HostCookies, name)
	}
}

func TestLoadCarriesABasePathIntoWhatIsDerived(t *testing.T) {
	t.Parallel()
	environ := append(without(managed(), "JUPYTERHUB_BASE_URL", "JUPYTERHUB_SERVICE_PREFIX", "JUPYTERHUB_OAUTH_CALLBACK_URL"),
		"JUPYTERHUB_BASE_URL=/jhub", "JUPYTERHUB_HOST=https://hub.example.org")
	c, err := load(environ, nil)
	require.NoError(t, err)
	require.Equal(t, "/jhub/services/connect-github/", c.Service.Prefix)
	require.Equal(t, "https://hub.example.org/jhub/hub/", c.Hub.BrowserURL.String())
	require.Equal(t, "/jhub/services/connect-github/oauth_callback", c.Service.CallbackURL.String())
}

func TestLoadAsksForNoServersInPullModeOutsideTheHub(t *testing.T) {
	t.Parallel()
	environ := []string{
		"JUPYTERHUB_SERVICE_NAME=connect-github", "JUPYTERHUB_API_URL=http://hub:8081/hub/api",
		"GHSCOPED_LISTEN=:8080", "GHSCOPED_DELIVERY=pull", "GHSCOPED_HUB_TOKEN_FILE=/secrets/token",
		"GHSCOPED_CLIENT_ID=Iv23example", "GHSCOPED_APP_URL=https://github.com/apps/example",
	}
	c, err := load(environ, files{"/secrets/token": "marker-token\n"})
	require.NoError(t, err)
	require.Equal(t, []string{"access:services!service=connect-github", "read:users!user"}, c.Hub.LoginScopes)
	require.Equal(t, "service-connect-github", c.Hub.ClientID)
	require.Nil(t, c.Hub.ProxyURL)

	environ = append(environ, `JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES=["servers!user","access:servers!user","tokens!user","read:users!user","read:servers!user"]`)
	c, err = load(environ, files{"/secrets/token": "marker-token\n"})
	require.NoError(t, err)
	require.Equal(t, []string{"access:services!service=connect-github", "read:users!user", "read:servers!user"}, c.Hub.LoginScopes)
}

func TestLoadTrimsASecretFileWhichCanBeReadAgain(t *testing.T) {
	t.Parallel()
	disk := files{"/token": " first\n"}
	environ := append(without(managed(), "JUPYTERHUB_API_TOKEN"), "GHSCOPED_HUB_TOKEN_FILE=/token")
	c, err := load(environ, disk)
	require.NoError(t, err)
	require.Equal(t, "first", c.Hub.Token.Value.Reveal())

	disk["/token"] = "second"
	token, err := c.Hub.Token.Reload(disk.read)
	require.NoError(t, err)
	require.Equal(t, "second", token.Reveal())

	delete(disk, "/token")
	_, err = c.Hub.Token.Reload(disk.read)
	require.ErrorContains(t, err, "the file cannot be read")
}

func TestLoadNamesAStoreOfSeveralProcessesByItsAddress(t *testing.T) {
	t.Parallel()
	const address = "rediss://redis:6380/1?password_file=/redis-password"
	c, err := load(managed("GHSCOPED_STORE="+address, "GHSCOPED_KEY_FILE=/keys"), files{"/keys": "k"})
	require.NoError(t, err)
	require.Equal(t, address, c.Store.Redis.String())
	require.Empty(t, c.Store.Path)
	require.Equal(t, "/keys", c.Store.KeyFile)
	require.False(t, c.Store.MakeKey)
}

func TestConfigPrintsNoSecret(t *testing.T) {
	t.Parallel()
	disk := files{"/secret": "marker-secret", "/key": "marker-key", "/policy": "rules: []"}
	c, err := load(managed("GHSCOPED_CLIENT_SECRET_FILE=/secret",
		"GHSCOPED_APP_PRIVATE_KEY_FILE=/key", "GHSCOPED_BOT_POLICY=/policy"), disk)
	require.NoError(t, err)
	printed := fmt.Sprintf("%v %+v %#v %v", c, c, c, c.Effective())
	require.NotContains(t, printed, "marker-")
	require.Contains(t, printed, "[redacted]")
}

func TestWriteHelpNamesEverySetting(t *testing.T) {
	t.Parallel()
	var help bytes.Buffer
	require.NoError(t, config.WriteHelp(&help))
	for _, s := range config.Table() {
		require.Contains(t, help.String(), s.Doc)
		require.NotContains(t, s.Doc, "\n")
	}
}

func TestSettingsUseEveryNameOnce(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, s := range config.Table() {
		for _, name := range append(s.Env, strings.ToLower(s.Name)) {
			require.False(t, seen[name], name)
			seen[name] = true
		}
	}
}
