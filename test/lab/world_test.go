package lab_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/githubsim"
	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

// world is what all tests share. Each test is a Hub user and a GitHub account of
// its own there.
type world struct {
	*rig.World
	bin     string // folder of ghscoped and its other names
	service string // the program
	// What a server's environment needs to have the extension, and the Git panel too.
	extension, lab map[string]string
	users          atomic.Int64
}

var shared *world

func TestMain(m *testing.M) { rig.Main(m, start) }

func start(s *rig.Shared) error {
	w := &world{bin: filepath.Join(s.Folder, "bin")}
	shared = w
	var err error
	if w.service, err = rig.Build(s.Folder, "cmd/ghscoped-service"); err != nil {
		return err
	}
	program, err := rig.Build(w.bin, "cmd/ghscoped")
	if err != nil {
		return err
	}
	if err := os.Symlink(program, filepath.Join(w.bin, "git-credential-ghscoped")); err != nil {
		return err
	}
	github, err := s.GitHub(githubsim.Options{Interval: time.Second})
	if err != nil {
		return err
	}
	panel, err := hubtest.GitPanel()
	if err != nil {
		return err
	}
	extension := filepath.Join(s.Folder, "extension")
	if err := install(extension, program); err != nil {
		return err
	}
	if w.extension, err = hubtest.BesideLab(extension); err != nil {
		return err
	}
	if w.lab, err = hubtest.BesideLab(extension, panel); err != nil {
		return err
	}
	w.World, err = s.World(w.options(github, nil))
	return err
}

// options are those of a Hub with the service in pull mode, whose servers have the
// extension and the Git panel.
func (w *world) options(github *githubsim.Server, settings map[string]string) rig.WorldOptions {
	server := map[string]string{"GHSCOPED_GITHUB_URL": github.URL(), "GIT_CONFIG_NOSYSTEM": "1", "PATH": w.bin + string(os.PathListSeparator) + os.Getenv("PATH")}
	maps.Copy(server, w.lab)
	service := map[string]string{"GHSCOPED_DELIVERY": "pull", "GHSCOPED_LOG_LEVEL": "warn"}
	maps.Copy(service, settings)
	return rig.WorldOptions{Program: w.service, GitHub: github, Serve: (*rig.World).Run, Hub: hubtest.Options{ServiceEnv: service, ServerEnv: server}}
}

// withWebFlow is a world of its own, where the web flow is configured.
func withWebFlow(t *testing.T) *world {
	t.Helper()
	const secret = "web-flow-secret"
	file := filepath.Join(t.TempDir(), "client-secret")
	require.NoError(t, os.WriteFile(file, []byte(secret), 0o600))
	github := rig.NewGitHub(t, githubsim.Options{Interval: time.Second})
	w := &world{bin: shared.bin, service: shared.service, lab: shared.lab}
	w.World = rig.NewWorld(t, w.options(github, map[string]string{"GHSCOPED_CLIENT_SECRET_FILE": file}))
	require.NoError(t, github.PutApp(githubsim.App{
		ClientID: githubsim.DefaultClientID, Slug: githubsim.DefaultSlug, ClientSecret: secret,
		CallbackURLs: []string{w.Hub.ServiceURL + "github_callback"},
	}))
	return w
}

// install builds the Python package, with the program and the JupyterLab extension
// in it, and installs it into a folder, for the Python of the servers.
func install(folder, program string) error {
	root, err := hubtest.Root()
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(root, "python/labextension/dist/package.json")); err != nil {
		return fmt.Errorf("the JupyterLab extension is not built: run make labextension: %w", err)
	}
	machine := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]
	build := exec.Command(filepath.Join(root, ".demo/wheel/bin/python"), "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check",
		"--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", folder, filepath.Join(root, "python"))
	build.Env = append(os.Environ(), "GHSCOPED_BINARY="+program, "GHSCOPED_PLATFORM=linux_"+machine)
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("the Python package does not build (demo/install.sh wheel): %w: %s", err, out)
	}
	wheels, err := filepath.Glob(filepath.Join(folder, "*.whl"))
	if err != nil {
		return err
	}
	pip := exec.Command(filepath.Join(root, ".demo/hub6/bin/python"), append([]string{"-m", "pip", "install", "--quiet", "--disable-pip-version-check",
		"--no-deps", "--no-index", "--no-warn-script-location", "--ignore-installed", "--prefix", folder}, wheels...)...)
	if out, err := pip.CombinedOutput(); err != nil {
		return fmt.Errorf("the wheel cannot be installed: %w: %s", err, out)
	}
	return nil
}

// person is a Hub user with a running server, and the GitHub account of the same
// name with the repositories NAME/hello and NAME/private, which the App is installed
// on. The server's home has a clone of the first, with a commit that is not pushed yet.
type person struct {
	*world
	name       string
	repository string
	server     string // address of the server; ends with "/"
	terminal   *hubtest.Terminal
}

func newPerson(t *testing.T) *person { t.Helper(); return shared.newPerson(t) }

func (w *world) newPerson(t *testing.T) *person {
	t.Helper()
	return w.newPersonNamed(t, fmt.Sprintf("user%d", w.users.Add(1)), "hello")
}

func (w *world) newPersonNamed(t *testing.T, name, repository string) *person {
	t.Helper()
	p := &person{world: w, name: name, repository: name + "/" + repository}
	require.NoError(t, p.newAccount(hubtest.Context(t)))
	p.server = w.StartServer(t, p.name, "")
	p.terminal = w.OpenTerminal(t, p.name, "")
	// A terminal begins with a login shell, which on some systems sets PATH again.
	rig.Shell(t, p.terminal, "PATH="+w.bin+":$PATH; export PATH")
	rig.Shell(t, p.terminal, "ghscoped setup && git config --global user.name Me && git config --global user.email me@example.org")
	rig.Shell(t, p.terminal, "git clone -q "+w.GitHub.URL()+"/"+p.repository+" && git -C "+repository+" commit -q --allow-empty -m 'From the panel'")
	return p
}

func (p *person) newAccount(ctx context.Context) error {
	private := p.name + "/private"
	err := errors.Join(p.Hub.CreateUser(ctx, p.name), p.GitHub.AddAccount(githubsim.Account{Login: p.name}),
		p.GitHub.AddRepository(githubsim.Repository{FullName: p.repository}),
		p.GitHub.AddRepository(githubsim.Repository{FullName: private, Private: true}))
	if err != nil {
		return err
	}
	_, err = p.GitHub.InstallApp(p.GitHub.Info().ClientID, p.name, false, p.repository, private)
	return err
}

// connect connects the person with the token of their server, as a program there
// does.
func (p *person) connect(t *testing.T) {
	t.Helper()
	token, err := p.Hub.ServerToken(hubtest.Context(t), p.name, "")
	require.NoError(t, err)
	p.Connect(t, p.Hub.Holder(token), p.name)
}

// hasPushed reports whether GitHub has taken a push of the person.
func (p *person) hasPushed() bool {
	return rig.Pushed(p.GitHub, p.repository, p.name)
}
