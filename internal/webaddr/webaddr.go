package webaddr

import (
	"net/netip"
	"net/url"
	"strings"
)

// GitHubAPI is the address of a GitHub's REST API, which follows from its web
// address: github.com and ghe.com have it on a host of its own, a GitHub
// Enterprise Server under /api/v3 ("Getting started with the REST API").
// Host names do not mind case; a port stays.
func GitHubAPI(web *url.URL) *url.URL {
	host := strings.ToLower(web.Hostname())
	if host == "github.com" || strings.HasSuffix(host, ".ghe.com") {
		return &url.URL{Scheme: web.Scheme, Host: "api." + strings.ToLower(web.Host)}
	}
	return web.JoinPath("api/v3")
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
