package main

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/githubsim"
)

// TestMain lets the test binary be the program, so that signals meet a real process.
func TestMain(m *testing.M) {
	if os.Getenv("GITHUBSIM_MAIN") == "1" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestMainPrintsItsAddressesAndEndsOnSIGTERM(t *testing.T) {
	t.Parallel()
	temp := t.TempDir()
	ca := filepath.Join(temp, "ca.pem")
	cmd := exec.Command(os.Args[0], "-client-id", "Iv1.x", "-app-slug", "demo", "-tls", "-ca-file", ca)
	cmd.Env = append(os.Environ(), "GITHUBSIM_MAIN=1", "TMPDIR="+temp)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadBytes('\n')
	require.NoError(t, err)
	var info githubsim.Info
	require.NoError(t, json.Unmarshal(line, &info))
	require.Equal(t, info.URL+"/apps/demo", info.AppURL)
	require.Equal(t, "Iv1.x", info.ClientID)
	require.FileExists(t, ca)
	res, err := http.Get(info.AdminURL + "/healthz")
	require.NoError(t, err)
	res.Body.Close()
	require.Equal(t, 200, res.StatusCode)

	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Wait())
	left, err := filepath.Glob(filepath.Join(temp, "githubsim-*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestRunRefusesWrongFlags(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"unknown flag": {"-nonsense"}, "missing key file": {"-app-public-key", "missing.pem"}, "missing world": {"-world", "missing.json"},
	} {
		_, _, err := options(args)
		require.Error(t, err, name)
	}
}

func TestWorldFileReplacesTheDefaultWorld(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "world.json")
	require.NoError(t, os.WriteFile(path, []byte(`{"accounts":[{"login":"hubot"}],"repositories":[{"full_name":"hubot/box"}]}`), 0o600))
	o, _, err := options([]string{"-world", path})
	require.NoError(t, err)
	require.Equal(t, "hubot", o.Accounts[0].Login)
	require.Equal(t, githubsim.DefaultClientID, o.Apps[0].ClientID)
}
