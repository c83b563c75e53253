package images_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/ghscoped/ghscoped-service/internal/hubtest"
)

// singleuser is what the document has z2jh do to servers.
type singleuser struct {
	InitContainers []struct {
		Args         []string
		VolumeMounts []mount `yaml:"volumeMounts"`
	} `yaml:"initContainers"`
	Storage struct {
		ExtraVolumeMounts []mount `yaml:"extraVolumeMounts"`
	}
	ExtraEnv   map[string]string `yaml:"extraEnv"`
	ExtraFiles map[string]struct {
		MountPath  string `yaml:"mountPath"`
		StringData string `yaml:"stringData"`
	} `yaml:"extraFiles"`
}

type mount struct {
	MountPath string `yaml:"mountPath"`
}

func TestDocumentsLinesWorkInARealServer(t *testing.T) {
	w := newWorld(t)
	ctx := hubtest.Context(t)
	_, err := w.Hub.StartServer(ctx, "ada", "")
	require.NoError(t, err)
	terminal, err := w.Hub.OpenTerminal(ctx, "ada", "")
	require.NoError(t, err)

	t.Run("an init container and the Hub's lines", func(t *testing.T) { w.cluster(ctx, t, terminal) })
	t.Run("an image", func(t *testing.T) { w.image(ctx, t, terminal) })
}

// exports are variables as a line of the shell.
func exports(variables map[string]string) string {
	var line strings.Builder
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		fmt.Fprintf(&line, "export %s='%s'; ", name, variables[name])
	}
	return line.String()
}

func (w *world) cluster(ctx context.Context, t *testing.T, terminal *hubtest.Terminal) {
	var values struct{ Singleuser singleuser }
	yamls := blocks(t, "yaml")
	require.Len(t, yamls, 3)
	require.NoError(t, yaml.Unmarshal([]byte(yamls[1]), &values))
	var alternative singleuser
	require.NoError(t, yaml.Unmarshal([]byte(yamls[2]), &alternative))
	must := func(line string) string {
		t.Helper()
		out, status, err := terminal.Run(ctx, line)
		require.NoError(t, err)
		require.Zero(t, status, "%s\n%s", line, out)
		return out
	}

	// The init container.
	container, folder := values.Singleuser.InitContainers[0], t.TempDir()
	require.Equal(t, container.VolumeMounts[0].MountPath, values.Singleuser.Storage.ExtraVolumeMounts[0].MountPath)
	require.Equal(t, "/opt/ghscoped", container.VolumeMounts[0].MountPath)
	for i, arg := range container.Args {
		container.Args[i] = w.here(arg, folder)
	}
	run(t, "", nil, w.bin+"/ghscoped-service", container.Args...)

	// The server's environment, from the document.
	for name, value := range values.Singleuser.ExtraEnv {
		values.Singleuser.ExtraEnv[name] = w.here(value, folder)
	}
	must("test $GHSCOPED_URL = " + w.Hub.ServiceURL) // by the Hub's line
	must("unset GHSCOPED_URL GIT_CONFIG_NOSYSTEM; export NO_COLOR=1 GIT_TERMINAL_PROMPT=0 GIT_CONFIG_SYSTEM=/dev/null")
	private := w.GitHub.URL() + "/octocat/notes"
	_, status, err := terminal.Run(ctx, "git ls-remote "+private)
	require.NoError(t, err)
	require.NotZero(t, status, "without these lines")

	must(exports(values.Singleuser.ExtraEnv) + "git config --global credential.helper store")
	approved := make(chan error, 1)
	go func() { approved <- w.approve(ctx) }()
	require.Contains(t, must(folder+"/ghscoped login"), "Connected to GitHub as octocat")
	require.NoError(t, <-approved)
	said := must(folder + "/ghscoped doctor")
	require.Contains(t, said, "scope: the service takes this server's token")
	must("git clone -q " + private + " && cd notes && git -c user.name=a -c user.email=a@example.org commit -q --allow-empty -m one && git push -q")
	// The variables did it, the login added a name for commits and no more, and the
	// user's helper got no copy.
	must("git config --file ~/.gitconfig.ghscoped user.name && ! grep -q helper ~/.gitconfig.ghscoped && test ! -e ~/.git-credentials")

	// The file, in place of the variables.
	must("unset GIT_CONFIG_COUNT && rm ~/.gitconfig ~/.gitconfig.ghscoped")
	_, status, err = terminal.Run(ctx, "git ls-remote "+private)
	require.NoError(t, err)
	require.NotZero(t, status, "without either")
	file := alternative.ExtraFiles["gitconfig"]
	require.Equal(t, "/etc/gitconfig", file.MountPath)
	system := filepath.Join(t.TempDir(), "gitconfig")
	require.NoError(t, os.WriteFile(system, []byte(w.here(file.StringData, folder)), 0o644))
	must("export GIT_CONFIG_SYSTEM=" + system + "; git ls-remote " + private)
	require.Contains(t, must(folder+"/ghscoped doctor"), "git-helper: git asks ghscoped")
}

// image builds the Dockerfile's lines on an image of a shell, ln and git, and
// asks the git in there.
func (w *world) image(ctx context.Context, t *testing.T, terminal *hubtest.Terminal) {
	require.Zero(t, os.Geteuid(), "buildah's chroot isolation is for root here")
	_, err := exec.LookPath("buildah")
	require.NoError(t, err, "run demo/install.sh buildah")
	store, source := t.TempDir(), t.TempDir()
	t.Cleanup(func() { _ = exec.Command("chmod", "-R", "u+w", store).Run() })
	buildah := func(args ...string) string {
		t.Helper()
		return strings.TrimSpace(run(t, source, nil, "buildah", append([]string{"--storage-driver", "vfs", "--root", store + "/root", "--runroot", store + "/run"}, args...)...))
	}
	base := buildah("from", "scratch")
	for _, program := range []string{"/bin/sh", "/bin/ln", "/usr/bin/git"} {
		for _, file := range append(libraries(t, program), program) {
			resolved, err := filepath.EvalSymlinks(file)
			require.NoError(t, err)
			buildah("copy", base, resolved, file)
		}
	}
	buildah("config", "--env", "PATH=/usr/local/bin:/usr/bin:/bin", base)
	buildah("commit", base, "localhost/base")
	run(t, source, nil, "cp", w.bin+"/ghscoped", "ghscoped")
	recipe := "FROM localhost/base\nENV GHSCOPED_GITHUB_URL=" + w.GitHub.URL() + "\n" + strings.Join(blocks(t, "dockerfile"), "\n")
	require.NoError(t, os.WriteFile(filepath.Join(source, "Dockerfile"), []byte(recipe), 0o600))
	buildah("build", "--isolation", "chroot", "--tag", "localhost/server", source)

	container := buildah("from", "--pull-never", "localhost/server")
	files := buildah("mount", container)
	inside := func(command string) string {
		t.Helper()
		// Into a file: what comes by buildah's own pipe is sometimes lost.
		buildah("run", "--isolation", "chroot", container, "sh", "-c", "{ "+command+"; } >/printed 2>&1")
		printed, err := os.ReadFile(filepath.Join(files, "printed"))
		require.NoError(t, err)
		return string(printed)
	}
	require.Contains(t, inside("git config --system --get-all credential."+w.GitHub.URL()+".helper"), "/usr/local/bin/ghscoped git-credential-ghscoped")
	require.Contains(t, inside("gh-scoped-creds --help"), "ghscoped gh-scoped-creds [flags]")
	require.Contains(t, inside("echo | git-credential-ghscoped get; echo silent"), "silent")
	own, _, err := terminal.Run(ctx, "echo $JUPYTERHUB_API_TOKEN") // of the server, connected by now
	require.NoError(t, err)
	host := strings.TrimPrefix(w.GitHub.URL(), "http://")
	answer := inside("printf 'protocol=http\\nhost=" + host + "\\n\\n' | JUPYTERHUB_API_TOKEN=" + strings.TrimSpace(own) + " GHSCOPED_URL=" + w.Hub.ServiceURL + " HOME=/ git credential fill")
	require.Contains(t, answer, "password=ghu_")
}

// libraries are the shared ones that a program needs.
func libraries(t *testing.T, program string) (paths []string) {
	t.Helper()
	for _, word := range strings.Fields(run(t, "", nil, "ldd", program)) {
		if strings.HasPrefix(word, "/") {
			paths = append(paths, word)
		}
	}
	return paths
}
