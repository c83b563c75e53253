package images_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// wheelsVersion is what a release says they are of.
const wheelsVersion = "v1.2.3"

// wheels builds the Python package from a copy of what it is made of, without
// asking anybody.
func wheels(t *testing.T) (folder string) {
	t.Helper()
	python := demo(t, "wheel", "bin", "python")
	demo(t, "labextension", "package.json") // what builds the JupyterLab extension
	checkout := t.TempDir()
	for _, part := range []string{"cmd", "internal", "web", "python"} {
		require.NoError(t, os.CopyFS(filepath.Join(checkout, part), os.DirFS(filepath.Join(root, part))))
	}
	for _, file := range []string{"go.mod", "go.sum"} {
		content, err := os.ReadFile(filepath.Join(root, file))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(checkout, file), content, 0o600))
	}
	// As pip reads it, this says that the builder is here already.
	run(t, checkout, []string{"PYTHON=" + python, "PIP_NO_BUILD_ISOLATION=0", "PIP_NO_INDEX=1", "GOFLAGS=-mod=mod", "GOPROXY=off", "VERSION=" + wheelsVersion}, "sh", "python/build.sh")
	return filepath.Join(checkout, "dist")
}

// demo is a program of the rig.
func demo(t *testing.T, part string, path ...string) string {
	t.Helper()
	program, err := filepath.Abs(filepath.Join(append([]string{root, ".demo", part}, path...)...))
	require.NoError(t, err)
	require.FileExists(t, program, "run demo/install.sh %s", part)
	return program
}

func TestWheelsWork(t *testing.T) {
	t.Parallel()
	dist := wheels(t)
	t.Run("pip install ghscoped, and once ghscoped setup", func(t *testing.T) {
		t.Parallel()
		document, err := os.ReadFile(root + "/docs/images.md")
		require.NoError(t, err)
		require.Contains(t, string(document), "`pip install ghscoped`")
		// An environment of its own that has IPython, as every Jupyter server's.
		folder, hub := t.TempDir(), demo(t, "hub6", "bin", "python")
		run(t, "", nil, hub, "-m", "venv", folder)
		packages := strings.TrimSpace(run(t, "", nil, hub, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"))
		own := strings.TrimSpace(run(t, "", nil, folder+"/bin/python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"))
		require.NoError(t, os.WriteFile(filepath.Join(own, "hub.pth"), []byte(packages+"\n"), 0o600))
		run(t, "", nil, folder+"/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--find-links", dist, "ghscoped")

		env := []string{"HOME=" + t.TempDir(), "PATH=" + folder + "/bin:" + os.Getenv("PATH"), "GIT_CONFIG_NOSYSTEM=1"}
		require.Contains(t, run(t, "", env, "sh", "-c", "ghscoped setup"), "git now asks ghscoped for https://github.com")
		require.Contains(t, run(t, "", env, "git", "config", "--get-all", "credential.https://github.com.helper"), folder+"/bin/ghscoped")
		require.Contains(t, run(t, "", env, "sh", "-c", "gh-scoped-creds --help"), "ghscoped gh-scoped-creds [flags]")
		require.Empty(t, run(t, "", env, "sh", "-c", "echo | git-credential-ghscoped get"), "silent where it was not asked")
		require.Regexp(t, `ghscoped v[\d.]+ .*enabled.*OK`, run(t, "", env, folder+"/bin/python", "-m", "jupyterlab.labextensions", "list"))
		require.Regexp(t, `ghscoped\.server[^\n]*enabled(?s:.*)ghscoped\.server[^\n]*OK`, run(t, "", env, folder+"/bin/python", "-m", "jupyter_server.extension.serverextension", "list"))
		for _, module := range []string{"ghscoped", "gh_scoped_creds"} {
			said := run(t, "", env, folder+"/bin/python", "-m", "IPython", "--no-banner", "-c", "import "+module+"\nget_ipython().run_line_magic('ghscoped', 'status')")
			require.Contains(t, said, "Nothing here says where the service", "the magic runs the wheel's program")
		}
	})
	t.Run("the program for aarch64", func(t *testing.T) {
		t.Parallel()
		found, err := filepath.Glob(dist + "/ghscoped-*aarch64.whl")
		require.NoError(t, err)
		require.Len(t, found, 1)
		folder := t.TempDir()
		run(t, folder, nil, demo(t, "hub6", "bin", "python"), "-m", "zipfile", "-e", found[0], ".")
		programs, err := filepath.Glob(folder + "/ghscoped-*.data/scripts/ghscoped")
		require.NoError(t, err)
		require.Len(t, programs, 1)
		require.NoError(t, os.Chmod(programs[0], 0o755)) // as pip does
		qemu, err := exec.LookPath("qemu-aarch64-static")
		require.NoError(t, err)
		said := run(t, "", []string{"HOME=" + folder}, qemu, programs[0], "--version")
		require.Equal(t, "ghscoped version "+wheelsVersion+"\n", said)
		// The git of this machine cannot start it, so none is to be tried.
		require.Contains(t, run(t, "", []string{"HOME=" + folder, "PATH=/nonexistent"}, qemu, programs[0], "setup"), "git now asks")
	})
}
