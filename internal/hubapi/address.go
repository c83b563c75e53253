package hubapi

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/ghscoped/ghscoped-service/internal/hub"
)

// Address is where a server is reached: its path, which then ends in "/", joined
// to the configured proxy. An answer that names a host other than the user's own
// below the Hub's is refused, as is one whose path does not stay a path.
func (c *Client) Address(server hub.Server) (hub.Address, error) {
	named, err := url.Parse(server.URL)
	if err != nil || !strings.HasPrefix(named.Path, "/") || strings.HasPrefix(named.Path, "//") {
		return hub.Address{}, fmt.Errorf("the Hub named %q as a server's path", server.URL)
	}
	if (named.Scheme != "" || named.Host != "") && !isBelow(named, c.public) {
		return hub.Address{}, fmt.Errorf("the Hub named %q as a server's address, which is not below its own host (%v)", server.URL, c.public)
	}
	if !strings.HasSuffix(named.Path, "/") {
		named = named.JoinPath("/")
	}
	path := &url.URL{Path: named.Path, RawPath: named.RawPath}
	return hub.Address{URL: c.proxy.ResolveReference(path), Host: named.Host}, nil
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
