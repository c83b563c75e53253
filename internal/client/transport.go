package client

import (
	"net/http"
	"net/url"
)

// Transport returns Go's own transport, which asks proxy for TLS only. A proxy
// could read the Hub token that goes to the service over plain HTTP, and such a
// service is inside the Hub's own network. An https address may be outside,
// where only the proxy leads, and the proxy sees no more than its host's name
// (docs/decisions/0003).
func Transport(proxy func(*http.Request) (*url.URL, error)) *http.Transport {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxResponseHeaderBytes = maxBody
	transport.Proxy = func(r *http.Request) (*url.URL, error) {
		if r.URL.Scheme != "https" {
			return nil, nil
		}
		return proxy(r)
	}
	return transport
}
