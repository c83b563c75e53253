package client_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/client"
)

func TestTransportUsesAProxyForTLSOnly(t *testing.T) {
	t.Parallel()
	answer := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "answered") })
	plain, secure := httptest.NewServer(answer), httptest.NewTLSServer(answer)
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)

	var seen atomic.Int64
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		seen.Add(1)
		w.WriteHeader(http.StatusBadGateway)
	}))
	t.Cleanup(proxy.Close)
	through, err := url.Parse(proxy.URL)
	require.NoError(t, err)

	for name, test := range map[string]struct {
		address string
		proxied bool
	}{
		"plain HTTP":                          {plain.URL, false},
		"plain HTTP, a name of other letters": {strings.Replace(plain.URL, "127.0.0.1", "sérvice.test", 1), false},
		"TLS":                                 {secure.URL, true},
	} {
		t.Run(name, func(t *testing.T) {
			before := seen.Load()
			transport := client.Transport(http.ProxyURL(through))
			t.Cleanup(transport.CloseIdleConnections)
			transport.DialContext = loopback
			answer, err := (&http.Client{Transport: transport}).Get(test.address)
			if test.proxied {
				require.Error(t, err)
				require.Equal(t, before+1, seen.Load())
				return
			}
			require.NoError(t, err)
			require.NoError(t, answer.Body.Close())
			require.Equal(t, before, seen.Load())
		})
	}
}

// loopback takes every name for this machine's.
func loopback(ctx context.Context, network, address string) (net.Conn, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
}
