package main

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTransportReachesOnlyGitHubThroughAProxy(t *testing.T) {
	t.Parallel()
	require.Nil(t, direct().Transport.(*http.Transport).Proxy, "the Hub and users' servers")
	require.NotNil(t, proxied().Transport.(*http.Transport).Proxy, "GitHub")
}
