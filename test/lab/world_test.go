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
	bin   string // folder of ghscoped and its other names
	users atomic.Int64
}

var shared *world

func TestMain(m *testing.M) { rig.Main(m, start) }

func start(s *rig.Shared) error {
	w := &world{bin: filepath.Join(s.Folder, "bin")}
	shared = w
	service, err := rig.Build(s.Folder, "cmd/ghscoped-service")
	if err != nil {
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
	env, err := hubtest.BesideLab(extension, panel)
	if err != nil {
		return err
	}
	maps.Copy(env, map[string]string{
		"GHSCOPED_GITHUB_URL": github.URL(), "GIT_CONFIG_NOSYSTEM": "1", "PATH": w.bin + string(os.PathListSeparator) + os.Getenv("PATH"),
	})
	w.World, err = s.World(rig.WorldOptions{Program: service, GitHub: github, Serve: (*rig.World).Run, Hub: hubtest.Options{
		ServiceEnv: map[string]string{"GHSCOPED_DELIVERY": "pull", "GHSCOPED_LOG_LEVEL": "warn"}, ServerEnv: env,
	}})
	return err
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
// name with the repository NAME/hello, which the App is installed on. The server's
// home has its clone, with a commit that is not pushed yet.
type person struct {
	name       string
	repository string
	server     string // address of the server; ends with "/"
	terminal   *hubtest.Terminal
}

func newPerson(t *testing.T) *person {
	t.Helper()
	ctx := hubtest.Context(t)
	p := &person{name: fmt.Sprintf("user%d", shared.users.Add(1))}
	p.repository = p.name + "/hello"
	require.NoError(t, shared.newAccount(ctx, p))
	p.server = shared.StartServer(t, p.name, "")
	p.terminal = shared.OpenTerminal(t, p.name, "")
	// A terminal begins with a login shell, which on some systems sets PATH again.
	rig.Shell(t, p.terminal, "PATH="+shared.bin+":$PATH; export PATH")
	rig.Shell(t, p.terminal, "ghscoped setup && git config --global user.name Me && git config --global user.email me@example.org")
	rig.Shell(t, p.terminal, "git clone -q "+shared.GitHub.URL()+"/"+p.repository+" && git -C hello commit -q --allow-empty -m 'From the panel'")
	return p
}

func (w *world) newAccount(ctx context.Context, p *person) error {
	err := errors.Join(w.Hub.CreateUser(ctx, p.name), w.GitHub.AddAccount(githubsim.Account{Login: p.name}),
		w.GitHub.AddRepository(githubsim.Repository{FullName: p.repository}),
		w.GitHub.AddRepository(githubsim.Repository{FullName: p.name + "/private", Private: true}))
	if err != nil {
		return err
	}
	_, err = w.GitHub.InstallApp(w.GitHub.Info().ClientID, p.name, false, p.repository)
	return err
}

// connect connects the person with the token of their server, as a program there
// does.
func (p *person) connect(t *testing.T) {
	t.Helper()
	token, err := shared.Hub.ServerToken(hubtest.Context(t), p.name, "")
	require.NoError(t, err)
	shared.Connect(t, shared.Hub.Holder(token), p.name)
}

// hasPushed reports whether GitHub has taken a push of the person.
func (p *person) hasPushed() bool {
	return rig.Pushed(shared.GitHub, p.repository, p.name)
}
