package webaddr

import (
	"net/netip"
	"net/url"
	"strings"
)

// GitHubAPI is the address of a GitHub's REST API, which follows from its web
// address: github.com and ghe.com have it on a host of its own, a GitHub
// Enterprise Server under /api/v3 ("Getting started with the REST API").
// A port stays, unless it goes without saying.
func GitHubAPI(web *url.URL) *url.URL {
	host := CanonicalHost(web.Scheme, web.Host)
	name, _ := splitPort(host)
	if name == "github.com" || strings.HasSuffix(name, ".ghe.com") {
		return &url.URL{Scheme: web.Scheme, Host: "api." + host}
	}
	return web.JoinPath("api/v3")
}

// ActionsIssuer is the issuer of the identity tokens that a GitHub gives to workflows,
// which follows from its web address ("OpenID Connect reference").
func ActionsIssuer(web *url.URL) *url.URL {
	host := CanonicalHost(web.Scheme, web.Host)
	switch name, _ := splitPort(host); {
	case name == "github.com":
		return &url.URL{Scheme: web.Scheme, Host: "token.actions.githubusercontent.com"}
	case strings.HasSuffix(name, ".ghe.com"):
		return &url.URL{Scheme: web.Scheme, Host: "token.actions." + host}
	}
	return web.JoinPath("_services/token")
}

// GitHubGraphQL is the address of a GitHub's GraphQL API, beside the REST API at
// /api/v3, and within that of another GitHub ("Forming calls with GraphQL").
func GitHubGraphQL(api *url.URL) *url.URL {
	if strings.HasSuffix("/"+api.Path, "/api/v3") {
		return api.JoinPath("../graphql")
	}
	return api.JoinPath("graphql")
}

// Private reports whether nobody on the way can read what is sent to an
// address: https, or for demonstrations and tests http to this very machine.
func Private(address *url.URL) bool {
	if address == nil || address.Host == "" {
		return false
	}
	return address.Scheme == "https" || address.Scheme == "http" && Loopback(address.Hostname())
}

// Loopback reports whether a host, without a port, is this very machine.
func Loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// SameHost reports whether two hosts, each perhaps with a port, are one and the
// same for git: where it looks for a helper, and what it connects to.
func SameHost(scheme, a, b string) bool {
	host := CanonicalHost(scheme, a)
	return host != "" && host == CanonicalHost(scheme, b)
}

// CanonicalHost is a host, perhaps with a port, in the one way of many in which it
// may be written: in small letters, without a dot at its end and without the
// port that goes without saying. git passes on what was typed, and so do we where
// it is typed (https://GitHub.com.:0443/). Only ASCII letters have a small one:
// a name with another that folds to the same (ſ and s) is another name.
func CanonicalHost(scheme, host string) string {
	name, port := splitPort(host)
	if port == map[string]string{"https": "443", "http": "80"}[scheme] {
		port = ""
	}
	name = LowerASCII(strings.TrimSuffix(name, "."))
	if name == "" || port == "" {
		return name
	}
	return name + ":" + port
}

// LowerASCII changes A to Z and nothing else: Unicode has other letters that fold
// to the same ones, and a name with those is another name.
func LowerASCII(s string) string {
	lower := []byte(s)
	for i, c := range lower {
		if 'A' <= c && c <= 'Z' {
			lower[i] = c - 'A' + 'a'
		}
	}
	return string(lower)
}

// splitPort cuts the port off a host, without zeros in front. What follows the
// last ":" is no port in [::1].
func splitPort(host string) (name, port string) {
	i := strings.LastIndexByte(host, ':')
	if i < 0 || strings.Trim(host[i+1:], "0123456789") != "" {
		return host, ""
	}
	name, port = host[:i], host[i+1:]
	if trimmed := strings.TrimLeft(port, "0"); trimmed != "" || port == "" {
		return name, trimmed
	}
	return name, "0"
}
