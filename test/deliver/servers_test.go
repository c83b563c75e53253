package deliver_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/deliver"
	"github.com/ghscoped/ghscoped-service/internal/hubtest"
)

const (
	noTerminals = "--ServerApp.terminals_enabled=False"
	noPython    = "--KernelSpecManager.allowed_kernelspecs=none"
)

// The home has spaces and quotes in its name, for every server.
func TestDeliveryAndRemovalOnEveryServer(t *testing.T) {
	for _, c := range hubtest.Some([]struct {
		name   string
		server hubtest.JupyterOptions
		method string
	}{
		{"JupyterLab", hubtest.JupyterOptions{Module: "jupyterlab"}, "terminal"},
		{"Notebook 7", hubtest.JupyterOptions{Module: "notebook"}, "terminal"},
		{"jupyter_server 1", hubtest.JupyterOptions{Version: "hub5"}, "terminal"},
		{"Notebook 6", hubtest.JupyterOptions{Version: "hub4", Module: "notebook"}, "kernel"},
		{"terminals disabled", hubtest.JupyterOptions{Args: []string{noTerminals}}, "kernel"},
		{"Notebook 6, kernels only", hubtest.JupyterOptions{Version: "hub4", Module: "notebook", Args: []string{"--NotebookApp.terminals_enabled=False"}}, "kernel"},
	}, 3) {
		t.Run(c.name, func(t *testing.T) {
			c.server.Home = filepath.Join(t.TempDir(), `it's "my" $HOME`)
			require.NoError(t, os.Mkdir(c.server.Home, 0o755))
			gitconfig := filepath.Join(c.server.Home, ".gitconfig")
			const mine = "[user]\n\tname = Ada\n[credential]\n\thelper = store"
			require.NoError(t, os.WriteFile(gitconfig, []byte(mine), 0o600))
			s := start(t, c.server)
			d := newDeliverer(t, deliver.Options{})

			for range 2 {
				method, err := d.Deliver(t.Context(), s.target, gitCredential("https://github.com", token))
				require.NoError(t, err)
				require.Equal(t, c.method, method)
			}
			require.Contains(t, fill(t, s.Home), "password="+token+"\n")
			require.Equal(t, []string{
				".config/ghscoped", ".config/ghscoped/.gitignore", ".config/ghscoped/gitconfig",
				".config/ghscoped/github.com", ".config/ghscoped/github.com/credential",
				".config/ghscoped/github.com/git-credential-ghscoped", ".config/ghscoped/github.com/gitconfig", ".gitconfig",
			}, traces(t, s.Home))
			info, err := os.Stat(filepath.Join(s.Home, ".config/ghscoped/github.com/credential"))
			require.NoError(t, err)
			require.Equal(t, os.FileMode(0o600), info.Mode())
			s.requireTidy()

			method, err := d.Remove(t.Context(), s.target)
			require.NoError(t, err)
			require.Equal(t, c.method, method)
			require.Empty(t, traces(t, s.Home))
			content, err := os.ReadFile(gitconfig)
			require.NoError(t, err)
			require.Equal(t, mine, string(content))
			s.requireTidy()
		})
	}
}

func TestDeliveryNamesAnErrorAndLeavesNothingBehind(t *testing.T) {
	for _, c := range hubtest.Some([]struct {
		name    string
		prepare func(t *testing.T, home string)
		server  hubtest.JupyterOptions
		code    string
	}{
		{name: "read-only home", code: "read_only_home", prepare: func(t *testing.T, home string) {
			mount(t, "tmpfs", home, "tmpfs", syscall.MS_RDONLY, "")
		}},
		{name: "full disk", code: "disk_full", prepare: func(t *testing.T, home string) {
			mount(t, "tmpfs", home, "tmpfs", 0, "size=64k")
			require.ErrorIs(t, os.WriteFile(home+"/big", make([]byte, 1<<20), 0o600), syscall.ENOSPC)
		}},
		{name: "disk without a free inode", code: "disk_full", prepare: func(t *testing.T, home string) {
			mount(t, "tmpfs", home, "tmpfs", 0, "nr_inodes=2")
			require.NoError(t, os.WriteFile(home+"/last", nil, 0o600))
		}},
		{name: "symlink at the target", code: "symlink_refused", prepare: func(t *testing.T, home string) {
			require.NoError(t, os.MkdirAll(home+"/.config/ghscoped/github.com", 0o700))
			require.NoError(t, os.Symlink("/dev/null", home+"/.config/ghscoped/github.com/credential"))
		}},
		{name: "somebody else's file at the target", code: "foreign_owner", prepare: func(t *testing.T, home string) {
			require.NoError(t, os.MkdirAll(home+"/.config/ghscoped/github.com", 0o700))
			require.NoError(t, os.WriteFile(home+"/.config/ghscoped/github.com/credential", nil, 0o666))
			require.NoError(t, os.Chown(home+"/.config/ghscoped/github.com/credential", 65534, 65534))
		}},
		{name: "git configuration on a mount of its own", code: "git_config_not_writable", prepare: func(t *testing.T, home string) {
			noOther(t, home)
			require.NoError(t, os.WriteFile(home+"/.gitconfig", []byte("[user]\n"), 0o600))
			mount(t, home+"/.gitconfig", home+"/.gitconfig", "", syscall.MS_BIND, "")
		}},
		{name: "git configuration linked to a read-only place", code: "git_config_not_writable", prepare: func(t *testing.T, home string) {
			noOther(t, home)
			readOnly := t.TempDir()
			mount(t, "tmpfs", readOnly, "tmpfs", syscall.MS_RDONLY, "")
			require.NoError(t, os.Symlink(readOnly+"/config", home+"/.gitconfig"))
		}},
		{name: "no terminals and no Python kernel", code: "no_way_in",
			server: hubtest.JupyterOptions{Args: []string{noTerminals, noPython, "--KernelSpecManager.ensure_native_kernel=False"}}},
	}, 7) {
		t.Run(c.name, func(t *testing.T) {
			c.server.Home = t.TempDir()
			if c.prepare != nil {
				c.prepare(t, c.server.Home)
			}
			before := listing(t, c.server.Home)
			s := start(t, c.server)
			_, err := newDeliverer(t, deliver.Options{GHCommand: true}).Deliver(t.Context(), s.target, gitCredential("https://github.com", token))
			require.Equal(t, c.code, code(t, err), "%v", err)
			require.Equal(t, before, listing(t, s.Home))
			s.requireTidy()
		})
	}
}

// noOther leaves git no other file than ~/.gitconfig.
func noOther(t *testing.T, home string) {
	t.Helper()
	require.NoError(t, os.Mkdir(home+"/.config", 0o700))
	require.NoError(t, os.WriteFile(home+"/.config/git", nil, 0o600))
}

// Nothing is sent to a server, nor is anything taken out of it, that does not show
// the token of the one that is meant.
func TestDeliveryLeavesAloneAServerThatDoesNotShowItsToken(t *testing.T) {
	for _, c := range []struct {
		name   string
		server hubtest.JupyterOptions
	}{
		{"terminal", hubtest.JupyterOptions{}},
		{"kernel", hubtest.JupyterOptions{Args: []string{noTerminals}}},
	} {
		for name, shown := range map[string]string{"none": "", "another server's": "0wnT0kenOfAnother"} {
			t.Run(c.name+", "+name, func(t *testing.T) {
				c.server.Home = t.TempDir()
				c.server.Env = []string{"JUPYTERHUB_API_TOKEN=" + shown}
				s := start(t, c.server)
				d := newDeliverer(t, deliver.Options{})
				method, err := d.Deliver(t.Context(), s.target, gitCredential("https://github.com", token))
				require.Equal(t, "server_unproven", code(t, err), "%v", err)
				require.Equal(t, c.name, method, "no other way is tried")
				require.Empty(t, traces(t, s.Home))
				_, err = d.Remove(t.Context(), s.target)
				require.Equal(t, "server_unproven", code(t, err), "%v", err)
				require.NotContains(t, err.Error(), "0wnT0ken")
				s.requireTidy()
			})
		}
	}
}

func mount(t *testing.T, source, target, kind string, flags uintptr, data string) {
	t.Helper()
	require.NoError(t, syscall.Mount(source, target, kind, flags, data))
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(target, syscall.MNT_DETACH)) })
}

// listing is every path below a home with its size, mode and link, except for
// what Jupyter itself makes at its start.
func listing(t *testing.T, home string) []string {
	t.Helper()
	output, err := exec.Command("find", home, "-ignore_readdir_race", "-mindepth", "1", "-printf", `%P %s %m %l\n`).Output()
	require.NoError(t, err)
	return slices.DeleteFunc(strings.Split(string(output), "\n"), func(line string) bool {
		return strings.HasPrefix(line, ".ipython") || strings.HasPrefix(line, ".local") || strings.HasPrefix(line, ".npm") || strings.HasPrefix(line, ".cache")
	})
}

func TestKernelFindsAnotherShellThanBinSh(t *testing.T) {
	elsewhere := t.TempDir()
	busybox, err := exec.LookPath("busybox")
	require.NoError(t, err, "this test needs busybox; on Debian: apt-get install busybox")
	require.NoError(t, os.Symlink(busybox, elsewhere+"/sh"))
	options := hubtest.JupyterOptions{Home: t.TempDir(), Env: []string{"PATH=" + elsewhere + ":" + os.Getenv("PATH")}}
	s := start(t, options)
	takeAway(t, "/bin/sh")

	method, err := newDeliverer(t, deliver.Options{}).Deliver(t.Context(), s.target, gitCredential("https://github.com", token))
	require.NoError(t, err)
	require.Equal(t, "kernel", method)
	content, err := os.ReadFile(s.Home + "/.config/ghscoped/github.com/gitconfig")
	require.NoError(t, err)
	require.Contains(t, string(content), elsewhere+"/sh", "git is told to run the helper by that shell")
	s.requireTidy()
}

func TestKernelNamesTheCauseWithoutAnyShell(t *testing.T) {
	python := t.TempDir() // a path without any sh
	s := start(t, hubtest.JupyterOptions{Home: t.TempDir(), Env: []string{"PATH=" + python}})
	takeAway(t, "/bin/sh")
	_, err := newDeliverer(t, deliver.Options{}).Deliver(t.Context(), s.target, gitCredential("https://github.com", token))
	require.Equal(t, "no_shell", code(t, err), "%v", err)
	require.Empty(t, traces(t, s.Home))
	s.requireTidy()
}

// takeAway makes a program one that cannot be run, for the rest of the test.
func takeAway(t *testing.T, program string) {
	t.Helper()
	program, err := filepath.EvalSymlinks(program)
	require.NoError(t, err)
	nothing := filepath.Join(t.TempDir(), "nothing")
	require.NoError(t, os.WriteFile(nothing, nil, 0o600))
	mount(t, nothing, program, "", syscall.MS_BIND, "")
}
