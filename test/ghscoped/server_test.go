package ghscoped_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

// server starts a real server and opens a terminal in it.
func server(t *testing.T, hub *hubtest.Hub, user string) *hubtest.Terminal {
	t.Helper()
	w := rig.World{Hub: hub}
	w.StartServer(t, user, "")
	terminal := w.OpenTerminal(t, user, "")
	// A terminal begins with a login shell, which on some systems sets PATH again.
	rig.Shell(t, terminal, "PATH="+shared.bin+":$PATH; export PATH")
	return terminal
}

// The server's own token, its own variables, and a terminal as JupyterLab has
// one: the push is typed before its user has connected.
func TestPushThatWasTypedBeforeConnectingGoesThrough(t *testing.T) {
	t.Parallel()
	ctx := hubtest.Context(t)
	p, err := shared.newPerson(ctx)
	require.NoError(t, err)
	terminal := server(t, shared.Hub, p.name)

	out := rig.Shell(t, terminal, "ghscoped setup && git clone -q "+shared.GitHub.URL()+"/"+p.name+"/hello && cd hello && "+
		"git -c user.name=a -c user.email=a@example.org commit -q --allow-empty -m early && ghscoped doctor")
	require.Contains(t, out, "this server belongs to "+p.name)

	approved := make(chan error, 1)
	go func() { approved <- shared.approve(ctx, p, false) }()
	out = rig.Shell(t, terminal, "git push")
	require.NoError(t, <-approved)
	require.Contains(t, out, "git needs GitHub, and you are not connected yet.")
	require.Contains(t, out, "git continues.")
	require.Contains(t, out, "main -> main")
}

// What each line of JupyterHub tells a server, which is what decides whether
// the service is found without GHSCOPED_URL.
func TestDoctorOnEachLineOfJupyterHub(t *testing.T) {
	t.Parallel()
	for _, line := range hubtest.Some([]struct{ version, base, says string }{
		{"hub5", "/jhub/", "/jhub/services/connect-github/ (by JUPYTERHUB_PUBLIC_HUB_URL)"},
		{"hub4", "/", "Nothing here says where the service “Connect GitHub” is."},
	}, 2) {
		t.Run(line.version, func(t *testing.T) {
			ctx := hubtest.Context(t)
			h := hubtest.New(t, hubtest.Options{Version: line.version, BaseURL: line.base, Users: []string{"ada"},
				External:  placeholder(t),
				ServerEnv: map[string]string{"PATH": shared.bin + string(os.PathListSeparator) + os.Getenv("PATH")}})
			terminal := server(t, h, "ada")
			out, _, err := terminal.Run(ctx, "ghscoped doctor")
			require.NoError(t, err)
			require.Contains(t, out, line.says)
			require.Contains(t, out, "this server belongs to ada")
		})
	}
}

// placeholder answers in the service's place, for which the Hub waits.
func placeholder(t *testing.T) func(env []string) error {
	return func(env []string) error {
		for _, variable := range env {
			address, found := strings.CutPrefix(variable, "JUPYTERHUB_SERVICE_URL=http://")
			if !found {
				continue
			}
			s := httptest.NewUnstartedServer(http.NotFoundHandler())
			listener, err := net.Listen("tcp", address)
			if err != nil {
				return err
			}
			s.Listener = listener
			s.Start()
			t.Cleanup(s.Close)
		}
		return nil
	}
}

// Every command's help is in the reference, word for word.
func TestHelpIsInTheReference(t *testing.T) {
	t.Parallel()
	reference, err := os.ReadFile("../../docs/ghscoped.md")
	require.NoError(t, err)
	for _, command := range []string{"login", "status", "logout", "setup", "doctor", "git-credential-ghscoped", "gh-scoped-creds"} {
		cmd := program(t, command, "--help")
		cmd.Env = []string{"HOME=" + t.TempDir()}
		help, err := cmd.Output()
		require.NoError(t, err)
		require.Contains(t, string(reference), "```text\n"+string(help)+"```", "docs/ghscoped.md must have ghscoped %s --help", command)
	}
}

func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	return exec.CommandContext(t.Context(), filepath.Join(shared.bin, "ghscoped"), args...)
}
