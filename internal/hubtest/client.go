package hubtest

import (
	"context"
	"net"
	"net/http"
	"strings"
)

// local is the client for what the Hub's proxy serves. As browsers do (RFC 6761,
// 6.3), it takes every name below localhost for this machine, where many
// resolvers know none.
var local = &http.Client{Transport: localTransport()}

func localTransport() *http.Transport {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if host, port, err := net.SplitHostPort(address); err == nil && strings.HasSuffix(host, ".localhost") {
			address = net.JoinHostPort("127.0.0.1", port)
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	return transport
}
