package config

import (
	"fmt"
	"slices"
	"strings"
)

// check names what is missing or contradicts itself across settings. A setting
// that has a fault already is not complained about again.
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
	if service.Listen == "" && !l.failed["listen"] && !l.failed["service-url"] {
		l.fault("listen", "not set", "there is nothing to listen on", "set JUPYTERHUB_SERVICE_URL or GHSCOPED_LISTEN")
	}
	if service.HostCookies && service.PublicURL != nil && service.PublicURL.Scheme != "https" {
		l.fault("cookie-host-prefix", l.source("cookie-host-prefix"), "browsers take cookies with the prefix __Host- over https only, and the service is reached at "+service.PublicURL.Scheme+"://"+service.PublicURL.Host,
			"unset JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED, or serve the Hub over https")
	}
	if service.MetricsAddr != "" && service.MetricsAddr == service.Listen {
		l.fault("metrics-addr", l.source("metrics-addr"), "it is the address of the service itself", "choose another port, or unset it")
	}
}

func (l *loader) checkHub() {
	hub := l.config.Hub
	switch file, direct := l.set("hub-token-file"), l.set("hub-token"); {
	case file && direct:
		l.fault("hub-token-file", l.source("hub-token-file"), "JUPYTERHUB_API_TOKEN is set as well", "unset one of them")
	case !file && !direct:
		l.fault("hub-token", "not set", "the service's own Hub token is required",
			"set GHSCOPED_HUB_TOKEN_FILE or JUPYTERHUB_API_TOKEN")
	}
	if !l.failed["hub-client-id"] && !strings.HasPrefix(hub.ClientID, "service-") {
		l.fault("hub-client-id", l.source("hub-client-id"), "the client id of a Hub service begins with service-", "take the one the Hub uses")
	}
	if !l.failed["hub-allowed-scopes"] {
		l.checkUsers()
		l.checkAdmins()
	}
}

// checkUsers: when the Hub made a user tells them from a later one of that name.
// The same scope shows their groups.
func (l *loader) checkUsers() {
	if !l.allowed("read:users", "users", "admin:users") {
		l.fault("hub-allowed-scopes", l.source("hub-allowed-scopes"), "the service cannot tell a user from a later one of the same name",
			"add read:users!user to oauth_client_allowed_scopes at the Hub, and to GHSCOPED_HUB_ALLOWED_SCOPES where that is set")
	}
}

// checkAdmins: who is an admin the service learns from what a user's own login
// shows it.
func (l *loader) checkAdmins() {
	if scope := l.config.Page.AdminScope; scope != "" && !l.allowed(baseScope(scope)) {
		l.fault("admin-scope", l.source("admin-scope"), "nobody signs in with this scope, since the service does not ask for it",
			"add it to oauth_client_allowed_scopes at the Hub and to GHSCOPED_HUB_ALLOWED_SCOPES")
	}
}

// allowed reports whether the service asks for one of these scopes when a user
// signs in.
func (l *loader) allowed(bases ...string) bool {
	bases = append(bases, "self", "inherit")
	return slices.ContainsFunc(l.config.Hub.LoginScopes, func(scope string) bool {
		return slices.Contains(bases, baseScope(scope))
	})
}

func (l *loader) checkGitHub() {
	github := l.config.GitHub
	if github.AppURL == nil || github.URL == nil {
		return
	}
	if !strings.EqualFold(github.AppURL.Host, github.URL.Host) {
		l.fault("app-url", l.source("app-url"),
			fmt.Sprintf("the App is on %s, GitHub on %s", github.AppURL.Host, github.URL.Host),
			"set github-url to the GitHub that has the App")
	}
}

func (l *loader) checkStore() {
	store := l.config.Store
	if store.Redis != nil && !l.set("key-file") {
		l.fault("key-file", "not set", "Redis needs a key file that every replica has", "make one with 'ghscoped-service keys new' and set GHSCOPED_KEY_FILE")
	}
}

func (l *loader) checkDelivery() {
	if l.config.Delivery.Mode == Pull {
		l.checkPull()
		return
	}
	if l.config.Delivery.OneRepository {
		l.fault("one-repository", l.source("one-repository"), "push delivery writes one file for all repositories", "unset it, or set delivery to pull")
	}
	if l.config.Hub.ProxyURL == nil && !l.failed["proxy-url"] && !l.failed["public-hub-url"] && !l.failed["hub-host"] {
		l.fault("proxy-url", "not set", "the Hub did not say at which address users' servers are reached",
			"set GHSCOPED_PROXY_URL to where the Hub's proxy listens, as in http://127.0.0.1:8000, or public_url at the Hub")
	}
	if !l.failed["hub-allowed-scopes"] && !l.allowed("tokens") {
		l.fault("hub-allowed-scopes", l.source("hub-allowed-scopes"), "push delivery cannot make a token that opens a user's server",
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
		{"git-credentials-path", l.set("git-credentials-path")},
		{"git-identity", delivery.GitIdentity},
		{"rewrite-ssh", delivery.RewriteSSH},
		{"gh-command", delivery.GHCommand},
		{"refresh", delivery.Refresh},
		{"revoke-on-stop", delivery.RevokeOnStop},
	} {
		if option.on {
			l.fault(option.name, l.source(option.name), "it has no meaning when delivery is pull", "unset it, or set delivery to push")
		}
	}
	if delivery.OneRepository && l.config.GitHub.ClientSecret.Value.Empty() && !l.failed["client-secret-file"] {
		l.fault("client-secret-file", "not set", "one-repository is set, but GitHub narrows a token only for an App with its client secret",
			"set GHSCOPED_CLIENT_SECRET_FILE, or unset one-repository")
	}
}

func (l *loader) checkBot() {
	key, policy := l.set("app-private-key-file"), l.set("bot-policy")
	switch {
	case policy && !key:
		l.fault("app-private-key-file", "not set", "bot-policy is set, but bot tokens need the App's private key", "set GHSCOPED_APP_PRIVATE_KEY_FILE, or unset bot-policy")
	case key && !policy:
		l.fault("bot-policy", "not set", "the App's private key is set, but no policy says who may use it", "set GHSCOPED_BOT_POLICY, or unset app-private-key-file")
	case l.config.Bot.RepositoryFile && !policy:
		l.fault("bot-repository-file", l.source("bot-repository-file"), "there are no bot tokens to allow", "set bot-policy and app-private-key-file, or unset it")
	}
}
