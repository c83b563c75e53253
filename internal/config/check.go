package config

import (
	"crypto/x509"
	"fmt"
	"slices"

	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/webaddr"
)

// check names what is missing or contradicts itself across settings. A setting
// that has an error already is not complained about again.
func (l *loader) check() {
	l.checkService()
	l.checkHub()
	l.checkGitHub()
	l.checkStore()
	l.checkDelivery()
	l.checkBot()
}

func (l *loader) checkService() {
	service := l.config.Service
	if service.Listen == "" && !l.failed["listen"] && !l.failed["JUPYTERHUB_SERVICE_URL"] {
		l.report("listen", "not set", "there is nothing to listen on", "set JUPYTERHUB_SERVICE_URL or GHSCOPED_LISTEN")
	}
	if service.HostCookies && service.PublicURL != nil && service.PublicURL.Scheme != "https" {
		l.report("JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED", l.source("JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED"), "browsers take cookies with the prefix __Host- over https only, and the service is reached at "+service.PublicURL.Scheme+"://"+service.PublicURL.Host,
			"unset JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED, or serve the Hub over https")
	}
	if service.MetricsAddr != "" && service.MetricsAddr == service.Listen {
		l.report("metrics_addr", l.source("metrics_addr"), "it is the address of the service itself", "choose another port, or unset it")
	}
}

func (l *loader) checkHub() {
	switch file, direct := l.set("hub_token_file"), l.set("JUPYTERHUB_API_TOKEN"); {
	case file && direct:
		l.report("hub_token_file", l.source("hub_token_file"), "JUPYTERHUB_API_TOKEN is set as well", "unset one of them")
	case !file && !direct:
		l.report("JUPYTERHUB_API_TOKEN", "not set", "the service's own Hub token is required",
			"set GHSCOPED_HUB_TOKEN_FILE or JUPYTERHUB_API_TOKEN")
	}
	if !l.failed["hub_allowed_scopes"] {
		l.checkUsers()
		l.checkAdmins()
	}
}

// checkUsers: when the Hub made a user tells them from a later one of that name.
// The same scope shows their groups.
func (l *loader) checkUsers() {
	if !l.allowed("read:users", "users", "admin:users") {
		l.report("hub_allowed_scopes", l.source("hub_allowed_scopes"), "the service cannot tell a user from a later one of the same name",
			"add read:users!user to oauth_client_allowed_scopes at the Hub, and to GHSCOPED_HUB_ALLOWED_SCOPES where that is set")
	}
}

// checkAdmins: who is an admin the service learns from what a user's own login
// shows it.
func (l *loader) checkAdmins() {
	if scope := l.config.Page.AdminScope; scope != "" && !l.allowed(hub.BaseScope(scope)) {
		l.report("admin_scope", l.source("admin_scope"), "nobody signs in with this scope, since the service does not ask for it",
			"add it to oauth_client_allowed_scopes at the Hub and to GHSCOPED_HUB_ALLOWED_SCOPES")
	}
}

// allowed reports whether the service asks for one of these scopes when a user
// signs in.
func (l *loader) allowed(bases ...string) bool {
	bases = append(bases, "self", "inherit")
	return slices.ContainsFunc(l.config.Hub.LoginScopes, func(scope string) bool {
		return slices.Contains(bases, hub.BaseScope(scope))
	})
}

func (l *loader) checkGitHub() {
	github := l.config.GitHub
	if github.AppURL == nil || github.URL == nil {
		return
	}
	if !webaddr.SameHost(github.URL.Scheme, github.AppURL.Host, github.URL.Host) {
		l.report("app_url", l.source("app_url"),
			fmt.Sprintf("the App is on %s, GitHub on %s", github.AppURL.Host, github.URL.Host),
			"set GHSCOPED_GITHUB_URL to the GitHub that has the App")
	}
}

func (l *loader) checkStore() {
	store := l.config.Store
	if store.Redis != nil && !l.set("key_file") {
		l.report("key_file", "not set", "Redis needs a key file that every replica has", "make one with 'ghscoped-service keys new' and set GHSCOPED_KEY_FILE")
	}
}

func (l *loader) checkDelivery() {
	if l.config.Delivery.Mode == Pull {
		l.checkPull()
		return
	}
	if l.config.Delivery.OneRepository {
		l.report("one_repository", l.source("one_repository"), "push delivery writes one file for all repositories", "unset it, or set delivery to pull")
	}
	if l.config.Hub.ProxyURL == nil && !l.failed["proxy_url"] && !l.failed["JUPYTERHUB_PUBLIC_HUB_URL"] && !l.failed["JUPYTERHUB_HOST"] {
		l.report("proxy_url", "not set", "the Hub did not say at which address users' servers are reached",
			"set GHSCOPED_PROXY_URL to where the Hub's proxy listens, as in http://127.0.0.1:8000, or public_url at the Hub")
	}
	if !l.failed["hub_allowed_scopes"] && !l.allowed("tokens") {
		l.report("hub_allowed_scopes", l.source("hub_allowed_scopes"), "push delivery cannot make a token that opens a user's server",
			"add tokens!user and read:servers!user to oauth_client_allowed_scopes at the Hub, or set delivery to pull")
	}
}

// checkPull: where nothing is written into a server, nothing about writing can
// be meant.
func (l *loader) checkPull() {
	delivery := l.config.Delivery
	for _, option := range []struct {
		name string
		on   bool
	}{
		{"git_credentials_path", l.set("git_credentials_path")},
		{"rewrite_ssh", delivery.RewriteSSH},
		{"gh_command", delivery.GHCommand},
		{"refresh", delivery.Refresh},
		{"revoke_on_stop", delivery.RevokeOnStop},
	} {
		if option.on {
			l.report(option.name, l.source(option.name), "it has no meaning when delivery is pull", "unset it, or set delivery to push")
		}
	}
	if delivery.OneRepository && l.config.GitHub.ClientSecret.Value.Empty() && !l.failed["client_secret_file"] {
		l.report("client_secret_file", "not set", "one_repository is set, but GitHub narrows a token only for an App with its client secret",
			"set GHSCOPED_CLIENT_SECRET_FILE, or unset one_repository")
	}
}

func (l *loader) checkBot() {
	key, policy := l.set("app_private_key_file"), l.set("bot_policy")
	switch {
	case policy && !key:
		l.report("app_private_key_file", "not set", "bot_policy is set, but bot tokens need the App's private key", "set GHSCOPED_APP_PRIVATE_KEY_FILE, or unset bot_policy")
	case key && !policy:
		l.report("bot_policy", "not set", "the App's private key is set, but no policy says who may use it", "set GHSCOPED_BOT_POLICY, or unset app_private_key_file")
	case l.config.Bot.RepositoryFile && !policy:
		l.report("bot_repository_file", l.source("bot_repository_file"), "there are no bot tokens to allow", "set bot_policy and app_private_key_file, or unset it")
	}
	l.checkIssuers(policy)
}

func (l *loader) checkIssuers(policy bool) {
	bot := l.config.Bot
	if bot.IssuersCAFile != "" {
		if text, err := l.read(bot.IssuersCAFile); err == nil && !x509.NewCertPool().AppendCertsFromPEM(text) {
			l.report("bot_issuers_ca_file", l.source("bot_issuers_ca_file"), "it has no certificate in the form PEM", "put certificates of authorities into it, each from -----BEGIN CERTIFICATE----- on")
		}
	}
	if len(bot.Issuers) == 0 {
		if bot.IssuersCAFile != "" {
			l.report("bot_issuers_ca_file", l.source("bot_issuers_ca_file"), "there are no issuers", "set bot_issuers, or unset it")
		}
		return
	}
	if !policy {
		l.report("bot_issuers", l.source("bot_issuers"), "there are no bot tokens to ask for", "set bot_policy and app_private_key_file, or unset it")
	}
	if l.config.Service.PublicURL == nil && !l.failed["JUPYTERHUB_PUBLIC_URL"] && !l.failed["JUPYTERHUB_PUBLIC_HUB_URL"] {
		l.report("bot_issuers", l.source("bot_issuers"), "the service does not know its public address, for which identity tokens are made", "set JUPYTERHUB_PUBLIC_URL, or public_url at the Hub")
	}
}
