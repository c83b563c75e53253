package config

import (
	"strings"
	"time"
)

// Setting is one row of the table.
type Setting struct {
	// Name is the flag without its dash; the YAML key has "_" for "-".
	Name string
	// Env are the environment variables, any of which may be used.
	Env []string
	// Group is the heading under which the setting is documented.
	Group string
	// Default is the value when nobody sets one; Derived says in words where
	// it is taken from otherwise.
	Default, Derived string
	// Doc is one line.
	Doc string
	// Required is what to do when it is not set; empty: optional.
	Required string
	// EnvOnly: neither a flag nor a key, since command lines and configuration
	// files are read by too many.
	EnvOnly bool

	bind func(*Config, ReadFile) value
}

// Key is the setting's name in the YAML file.
func (s Setting) Key() string { return strings.ReplaceAll(s.Name, "-", "_") }

// ReadFile reads a whole file, as os.ReadFile does.
type ReadFile func(path string) ([]byte, error)

// Table is every setting, in the order in which they are documented. The
// variable is GHSCOPED_ and the name, unless the row says otherwise.
func Table() []Setting {
	var table []Setting
	for _, group := range []struct {
		name string
		rows []Setting
	}{
		{"GitHub App", githubRows()},
		{"JupyterHub", hubRows()},
		{"This service", serviceRows()},
		{"Store", storeRows()},
		{"Delivery", deliveryRows()},
		{"Page", pageRows()},
		{"Bot tokens", botRows()},
	} {
		for _, row := range group.rows {
			row.Group = group.name
			row.Env = variablesOf(row)
			table = append(table, row)
		}
	}
	return table
}

func variablesOf(row Setting) []string {
	own := "GHSCOPED_" + strings.ToUpper(strings.ReplaceAll(row.Name, "-", "_"))
	if len(row.Env) > 0 && (row.Env[0] == own || strings.HasPrefix(row.Env[0], "JUPYTERHUB_")) {
		return row.Env
	}
	return append([]string{own}, row.Env...)
}

func githubRows() []Setting {
	return []Setting{
		{Name: "client-id", Env: []string{"GH_SCOPED_CREDS_CLIENT_ID"}, Doc: "client id of the GitHub App",
			Required: "take it from the App's settings page at GitHub",
			bind:     func(c *Config, _ ReadFile) value { return wordValue{&c.GitHub.ClientID} }},
		{Name: "app-url", Env: []string{"GH_SCOPED_CREDS_APP_URL"}, Doc: "public page of the GitHub App, as in https://github.com/apps/NAME",
			Required: "take the public link from the App's settings page at GitHub",
			bind:     func(c *Config, _ ReadFile) value { return urlValue{to: &c.GitHub.AppURL, rule: safeHTTP} }},
		{Name: "client-secret-file", Doc: "file with the App's client secret; enables the web flow, where no code is typed",
			bind: func(c *Config, read ReadFile) value { return secretFileValue{&c.GitHub.ClientSecret, read} }},
		{Name: "identity", Default: string(IdentityAny), Doc: "whose approval counts: any GitHub account, the one bound at first use (bound), or only the one whose login equals the Hub name (match)",
			bind: func(c *Config, _ ReadFile) value {
				return choiceValue[Identity]{&c.GitHub.Identity, []Identity{IdentityAny, IdentityBound, IdentityMatch}}
			}},
		{Name: "github-url", Default: "https://github.com", Doc: "GitHub's web address; a GitHub Enterprise Server or ghe.com address works. https, or http on loopback",
			bind: func(c *Config, _ ReadFile) value {
				return urlValue{to: &c.GitHub.URL, rule: safeHTTP, origin: true}
			}},
		{Name: "github-api-url", Derived: "from the web address", Doc: "GitHub's REST API",
			bind: func(c *Config, _ ReadFile) value { return urlValue{to: &c.GitHub.APIURL, rule: safeHTTP} }},
	}
}

func hubRows() []Setting {
	const external = "JupyterHub sets it for a service it manages; set it yourself for an external one"
	return []Setting{
		{Name: "service-name", Env: []string{"JUPYTERHUB_SERVICE_NAME"}, Doc: "the service's name at the Hub", Required: external,
			bind: func(c *Config, _ ReadFile) value { return wordValue{&c.Service.Name} }},
		{Name: "service-url", Env: []string{"JUPYTERHUB_SERVICE_URL"}, Doc: "address at which the Hub's proxy reaches the service",
			bind: func(c *Config, _ ReadFile) value { return urlValue{to: &c.Service.URL} }},
		{Name: "service-prefix", Env: []string{"JUPYTERHUB_SERVICE_PREFIX"}, Derived: "services/NAME/ below the Hub's base path", Doc: "path below which the service answers",
			bind: func(c *Config, _ ReadFile) value { return pathValue{&c.Service.Prefix, true} }},
		{Name: "hub-token-file", Doc: "file with the service's Hub token; read at each use, so it may change",
			bind: func(c *Config, read ReadFile) value { return secretFileValue{&c.Hub.Token, read} }},
		{Name: "hub-token", Env: []string{"JUPYTERHUB_API_TOKEN"}, EnvOnly: true, Doc: "the service's Hub token, where it is in no file",
			bind: func(c *Config, _ ReadFile) value { return secretValue{&c.Hub.Token} }},
		{Name: "hub-api-url", Env: []string{"JUPYTERHUB_API_URL"}, Doc: "the Hub's REST API, as in http://127.0.0.1:8081/hub/api", Required: external,
			bind: func(c *Config, _ ReadFile) value { return urlValue{to: &c.Hub.APIURL} }},
		{Name: "hub-client-id", Env: []string{"JUPYTERHUB_CLIENT_ID"}, Derived: "service-NAME", Doc: "the service's OAuth client id",
			bind: func(c *Config, _ ReadFile) value { return wordValue{&c.Hub.ClientID} }},
		{Name: "hub-access-scopes", Env: []string{"JUPYTERHUB_OAUTH_ACCESS_SCOPES", "JUPYTERHUB_OAUTH_SCOPES"}, Derived: "those of the service's name", Doc: "scopes of which a caller must hold one (JSON list)",
			bind: func(c *Config, _ ReadFile) value { return listValue{&c.Hub.AccessScopes} }},
		{Name: "hub-allowed-scopes", Env: []string{"GHSCOPED_HUB_ALLOWED_SCOPES", "JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES"}, Derived: "what the delivery needs", Doc: "the same list as oauth_client_allowed_scopes at the Hub, which does not pass it on (JSON list)",
			bind: func(c *Config, _ ReadFile) value { return listValue{&c.Hub.AllowedScopes} }},
		{Name: "hub-host", Env: []string{"JUPYTERHUB_HOST"}, Doc: "origin of the Hub where each user has a subdomain",
			bind: func(c *Config, _ ReadFile) value { return urlValue{to: &c.Hub.Host, origin: true} }},
		{Name: "hub-base-url", Env: []string{"JUPYTERHUB_BASE_URL"}, Default: "/", Doc: "the Hub's base path",
			bind: func(c *Config, _ ReadFile) value { return pathValue{&c.Hub.BaseURL, true} }},
		{Name: "public-url", Env: []string{"JUPYTERHUB_PUBLIC_URL"}, Derived: "from the Hub's public address", Doc: "the service as a browser sees it",
			bind: func(c *Config, _ ReadFile) value { return urlValue{to: &c.Service.PublicURL} }},
		{Name: "public-hub-url", Env: []string{"JUPYTERHUB_PUBLIC_HUB_URL"}, Doc: "the Hub as a browser sees it",
			bind: func(c *Config, _ ReadFile) value { return urlValue{to: &c.Hub.PublicURL} }},
		{Name: "callback-url", Env: []string{"JUPYTERHUB_OAUTH_CALLBACK_URL"}, Derived: "oauth_callback below the prefix", Doc: "where the Hub login ends",
			bind: func(c *Config, _ ReadFile) value { return urlValue{to: &c.Service.CallbackURL, rule: orPath} }},
		{Name: "cookie-host-prefix", Env: []string{"JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED"}, EnvOnly: true, Derived: "on where the service has a host of its own over https",
			Doc:  "name cookies __Host-…, as JupyterHub's cookie_host_prefix_enabled; only for https",
			bind: func(c *Config, _ ReadFile) value { return boolValue{&c.Service.HostCookies} }},
		{Name: "proxy-url", Derived: "origin of the Hub's public address", Doc: "origin at which users' servers are reached; users' Hub tokens are sent there, so it is never guessed",
			bind: func(c *Config, _ ReadFile) value { return urlValue{to: &c.Hub.ProxyURL, origin: true} }},
	}
}

func serviceRows() []Setting {
	return []Setting{
		{Name: "listen", Derived: "host and port of the service's URL", Doc: "host:port to listen on",
			bind: func(c *Config, _ ReadFile) value { return addressValue{&c.Service.Listen} }},
		{Name: "metrics-addr", Doc: "host:port of its own for metrics, healthz and readyz; unset: below the prefix, the metrics for holders of read:metrics",
			bind: func(c *Config, _ ReadFile) value { return addressValue{&c.Service.MetricsAddr} }},
		{Name: "session-lifetime", Default: "8h", Doc: "how long a session lasts and a user's Hub token is kept, 8h at most",
			bind: func(c *Config, _ ReadFile) value {
				return durationValue{&c.Service.SessionLifetime, time.Minute, 8 * time.Hour}
			}},
		{Name: "log-level", Default: "info", Doc: "debug, info, warn or error",
			bind: func(c *Config, _ ReadFile) value { return levelValue{&c.Service.LogLevel} }},
	}
}

func storeRows() []Setting {
	return []Setting{
		{Name: "store", Default: "bolt:ghscoped.db", Doc: "bolt:PATH for one process; redis://HOST:PORT/DB or rediss://… (TLS) for several, with ?username_file=…&password_file=…",
			bind: func(c *Config, _ ReadFile) value { return storeValue{&c.Store} }},
		{Name: "key-file", Derived: "PATH.key beside the bolt file, made at first start", Doc: "sealing keys, one base64 line each; the first seals, all open. Required with Redis",
			bind: func(c *Config, read ReadFile) value { return fileValue{&c.Store.KeyFile, read} }},
	}
}

func deliveryRows() []Setting {
	return []Setting{
		{Name: "delivery", Default: string(Push), Doc: "push writes the token into a file in the user's server; pull writes nothing, the git helper asks this service",
			bind: func(c *Config, _ ReadFile) value {
				return choiceValue[DeliveryMode]{&c.Delivery.Mode, []DeliveryMode{Push, Pull}}
			}},
		{Name: "git-credentials-path", Default: "~/.config/ghscoped/credential", Doc: "the credential's file in the user's server; begins with / or ~/",
			bind: func(c *Config, _ ReadFile) value { return homePathValue{&c.Delivery.CredentialsPath} }},
		{Name: "git-identity", Default: "false", Doc: "set git's user.name and user.email from GitHub where the user has none",
			bind: func(c *Config, _ ReadFile) value { return boolValue{&c.Delivery.GitIdentity} }},
		{Name: "rewrite-ssh", Default: "false", Doc: "let git use https for GitHub's ssh addresses",
			bind: func(c *Config, _ ReadFile) value { return boolValue{&c.Delivery.RewriteSSH} }},
		{Name: "gh-command", Default: "false", Doc: "let the gh command use the same token",
			bind: func(c *Config, _ ReadFile) value { return boolValue{&c.Delivery.GHCommand} }},
		{Name: "refresh", Default: "false", Doc: "refresh the token before it expires while the server runs; stores a long-lived refresh token, sealed",
			bind: func(c *Config, _ ReadFile) value { return boolValue{&c.Delivery.Refresh} }},
		{Name: "revoke-on-stop", Default: "false", Doc: "revoke a token when its server stops, and ten minutes after its user signed out of the Hub, since a stop is not seen then; with push only",
			bind: func(c *Config, _ ReadFile) value { return boolValue{&c.Delivery.RevokeOnStop} }},
		{Name: "one-repository", Default: "false", Doc: "give git a token for the one repository that it names (credential.useHttpPath), never one for all; with delivery pull and the client secret only, since push has one file for all repositories",
			bind: func(c *Config, _ ReadFile) value { return boolValue{&c.Delivery.OneRepository} }},
	}
}

func pageRows() []Setting {
	return []Setting{
		{Name: "hub-name", Doc: "what people call this Hub",
			bind: func(c *Config, _ ReadFile) value { return textValue{&c.Page.HubName} }},
		{Name: "help-text", Doc: "a sentence of yours on the page",
			bind: func(c *Config, _ ReadFile) value { return textValue{&c.Page.HelpText} }},
		{Name: "help-url", Doc: "where people can ask",
			bind: func(c *Config, _ ReadFile) value { return urlValue{to: &c.Page.HelpURL} }},
		{Name: "logo", Derived: "the Hub's own", Doc: "path of a logo on the Hub's host",
			bind: func(c *Config, _ ReadFile) value { return pathValue{&c.Page.Logo, false} }},
		{Name: "show-avatars", Default: "false", Doc: "show the picture of the GitHub account, which the browser fetches from GitHub",
			bind: func(c *Config, _ ReadFile) value { return boolValue{&c.Page.ShowAvatars} }},
		{Name: "admin-group", Doc: "Hub group whose members may open the admin's page",
			bind: func(c *Config, _ ReadFile) value { return textValue{&c.Page.AdminGroup} }},
		{Name: "admin-scope", Doc: "Hub scope whose holders may open the admin's page",
			bind: func(c *Config, _ ReadFile) value { return wordValue{&c.Page.AdminScope} }},
	}
}

func botRows() []Setting {
	return []Setting{
		{Name: "app-private-key-file", Doc: "file with the App's private key; with a policy, enables bot tokens",
			bind: func(c *Config, read ReadFile) value { return secretFileValue{&c.Bot.PrivateKey, read} }},
		{Name: "bot-policy", Doc: "file that says which bot may do what where",
			bind: func(c *Config, read ReadFile) value { return fileValue{&c.Bot.Policy, read} }},
		{Name: "bot-repository-file", Default: "false", Doc: "demand that .github/ghscoped.yaml in the repository allows it as well",
			bind: func(c *Config, _ ReadFile) value { return boolValue{&c.Bot.RepositoryFile} }},
	}
}
