package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A shell stands for git: its command line is all that is read.
func TestClickedIsWhatNobodyButAPersonAsksFor(t *testing.T) {
	t.Parallel()
	for words, want := range map[string]bool{
		"push": true, "push --tags origin HEAD:main": true, "pull --no-commit": true, "clone https://x.org/a": true,
		"--no-pager push": true, "-C folder push": true, "-c a=b -c c=d pull": true,
		"fetch --all --prune": false, "ls-remote push": false, "stash push": false, "submodule update": false, "": false, "-c push": false,
	} {
		t.Run(words, func(t *testing.T) {
			t.Parallel()
			shell, err := exec.LookPath("sh")
			require.NoError(t, err)
			cmd := &exec.Cmd{Path: shell, Args: append([]string{"git", "-c", "echo; read line"}, strings.Fields(words)...)}
			stdin, err := cmd.StdinPipe()
			require.NoError(t, err)
			stdout, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			_, err = stdout.Read(make([]byte, 1)) // it runs, and has its command line
			require.NoError(t, err)
			require.Equal(t, want, clicked(cmd.Process.Pid))
			require.Equal(t, os.Getpid(), parentOf(cmd.Process.Pid))
			require.NoError(t, stdin.Close())
			_ = cmd.Wait() // it read nothing, and says so
		})
	}
	require.False(t, clicked(os.Getpid()))
	require.False(t, clicked(-1))
	require.Zero(t, parentOf(-1))
}

func TestLabShowsCodesNeedsALivingServer(t *testing.T) {
	t.Parallel()
	for name, socket := range map[string]string{"none named": "", "nobody listens": t.TempDir() + "/lab"} {
		require.False(t, labShowsCodes(t.Context(), socket), name)
	}
}
