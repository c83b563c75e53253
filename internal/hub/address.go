package hub

import (
	"fmt"
	"net/url"
	"strings"
)

// Address is where a user's server, or something in it, is reached.
type Address struct {
	// URL is at the configured proxy, whatever the Hub answered.
	URL *url.URL
	// Host is the server's own, by which the proxy finds it on a Hub with
	// subdomain_host: it goes into the Host header, and nothing is ever sent to
	// what it resolves to. Empty: the URL's.
	Host string
}

// Address is where a server is reached: its path, which then ends in "/", joined
// to the configured proxy. An answer that names a host other than the user's own
// below the Hub's is refused, as is one whose path does not stay a path.
func (c *Client) Address(server Server) (Address, error) {
	named, err := url.Parse(server.URL)
	if err != nil || !strings.HasPrefix(named.Path, "/") || strings.HasPrefix(named.Path, "//") {
		return Address{}, fmt.Errorf("the Hub named %q as a server's path", server.URL)
	}
	if (named.Scheme != "" || named.Host != "") && !isBelow(named, c.public) {
		return Address{}, fmt.Errorf("the Hub named %q as a server's address, which is not below its own host (%v)", server.URL, c.public)
	}
	if !strings.HasSuffix(named.Path, "/") {
		named = named.JoinPath("/")
	}
	path := &url.URL{Path: named.Path, RawPath: named.RawPath}
	return Address{URL: c.proxy.ResolveReference(path), Host: named.Host}, nil
}

// isBelow reports whether an address is at a subdomain of an origin, with its
// scheme and port: JupyterHub makes users' hosts of its own (subdomain_host) so.
func isBelow(address, origin *url.URL) bool {
	if origin == nil || address.User != nil || address.Scheme != origin.Scheme || address.Port() != origin.Port() {
		return false
	}
	label, below := strings.CutSuffix(strings.ToLower(address.Hostname()), "."+strings.ToLower(origin.Hostname()))
	return below && label != ""
}

// join is what is below an address.
func (a Address) join(elements ...string) Address {
	return Address{URL: a.URL.JoinPath(elements...), Host: a.Host}
}
