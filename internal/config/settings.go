package config

import (
	"log/slog"
	"reflect"
	"strings"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// settings are what a deployer may set, in the order in which they are
// documented. The library env reads the tag env, whose value is the variable,
// and envDefault. The rest of the tags is ours: also is another name of the
// variable, derived says in words where the value comes from otherwise, fix
// what to do where a required one is missing, and group begins a group.
type settings struct {
	ClientID         word       `env:"GHSCOPED_CLIENT_ID,required" also:"GH_SCOPED_CREDS_CLIENT_ID" group:"GitHub App" doc:"client id of the GitHub App" fix:"take it from the App's settings page at GitHub"`
	AppURL           secureURL  `env:"GHSCOPED_APP_URL,required" also:"GH_SCOPED_CREDS_APP_URL" doc:"public page of the GitHub App, as in https://github.com/apps/NAME" fix:"take the public link from the App's settings page at GitHub"`
	ClientSecretFile SecretFile `env:"GHSCOPED_CLIENT_SECRET_FILE" doc:"file with the App's client secret; enables the web flow, where no code is typed"`
	Identity         Identity   `env:"GHSCOPED_IDENTITY" envDefault:"any" doc:"whose approval counts: any GitHub account, the one bound at first use (bound), or only the one whose login equals the Hub name (match)"`
	GitHubURL        secureHost `env:"GHSCOPED_GITHUB_URL" envDefault:"https://github.com" doc:"GitHub's web address; a GitHub Enterprise Server or ghe.com address works. https, or http on loopback"`

	HubTokenFile     SecretFile    `env:"GHSCOPED_HUB_TOKEN_FILE" group:"JupyterHub" doc:"file with the service's Hub token; read at each use, so it may change"`
	HubAllowedScopes scopes        `env:"GHSCOPED_HUB_ALLOWED_SCOPES" also:"JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES" derived:"what the delivery needs" doc:"the same list as oauth_client_allowed_scopes at the Hub, which does not pass it on (JSON list)"`
	ProxyURL         originURL     `env:"GHSCOPED_PROXY_URL" derived:"origin of the Hub's public address" doc:"origin at which users' servers are reached; users' Hub tokens are sent there, so it is never guessed"`
	ServiceName      word          `env:"JUPYTERHUB_SERVICE_NAME,required" doc:"the service's name at the Hub" fix:"JupyterHub sets it for a service it manages; set it yourself for an external one"`
	ServiceURL       webURL        `env:"JUPYTERHUB_SERVICE_URL" doc:"address at which the Hub's proxy reaches the service"`
	ServicePrefix    folder        `env:"JUPYTERHUB_SERVICE_PREFIX" derived:"services/NAME/ below the Hub's base path" doc:"path below which the service answers"`
	HubToken         secret.String `env:"JUPYTERHUB_API_TOKEN" doc:"the service's Hub token, where it is in no file"`
	HubAPIURL        webURL        `env:"JUPYTERHUB_API_URL,required" doc:"the Hub's REST API, as in http://127.0.0.1:8081/hub/api" fix:"JupyterHub sets it for a service it manages; set it yourself for an external one"`
	HubAccessScopes  scopes        `env:"JUPYTERHUB_OAUTH_ACCESS_SCOPES" also:"JUPYTERHUB_OAUTH_SCOPES" derived:"those of the service's name" doc:"scopes of which a caller must hold one (JSON list)"`
	HubHost          originURL     `env:"JUPYTERHUB_HOST" doc:"origin of the Hub where each user has a subdomain"`
	HubBaseURL       folder        `env:"JUPYTERHUB_BASE_URL" envDefault:"/" doc:"the Hub's base path"`
	PublicURL        webURL        `env:"JUPYTERHUB_PUBLIC_URL" derived:"from the Hub's public address" doc:"the service as a browser sees it"`
	PublicHubURL     webURL        `env:"JUPYTERHUB_PUBLIC_HUB_URL" doc:"the Hub as a browser sees it"`
	CallbackURL      pathURL       `env:"JUPYTERHUB_OAUTH_CALLBACK_URL" derived:"oauth_callback below the prefix" doc:"where the Hub login ends"`
	HostCookies      bool          `env:"JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED" derived:"on where the service has a host of its own over https" doc:"name cookies __Host-…, as JupyterHub's cookie_host_prefix_enabled; only for https"`

	Listen          listenAddress `env:"GHSCOPED_LISTEN" group:"This service" derived:"host and port of JUPYTERHUB_SERVICE_URL" doc:"host:port to listen on"`
	MetricsAddr     listenAddress `env:"GHSCOPED_METRICS_ADDR" doc:"host:port of its own for metrics, healthz and readyz; unset: below the prefix, the metrics for holders of read:metrics"`
	SessionLifetime time.Duration `env:"GHSCOPED_SESSION_LIFETIME" envDefault:"8h" doc:"how long a session lasts and a user's Hub token is kept, 8h at most"`
	LogLevel        logLevel      `env:"GHSCOPED_LOG_LEVEL" envDefault:"info" doc:"debug, info, warn or error"`

	Store   Store `env:"GHSCOPED_STORE" envDefault:"bolt:ghscoped.db" group:"Store" doc:"bolt:PATH for one process; redis://HOST:PORT/DB or rediss://… (TLS) for several, with ?username_file=…&password_file=…"`
	KeyFile file  `env:"GHSCOPED_KEY_FILE" derived:"PATH.key beside the bolt file, made at first start" doc:"sealing keys, one base64 line each; the first seals, all open. Required with Redis"`

	Delivery           DeliveryMode `env:"GHSCOPED_DELIVERY" envDefault:"push" group:"Delivery" doc:"push writes the token into a file in the user's server; pull writes nothing, the git helper asks this service"`
	GitCredentialsPath homePath     `env:"GHSCOPED_GIT_CREDENTIALS_PATH" envDefault:"~/.config/ghscoped/credential" doc:"the credential's file in the user's server; begins with / or ~/. The default is in a folder for the GitHub host: ~/.config/ghscoped/github.com/credential"`
	GitIdentity        bool         `env:"GHSCOPED_GIT_IDENTITY" envDefault:"true" doc:"set git's user.name and user.email from GitHub where the user has none: push with the credential, pull by ghscoped login and ghscoped setup"`
	RewriteSSH         bool         `env:"GHSCOPED_REWRITE_SSH" envDefault:"false" doc:"let git use https for GitHub's ssh addresses"`
	GHCommand          bool         `env:"GHSCOPED_GH_COMMAND" envDefault:"false" doc:"let the gh command use the same token"`
	Refresh            bool         `env:"GHSCOPED_REFRESH" envDefault:"false" doc:"refresh the token before it expires while the server runs; stores a long-lived refresh token, sealed"`
	RevokeOnStop       bool         `env:"GHSCOPED_REVOKE_ON_STOP" envDefault:"false" doc:"revoke a token when its server stops, and ten minutes after its user signed out of the Hub, since a stop is not seen then; with push only"`
	OneRepository      bool         `env:"GHSCOPED_ONE_REPOSITORY" envDefault:"false" doc:"give git a token for the one repository that it names (credential.useHttpPath), never one for all; with delivery pull and the client secret only, since push has one file for all repositories"`

	HubName    string `env:"GHSCOPED_HUB_NAME" group:"Page" doc:"what people call this Hub"`
	HelpURL    webURL `env:"GHSCOPED_HELP_URL" doc:"where people can ask"`
	AdminScope word   `env:"GHSCOPED_ADMIN_SCOPE" doc:"Hub scope whose holders may open the admin's page"`

	AppPrivateKeyFile SecretFile `env:"GHSCOPED_APP_PRIVATE_KEY_FILE" group:"Bot tokens" doc:"file with the App's private key; with a policy, enables bot tokens"`
	BotPolicy         file       `env:"GHSCOPED_BOT_POLICY" doc:"file that says which bot may do what where"`
	BotIssuers        issuers    `env:"GHSCOPED_BOT_ISSUERS" doc:"whose identity tokens are taken beside the Hub's: actions (GitHub Actions), kubernetes (the cluster that this runs in), an issuer's https address; separated by commas, and as actions=ADDRESS or kubernetes=ADDRESS where the address is another than usual"`
	BotIssuersCAFile  file       `env:"GHSCOPED_BOT_ISSUERS_CA_FILE" derived:"for kubernetes, what the cluster gives to pods" doc:"file with certificates of authorities that issuers may have beside the system's (PEM)"`
	BotRepositoryFile bool       `env:"GHSCOPED_BOT_REPOSITORY_FILE" envDefault:"false" doc:"demand that .github/ghscoped.yaml in the repository allows it as well"`
}

// removed are the settings of earlier releases, by their key in the file; they
// are refused for one release. JupyterHub's own variables are no keys either.
var removed = map[string]string{
	"hub_client_id":  "the client id follows from the service's name; remove it, and oauth_client_id of the service at the Hub",
	"logo":           "the page shows the Hub's own logo; set c.JupyterHub.logo_file at the Hub",
	"show_avatars":   "the page shows an initial instead of the picture; remove it",
	"help_text":      "set GHSCOPED_HELP_URL to a page that says it",
	"github_api_url": "the API's address follows from GHSCOPED_GITHUB_URL; remove it",
	"admin_group":    "set GHSCOPED_ADMIN_SCOPE, and give that scope to the group by a role at the Hub (docs/admins.md)",

	"service_name": inEnvironment + "JUPYTERHUB_SERVICE_NAME", "service_url": inEnvironment + "JUPYTERHUB_SERVICE_URL",
	"service_prefix": inEnvironment + "JUPYTERHUB_SERVICE_PREFIX", "hub_api_url": inEnvironment + "JUPYTERHUB_API_URL",
	"hub_access_scopes": inEnvironment + "JUPYTERHUB_OAUTH_ACCESS_SCOPES", "hub_host": inEnvironment + "JUPYTERHUB_HOST",
	"hub_base_url": inEnvironment + "JUPYTERHUB_BASE_URL", "public_url": inEnvironment + "JUPYTERHUB_PUBLIC_URL",
	"public_hub_url": inEnvironment + "JUPYTERHUB_PUBLIC_HUB_URL", "callback_url": inEnvironment + "JUPYTERHUB_OAUTH_CALLBACK_URL",
}

const inEnvironment = "JupyterHub's own variables are read from the environment only: set "

// Setting is how a setting is documented.
type Setting struct {
	// Name is the key in the YAML file; of JupyterHub's own variables, which are
	// no keys, the variable.
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

	field string
	kind  reflect.Type
}

// EnvOnly says that the setting is no key of the YAML file.
func (s Setting) EnvOnly() bool { return s.Name == s.Env[0] }

// Table is every setting, in the order in which they are documented.
func Table() []Setting {
	var table []Setting
	group := ""
	for _, field := range reflect.VisibleFields(reflect.TypeFor[settings]()) {
		variable, _, _ := strings.Cut(field.Tag.Get("env"), ",")
		row := Setting{
			Name: variable, Env: []string{variable}, Doc: field.Tag.Get("doc"),
			Default: field.Tag.Get("envDefault"), Derived: field.Tag.Get("derived"), Required: field.Tag.Get("fix"),
			field: field.Name, kind: field.Type,
		}
		if also := field.Tag.Get("also"); also != "" {
			row.Env = append(row.Env, also)
		}
		if key, ours := strings.CutPrefix(variable, ownPrefix); ours {
			row.Name = strings.ToLower(key)
		}
		if next := field.Tag.Get("group"); next != "" {
			group = next
		}
		row.Group = group
		table = append(table, row)
	}
	return table
}

// config puts the settings where the packages that use them look.
func (s settings) config() Config {
	return Config{
		Service: Service{
			Name: string(s.ServiceName), URL: s.ServiceURL.URL, Prefix: string(s.ServicePrefix), PublicURL: s.PublicURL.URL,
			HostCookies: s.HostCookies, CallbackURL: s.CallbackURL.URL, Listen: string(s.Listen), MetricsAddr: string(s.MetricsAddr),
			LogLevel: slog.Level(s.LogLevel), SessionLifetime: s.SessionLifetime,
		},
		Hub: Hub{
			APIURL: s.HubAPIURL.URL, Token: s.hubToken(), AccessScopes: s.HubAccessScopes, AllowedScopes: s.HubAllowedScopes,
			Host: s.HubHost.URL, BaseURL: string(s.HubBaseURL), PublicURL: s.PublicHubURL.URL, ProxyURL: s.ProxyURL.URL,
		},
		GitHub: GitHub{
			URL: s.GitHubURL.URL, ClientID: string(s.ClientID), AppURL: s.AppURL.URL,
			ClientSecret: s.ClientSecretFile, Identity: s.Identity,
		},
		Bot:   Bot{PrivateKey: s.AppPrivateKeyFile, Policy: string(s.BotPolicy), RepositoryFile: s.BotRepositoryFile, Issuers: s.BotIssuers, IssuersCAFile: string(s.BotIssuersCAFile)},
		Store: Store{Path: s.Store.Path, Redis: s.Store.Redis, KeyFile: string(s.KeyFile)},
		Delivery: Delivery{
			Mode: s.Delivery, Refresh: s.Refresh, RevokeOnStop: s.RevokeOnStop, GitIdentity: s.GitIdentity, RewriteSSH: s.RewriteSSH,
			GHCommand: s.GHCommand, CredentialsPath: string(s.GitCredentialsPath), OneRepository: s.OneRepository,
		},
		Page: Page{HubName: s.HubName, HelpURL: s.HelpURL.URL, AdminScope: string(s.AdminScope)},
	}
}

func (s settings) hubToken() SecretFile {
	if s.HubTokenFile.Path != "" {
		return s.HubTokenFile
	}
	return SecretFile{Value: s.HubToken}
}
