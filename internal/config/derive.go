package config

import (
	"encoding/json"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/webaddr"
)

// ClusterAPI is where pods reach their cluster's API.
const ClusterAPI = "kubernetes.default.svc"

// derive fills what nobody set from what somebody did.
func (l *loader) derive() {
	c := &l.config
	if c.GitHub.URL != nil {
		c.GitHub.APIURL = webaddr.GitHubAPI(c.GitHub.URL)
	}
	for i, issuer := range c.Bot.Issuers {
		switch {
		case issuer.URL != nil:
		case issuer.Kind == kubernetesIssuer:
			c.Bot.Issuers[i].URL = &url.URL{Scheme: "https", Host: ClusterAPI}
		case c.GitHub.URL != nil:
			c.Bot.Issuers[i].URL = webaddr.ActionsIssuer(c.GitHub.URL)
		}
	}
	if c.Service.Prefix == "" && c.Service.Name != "" {
		c.Service.Prefix = c.Hub.BaseURL + "services/" + url.PathEscape(c.Service.Name) + "/"
	}
	if c.Service.CallbackURL == nil {
		c.Service.CallbackURL = &url.URL{Path: c.Service.Prefix + "oauth_callback"}
	}
	if c.Service.Listen == "" && c.Service.URL != nil {
		c.Service.Listen = listenOn(c.Service.URL)
	}
	if c.Store.KeyFile == "" && c.Store.Path != "" && !l.set("key_file") {
		c.Store.KeyFile, c.Store.MakeKey = c.Store.Path+".key", true
	}
	l.deriveHub()
}

func listenOn(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

func (l *loader) deriveHub() {
	h, service := &l.config.Hub, &l.config.Service
	h.ClientID = "service-" + service.Name
	if h.AccessScopes == nil {
		h.AccessScopes = []string{"access:services", "access:services!service=" + service.Name}
	}
	if h.AllowedScopes == nil {
		h.AllowedScopes = neededScopes(l.config.Delivery.Mode)
	}
	h.LoginScopes = loginScopes(*h, l.config.Delivery.Mode)
	h.CanStart = slices.ContainsFunc(h.LoginScopes, func(scope string) bool { return hub.BaseScope(scope) == "servers" })
	h.BrowserURL = &url.URL{Path: h.BaseURL + "hub/"}
	if h.Host != nil {
		h.BrowserURL = h.Host.ResolveReference(h.BrowserURL)
	}
	h.Origin = publicOrigin(*h)
	if h.ProxyURL == nil && !l.failed["proxy_url"] {
		h.ProxyURL = h.Origin
	}
	if service.PublicURL == nil {
		service.PublicURL = servicePublicURL(*service, h.Origin)
	}
	if service.PublicURL != nil && h.Origin != nil && !webaddr.SameHost(h.Origin.Scheme, service.PublicURL.Host, h.Origin.Host) {
		service.OwnHost = true
		service.HostCookies = service.HostCookies || service.PublicURL.Scheme == "https" && !sharedHost(service.PublicURL, h.Origin)
		h.BrowserURL = h.Origin.ResolveReference(h.BrowserURL)
	}
}

// derived is what nobody set and the service took from elsewhere, as text.
func (l *loader) derived() map[string]string {
	text := func(u *url.URL) string {
		if u == nil {
			return ""
		}
		return u.String()
	}
	list := func(scopes []string) string {
		encoded, _ := json.Marshal(scopes) // a list of strings always encodes
		return string(encoded)
	}
	c := l.config
	return map[string]string{
		"hub_allowed_scopes": list(c.Hub.AllowedScopes), "proxy_url": text(c.Hub.ProxyURL),
		"listen": c.Service.Listen, "key_file": c.Store.KeyFile,
		"JUPYTERHUB_SERVICE_PREFIX": c.Service.Prefix, "JUPYTERHUB_OAUTH_ACCESS_SCOPES": list(c.Hub.AccessScopes),
		"JUPYTERHUB_PUBLIC_URL": text(c.Service.PublicURL), "JUPYTERHUB_OAUTH_CALLBACK_URL": text(c.Service.CallbackURL),
		"JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED": strconv.FormatBool(c.Service.HostCookies),
	}
}

// sharedHost reports whether this is the one host that JupyterHub 4 gives to all
// services; later ones give each its own.
func sharedHost(service, hub *url.URL) bool {
	return strings.EqualFold(service.Hostname(), "services."+hub.Hostname())
}

// publicOrigin is where the Hub's proxy is reached from outside, if anybody
// said so. A managed service is told only where public_url or subdomain_host
// is configured at the Hub.
func publicOrigin(hub Hub) *url.URL {
	switch {
	case hub.PublicURL != nil:
		return originOf(hub.PublicURL)
	case hub.Host != nil:
		return originOf(hub.Host)
	}
	return nil
}

func servicePublicURL(service Service, origin *url.URL) *url.URL {
	if callback := service.CallbackURL; callback.Host != "" {
		origin = originOf(callback)
	}
	if origin == nil {
		return nil
	}
	return origin.ResolveReference(&url.URL{Path: service.Prefix})
}

// neededScopes is what the service asks of a user where the deployer did not
// repeat the Hub's list.
func neededScopes(mode DeliveryMode) []string {
	if mode == Pull {
		return []string{"read:users!user"}
	}
	return []string{"read:users!user", "read:servers!user", "tokens!user", "servers!user"}
}

// loginScopes leaves out access:servers, since a token that opens all servers of a
// user is not needed; what a delivery needs, where nothing is delivered; and
// access:services without a filter: the Hub refuses a login that asks for more
// services than this one.
func loginScopes(h Hub, mode DeliveryMode) []string {
	var scopes []string
	for _, scope := range h.AccessScopes {
		if strings.Contains(scope, "!") {
			scopes = append(scopes, scope)
		}
	}
	for _, scope := range h.AllowedScopes {
		base := hub.BaseScope(scope)
		if base == "access:servers" || mode == Pull && (base == "tokens" || base == "servers") {
			continue
		}
		if !slices.Contains(scopes, scope) {
			scopes = append(scopes, scope)
		}
	}
	return scopes
}
