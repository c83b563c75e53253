package hub

import (
	"context"
	"net/url"

	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// Server is one of a user's servers. The default server's name is "".
type Server struct {
	Name  string `json:"name"`
	Ready bool   `json:"ready"`
	// Pending is "spawn", "stop" or empty.
	Pending string `json:"pending"`
	// URL is the server's path at the proxy; where each user has a host of their
	// own, the whole address there.
	URL string `json:"url"`
}

// Address is where a user's server, or something in it, is reached.
type Address struct {
	// URL is at the configured proxy, whatever the Hub answered.
	URL *url.URL
	// Host is the server's own, by which the proxy finds it on a Hub with
	// subdomain_host: it goes into the Host header, and nothing is ever sent to
	// what it resolves to. Empty: the URL's.
	Host string
}

// Join is what is below an address.
func (a Address) Join(elements ...string) Address {
	return Address{URL: a.URL.JoinPath(elements...), Host: a.Host}
}

// ServerToken is a Hub token that opens one server of a user and does nothing else
// at the Hub than to say whose it is, and the id by which it is deleted.
type ServerToken struct {
	ID    string
	Token secret.String
}

// Target is a running server of a user, and the token that opens it and no other.
type Target struct {
	// Address is the server's base at the Hub's proxy; its URL ends in "/".
	Address
	Token secret.String
	// Prove returns nil where token, which came out of the server, is that
	// server's own: nobody else who answers at its address has it.
	Prove func(ctx context.Context, token secret.String) error
}
