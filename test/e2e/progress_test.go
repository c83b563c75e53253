package e2e_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hubapi"
	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// A real JupyterHub starts a real server, and is heard of from request to ready.
func TestProgressOfARealServer(t *testing.T) {
	t.Parallel()
	h := newWorld(t, hubtest.Options{}).Hub
	token, err := h.UserToken(t.Context(), "ada")
	require.NoError(t, err)
	api, err := url.Parse(h.APIURL)
	require.NoError(t, err)
	client, mine := hubapi.New(api, api, nil, http.DefaultClient, nil), secret.New(token)

	message, _, err := client.Progress(t.Context(), mine, "ada", "")
	require.NoError(t, err)
	require.Empty(t, message, "it is not starting")
	ctx, started := hubtest.Context(t), make(chan error, 1)
	go func() { _, err := h.StartServer(ctx, "ada", ""); started <- err }()
	heard := map[string]bool{}
	for ready := false; !ready; {
		message, ready, err = client.Progress(ctx, mine, "ada", "")
		require.NoError(t, err)
		heard[message] = true
	}
	require.NoError(t, <-started)
	require.Contains(t, heard, "Spawning server...")
	require.Contains(t, heard, "Server ready at /user/ada/")
}
