package config

import (
	"log/slog"
	"net/url"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// Config is all settings, parsed, completed and checked.
type Config struct {
	Service  Service
	Hub      Hub
	GitHub   GitHub
	Bot      Bot
	Store    Store
	Delivery Delivery
	Page     Page

	effective []Effective
}

// Service is how this process is known and reached.
type Service struct {
	// Name is the service's name at the Hub, as in access:services!service=NAME.
	Name string
	// URL is the address at which the Hub's proxy reaches the service; nil: not
	// told.
	URL *url.URL
	// Prefix is the path below which everything is served; begins and ends
	// with "/".
	Prefix string
	// PublicURL is the service as a browser sees it; nil where nobody told the
	// Hub its public address.
	PublicURL *url.URL
	// OwnHost says that PublicURL has another host than the Hub's, as on a Hub
	// with subdomain_host.
	OwnHost bool
	// HostCookies says that cookies get the prefix __Host-: where the service has
	// a host of its own over https, and where the deployer has set JupyterHub's
	// own variable for it.
	HostCookies bool
	// CallbackURL is the redirect_uri of the Hub login; only a path where the
	// Hub gives no host.
	CallbackURL *url.URL
	// Listen is the host:port to listen on.
	Listen string
	// MetricsAddr is a host:port of its own for metrics and health; empty:
	// below the prefix.
	MetricsAddr string
	// LogLevel is the least severe level that is logged. Audit events are not
	// logs and not subject to it.
	LogLevel slog.Level
	// SessionLifetime bounds a session, and how long a user's Hub token is kept.
	SessionLifetime time.Duration
}

// Hub is the JupyterHub that the service belongs to.
type Hub struct {
	// APIURL is the Hub's REST API, as in http://127.0.0.1:8081/hub/api.
	APIURL *url.URL
	// Token is the service's own. Where it comes from a file it may change
	// while the service runs: see [SecretFile.Reload].
	Token SecretFile
	// ClientID is the service's OAuth client id.
	ClientID string
	// AccessScopes are those of which a caller must hold one.
	AccessScopes []string
	// AllowedScopes are what the Hub lets the service do for a user who signs
	// in (oauth_client_allowed_scopes).
	AllowedScopes []string
	// LoginScopes are what to ask for at sign-in.
	LoginScopes []string
	// CanStart says that LoginScopes allow a user's server to be started.
	CanStart bool
	// Host is the origin of the Hub where users have subdomains or, since
	// JupyterHub 5, where public_url is configured; else nil.
	Host *url.URL
	// Origin is the Hub's as a browser sees it, of PublicURL or Host; nil: not
	// told.
	Origin *url.URL
	// BaseURL is the Hub's base path; begins and ends with "/".
	BaseURL string
	// PublicURL is the Hub as a browser sees it; nil: not told.
	PublicURL *url.URL
	// BrowserURL is the Hub's address (ending in "hub/") for links and
	// redirects: on Host where there is one, or where the service has a host of
	// its own; else only a path.
	BrowserURL *url.URL
	// ProxyURL is the origin at which users' servers are reached. Nil only in
	// pull mode, which reaches into no server.
	ProxyURL *url.URL
}

// GitHub is the GitHub and the App there.
type GitHub struct {
	// URL is GitHub's web address, APIURL its REST API.
	URL, APIURL *url.URL
	ClientID    string
	// AppURL is the App's public page, from which it is installed.
	AppURL *url.URL
	// ClientSecret enables the web flow; empty: device flow only.
	ClientSecret SecretFile
	Identity     Identity
}

// Bot is what installation tokens for services need. Both are set or none.
type Bot struct {
	PrivateKey SecretFile
	// Policy is the path of the policy file.
	Policy string
	// RepositoryFile demands that the repository's own file allows it as well.
	RepositoryFile bool
	// Issuers are those whose identity tokens are taken. IssuersCAFile has certificates
	// of authorities for them, beside the system's; empty: none.
	Issuers       []Issuer
	IssuersCAFile string
}

// Issuer is one of workloads' identity tokens.
type Issuer struct {
	Kind string // actions, kubernetes or oidc
	// URL is the address below which its discovery document lies.
	URL *url.URL
}

// Store is where records are kept.
type Store struct {
	// Path is the bbolt file; empty with Redis.
	Path string
	// Redis is the address of a Redis or Valkey, with the parameters that
	// internal/store/redis knows; nil with bbolt. It holds no user and no
	// password, but may name the files that do.
	Redis *url.URL
	// KeyFile holds the sealing keys.
	KeyFile string
	// MakeKey allows a missing KeyFile to be made.
	MakeKey bool
}

// Delivery is how a credential gets into a user's server, and what comes along.
type Delivery struct {
	Mode         DeliveryMode
	Refresh      bool
	RevokeOnStop bool
	GitIdentity  bool
	RewriteSSH   bool
	GHCommand    bool
	// CredentialsPath is the credential's file in the user's server; begins with
	// "/" or "~/".
	CredentialsPath string
	// OneRepository gives git a token for one repository at a time. Only in pull
	// mode, and with the client secret.
	OneRepository bool
}

// Page is what the deployer adds to the page.
type Page struct {
	// HubName is what people call this Hub; may be empty.
	HubName string
	// HelpURL is where users can ask; nil: not told.
	HelpURL *url.URL
	// AdminScope opens the admin's page to its holders; empty: there is none.
	AdminScope string
}

// Identity is the policy on who may approve a flow.
type Identity string

// Any GitHub account may approve; the one bound at first use; or only the one
// whose login equals the Hub name.
const (
	IdentityAny   Identity = "any"
	IdentityBound Identity = "bound"
	IdentityMatch Identity = "match"
)

// DeliveryMode is who moves the token.
type DeliveryMode string

// Push writes a file into the user's server, Pull lets the git helper ask.
const (
	Push DeliveryMode = "push"
	Pull DeliveryMode = "pull"
)

// SecretFile is a secret and the file it was read from.
type SecretFile struct {
	// Path is empty where the value did not come from a file.
	Path  string
	Value secret.String
}

// Reload reads the file again, for secrets that change while the service runs.
// A value that came from no file is returned as it is.
func (f SecretFile) Reload(readFile ReadFile) (secret.String, error) {
	if f.Path == "" {
		return f.Value, nil
	}
	return readSecret(f.Path, readFile)
}

// Effective is a setting as it ended up.
type Effective struct {
	Name string
	// Value never shows a secret.
	Value string
	// Source is the variable, or the file and line; "default".
	Source string
}

// Effective lists every setting in the table's order.
func (c Config) Effective() []Effective { return c.effective }
