package hubtest_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hubtest"
)

func TestJupyterServerRunsInTheHomeItIsGiven(t *testing.T) {
	for _, options := range hubtest.Some([]hubtest.JupyterOptions{
		{},
		{Module: "jupyterlab"},
		{Module: "notebook"},
		{Version: "hub5"},
		{Version: "hub4", Module: "notebook"},
	}, 4) {
		t.Run(options.Version+" "+options.Module, func(t *testing.T) {
			t.Parallel()
			options.Home = t.TempDir()
			server := hubtest.JupyterServer(t, options)
			terminal, err := hubtest.OpenTerminal(hubtest.Context(t), server.URL, server.Token)
			require.NoError(t, err)

			out, status, err := terminal.Run(t.Context(), `pwd; echo hello >note`)
			require.NoError(t, err)
			require.Zero(t, status)
			require.Equal(t, options.Home, out)
			require.FileExists(t, options.Home+"/note")
		})
	}
}

func TestJupyterServerWithoutTerminalsAnswers404(t *testing.T) {
	server := hubtest.JupyterServer(t, hubtest.JupyterOptions{Args: []string{"--ServerApp.terminals_enabled=False"}})
	_, err := hubtest.OpenTerminal(hubtest.Context(t), server.URL, server.Token)
	require.ErrorContains(t, err, http.StatusText(http.StatusNotFound))
}
