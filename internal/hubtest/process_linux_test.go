package hubtest_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hubtest"
)

func TestStopLeavesNothingOfAServer(t *testing.T) {
	server, err := hubtest.StartJupyter(hubtest.Context(t), hubtest.JupyterOptions{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Stop() })
	terminal, err := hubtest.OpenTerminal(hubtest.Context(t), server.URL, server.Token)
	require.NoError(t, err)
	pid, _, err := terminal.Run(t.Context(),
		`setsid sh -c 'echo $$ >pid; exec sleep 1000' >/dev/null 2>&1 & until test -s pid; do sleep 0.05; done; cat pid`)
	require.NoError(t, err)
	require.True(t, running(pid))

	require.NoError(t, server.Stop())
	require.False(t, running(pid))
	require.NoDirExists(t, server.Home)
}

// running is false also for a process that has ended and is not yet waited for.
func running(pid string) bool {
	line, err := os.ReadFile("/proc/" + pid + "/cmdline")
	return err == nil && len(line) > 0
}
