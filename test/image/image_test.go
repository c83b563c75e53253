package image_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

const (
	root    = "../.."
	version = "v1.2.3"
	// limit is for what is pulled, which is compressed.
	limit = 20 << 20
)

var architectures = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}

// builder is buildah with a store of its own, and a copy of the source that
// nobody changes meanwhile.
type builder struct {
	t      *testing.T
	args   []string
	source string
}

func newBuilder(t *testing.T) *builder {
	t.Helper()
	require.Zero(t, os.Geteuid(), "buildah's chroot isolation is for root here")
	_, err := exec.LookPath("buildah")
	require.NoError(t, err, "run demo/install.sh buildah")
	store := t.TempDir()
	t.Cleanup(func() { _ = exec.Command("chmod", "-R", "u+w", store).Run() })
	return &builder{t, []string{"--storage-driver", "vfs", "--root", store + "/root", "--runroot", store + "/run"}, snapshot(t)}
}

// snapshot copies what the Dockerfile sees: .dockerignore names it.
func snapshot(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	ignore, err := os.ReadFile(root + "/.dockerignore")
	require.NoError(t, err)
	for line := range strings.Lines("!Dockerfile\n!.dockerignore\n" + string(ignore)) {
		name, wanted := strings.CutPrefix(strings.TrimSpace(line), "!")
		if !wanted {
			continue
		}
		info, err := os.Stat(filepath.Join(root, name))
		require.NoError(t, err)
		if info.IsDir() {
			require.NoError(t, os.CopyFS(filepath.Join(folder, name), os.DirFS(filepath.Join(root, name))))
			continue
		}
		content, err := os.ReadFile(filepath.Join(root, name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), content, 0o644))
	}
	return folder
}

// run is buildah with these arguments; what it printed, trimmed.
func (b *builder) run(args ...string) string {
	b.t.Helper()
	command := exec.Command("buildah", append(b.args, args...)...)
	var out, complaint bytes.Buffer
	command.Stdout, command.Stderr = &out, &complaint
	require.NoError(b.t, command.Run(), "buildah %s\n%s%s", strings.Join(args, " "), out.String(), complaint.String())
	return strings.TrimSpace(out.String())
}

// base makes the image that stands in for the official one of Go.
func (b *builder) base(name string) {
	b.t.Helper()
	container := b.run("from", "scratch")
	shell, err := filepath.EvalSymlinks("/bin/sh")
	require.NoError(b.t, err)
	b.run("copy", container, shell, "/bin/sh")
	libraries, err := exec.Command("ldd", shell).Output()
	require.NoError(b.t, err)
	for _, word := range strings.Fields(string(libraries)) {
		if strings.HasPrefix(word, "/") {
			b.run("copy", container, word, word)
		}
	}
	b.run("copy", container, "/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/certs/ca-certificates.crt")
	empty := b.t.TempDir()
	b.run("copy", "--chmod", "1777", container, empty, "/tmp")
	b.run("config", "--env", "PATH=/usr/local/go/bin:/bin", "--env", "GOPATH=/go", "--env", "GOCACHE=/cache",
		"--env", "GOTOOLCHAIN=local", "--env", "GOPROXY=off", container)
	b.run("commit", container, name)
}

// digest is an image's, which covers its layers and its description.
func (b *builder) digest(name string) string {
	b.t.Helper()
	return b.run("inspect", "--type", "image", "--format", "{{.FromImageDigest}}", "localhost/"+name)
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.Command("go", "env", name).Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(out))
}

// build makes the image for an architecture and returns the folder of its
// files. Modules and what is compiled already come from this machine.
func (b *builder) build(architecture string) (name, files string) {
	b.t.Helper()
	name = "ghscoped:" + architecture
	b.run("build", "--isolation", "chroot", "--file", filepath.Join(b.source, "Dockerfile"), "--tag", name,
		"--build-arg", "BUILDER=localhost/builder", "--build-arg", "VERSION="+version,
		"--platform", "linux/"+architecture,
		"--build-arg", "BUILDPLATFORM=linux/"+runtime.GOARCH, // newer ones of buildah set it themselves
		"--timestamp", "1767225600",
		"--volume", goEnv(b.t, "GOROOT")+":/usr/local/go:ro", "--volume", goEnv(b.t, "GOMODCACHE")+":/go/pkg/mod",
		"--volume", goEnv(b.t, "GOCACHE")+":/cache", b.source)
	container := b.run("from", "--pull-never", "localhost/"+name)
	return name, b.run("mount", container)
}

func sum(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	hash := sha256.Sum256(content)
	return hex.EncodeToString(hash[:])
}

func TestImage(t *testing.T) {
	b := newBuilder(t)
	out, err := exec.Command("go", "mod", "download").CombinedOutput()
	require.NoError(t, err, "%s", out)
	b.base("localhost/builder")
	images := map[string]string{}
	for architecture, machine := range architectures {
		name, files := b.build(architecture)
		images[architecture] = files
		t.Run(architecture+" has static programs", func(t *testing.T) { requireStatic(t, files, machine) })
		t.Run(architecture+" is small", func(t *testing.T) { requireSmall(t, files) })
		t.Run(architecture+" is built the same elsewhere", func(t *testing.T) { b.requireReproducible(t, files, architecture) })
		t.Run(architecture+" has labels and a user", func(t *testing.T) { b.requireDescribed(t, name, architecture) })
	}
	files := images[runtime.GOARCH]
	require.NotEmpty(t, files, "this machine's own")
	t.Run("built again it is the same to the last byte", func(t *testing.T) {
		first := b.digest("ghscoped:" + runtime.GOARCH)
		again, _ := b.build(runtime.GOARCH)
		require.Equal(t, first, b.digest(again))
	})
	t.Run("it runs without power on a root that it cannot write", func(t *testing.T) { requireRuns(t, files) })
	t.Run("it installs the command for users' servers", func(t *testing.T) { requireInstalls(t, files) })
}

func programs(files string) []string {
	return []string{files + "/usr/local/bin/ghscoped-service", files + "/usr/local/bin/ghscoped"}
}

func requireStatic(t *testing.T, files string, machine elf.Machine) {
	for _, path := range programs(files) {
		program, err := elf.Open(path)
		require.NoError(t, err)
		require.Equal(t, machine, program.Machine)
		for _, part := range program.Progs {
			require.NotContains(t, []elf.ProgType{elf.PT_INTERP, elf.PT_DYNAMIC}, part.Type, path)
		}
		require.NoError(t, program.Close())
	}
	require.NoFileExists(t, files+"/bin/sh", "there is nothing else in it")
}

// requireSmall packs the files as a registry keeps them.
func requireSmall(t *testing.T, files string) {
	var packed bytes.Buffer
	zipped := gzip.NewWriter(&packed)
	archive := tar.NewWriter(zipped)
	require.NoError(t, archive.AddFS(os.DirFS(files)))
	require.NoError(t, errors.Join(archive.Close(), zipped.Close()))
	t.Logf("%.1f MB to pull", float64(packed.Len())/1e6)
	for _, path := range programs(files) {
		info, err := os.Stat(path)
		require.NoError(t, err)
		t.Logf("%s: %.1f MB", filepath.Base(path), float64(info.Size())/1e6)
	}
	require.Less(t, packed.Len(), limit)
}

// requireReproducible builds the same with nothing of the Dockerfile but its
// flags, in another folder.
func (b *builder) requireReproducible(t *testing.T, files, architecture string) {
	recipe, err := os.ReadFile(b.source + "/Dockerfile")
	require.NoError(t, err)
	_, flags, found := strings.Cut(string(recipe), `-ldflags "`)
	require.True(t, found)
	flags, _, _ = strings.Cut(flags, `"`)
	folder := t.TempDir()
	command := exec.Command("go", "build", "-trimpath", "-buildvcs=false",
		"-ldflags", strings.ReplaceAll(flags, "${VERSION}", version), "-o", folder+"/", "./cmd/ghscoped-service", "./cmd/ghscoped")
	command.Dir = b.source
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+architecture, "GOFLAGS=")
	out, err := command.CombinedOutput()
	require.NoError(t, err, "%s", out)
	for _, path := range programs(files) {
		require.Equal(t, sum(t, filepath.Join(folder, filepath.Base(path))), sum(t, path), path)
	}
}

func (b *builder) requireDescribed(t *testing.T, name, architecture string) {
	var image struct {
		OCIv1 struct {
			Created      string
			Architecture string
			Config       struct {
				User       string
				Entrypoint []string
				Labels     map[string]string
			}
		}
	}
	require.NoError(t, json.Unmarshal([]byte(b.run("inspect", "--type", "image", "localhost/"+name)), &image))
	require.Equal(t, architecture, image.OCIv1.Architecture)
	require.Equal(t, "65532:65532", image.OCIv1.Config.User)
	require.Equal(t, []string{"/usr/local/bin/ghscoped-service"}, image.OCIv1.Config.Entrypoint)
	require.Equal(t, version, image.OCIv1.Config.Labels["org.opencontainers.image.version"])
	require.Equal(t, "BSD-3-Clause", image.OCIv1.Config.Labels["org.opencontainers.image.licenses"])
	require.True(t, strings.HasPrefix(image.OCIv1.Created, "2026-01-01T00:00:00"), "the time that was given, not that of the build")
}

// inside runs a program of the image in it: as the image's user, on a root that
// is mounted read-only, with one folder of its own at /var/lib/ghscoped.
func inside(ctx context.Context, t *testing.T, files, own string, environ []string, args ...string) *exec.Cmd {
	t.Helper()
	for _, folder := range []string{"/var/lib/ghscoped", "/proc"} { // an engine makes what it mounts on
		require.NoError(t, os.MkdirAll(files+folder, 0o755))
	}
	const script = `set -e
root=$1 own=$2
shift 2
mount --bind "$root" "$root"
mount --bind "$own" "$root/var/lib/ghscoped"
mount --bind /proc "$root/proc"
mount -o remount,ro,bind "$root"
exec chroot --userspec=65532:65532 --groups= "$root" "$@"`
	command := exec.CommandContext(ctx, "unshare", append([]string{"--mount", "sh", "-c", script, "sh", files, own}, args...)...)
	command.Env = append(environ, "PATH="+os.Getenv("PATH"))
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	return command
}

func ownFolder(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	require.NoError(t, os.Chown(folder, 65532, 65532))
	return folder
}

func requireRuns(t *testing.T, files string) {
	own, health := ownFolder(t), rig.FreeAddress(t)
	environ := []string{
		"JUPYTERHUB_SERVICE_NAME=connect-github", "JUPYTERHUB_API_URL=http://127.0.0.1:1/hub/api", "JUPYTERHUB_API_TOKEN=some-token",
		"GHSCOPED_CLIENT_ID=Iv23example", "GHSCOPED_APP_URL=https://github.com/apps/example", "GHSCOPED_PROXY_URL=http://127.0.0.1:1",
		"GHSCOPED_LISTEN=" + rig.FreeAddress(t), "GHSCOPED_METRICS_ADDR=" + health,
	}
	const program = "/usr/local/bin/ghscoped-service"
	stored := append(environ, "GHSCOPED_STORE=bolt:/var/lib/ghscoped/ghscoped.db")

	var log bytes.Buffer
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	running := inside(ctx, t, files, own, stored, program)
	running.Stdout, running.Stderr = &log, &log
	require.NoError(t, running.Start())
	require.Eventually(t, func() bool {
		response, err := http.Get("http://" + health + "/healthz")
		if err == nil {
			_, _ = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
		}
		return err == nil && response.StatusCode == http.StatusOK
	}, hubtest.Patience, 20*time.Millisecond)

	out, err := inside(t.Context(), t, files, own, stored, program, "healthcheck").CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Equal(t, "ok\n", string(out))
	info, err := os.Stat(own + "/ghscoped.db")
	require.NoError(t, err)
	require.EqualValues(t, 65532, info.Sys().(*syscall.Stat_t).Uid)

	stop()
	_ = running.Wait()
	require.Equal(t, 0, running.ProcessState.ExitCode(), log.String())
	require.Contains(t, log.String(), `"version":"`+version+`"`)

	out, err = inside(t.Context(), t, files, own, stored, program, "healthcheck").CombinedOutput()
	require.Error(t, err, "nobody is there any more")
	require.Contains(t, string(out), "not well")
	out, err = inside(t.Context(), t, files, own, append(environ, "GHSCOPED_STORE=bolt:/ghscoped.db"), program).CombinedOutput()
	require.Error(t, err, "the root is read-only")
	require.Contains(t, string(out), "read-only file system")
}

func requireInstalls(t *testing.T, files string) {
	own := ownFolder(t)
	out, err := inside(t.Context(), t, files, own, nil, "/usr/local/bin/ghscoped-service", "install", "/var/lib/ghscoped").CombinedOutput()
	require.NoError(t, err, "%s", out)
	out, err = exec.Command(own+"/ghscoped", "--version").CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Equal(t, "ghscoped version "+version+"\n", string(out))
	require.Equal(t, sum(t, files+"/usr/local/bin/ghscoped"), sum(t, own+"/git-credential-ghscoped"))
}
