package images_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/githubsim"
	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

const root = "../.."

// blocks are the document's of one language.
func blocks(t *testing.T, language string) []string {
	t.Helper()
	content, err := os.ReadFile(root + "/docs/images.md")
	require.NoError(t, err)
	var found []string
	for _, match := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(string(content), -1) {
		found = append(found, match[1])
	}
	require.NotEmpty(t, found)
	return found
}

// world is one with a Hub whose configuration ends with the document's.
type world struct {
	*rig.World
	bin string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	bin := t.TempDir()
	for _, program := range []string{"cmd/ghscoped", "cmd/ghscoped-service"} {
		_, err := rig.Build(bin, program)
		require.NoError(t, err)
	}
	github := rig.NewGitHub(t, githubsim.Options{Interval: time.Second})
	_, err := github.Install("octocat", "notes")
	require.NoError(t, err)
	port := hubtest.FreePort(t)
	hub := hubtest.Options{Port: port, Users: []string{"ada"}, Extra: configuration(t, port),
		ServiceEnv: map[string]string{"GHSCOPED_DELIVERY": "pull", "GHSCOPED_LOG_LEVEL": "warn"},
		ServerEnv:  map[string]string{"GHSCOPED_GITHUB_URL": github.URL()}}
	return &world{rig.NewWorld(t, rig.WorldOptions{Program: bin + "/ghscoped-service", Hub: hub, GitHub: github, Serve: (*rig.World).Run}), bin}
}

// configuration is the document's, which replaces the rig's own lines.
func configuration(t *testing.T, port int) string {
	t.Helper()
	python := blocks(t, "python")
	require.Len(t, python, 2)
	return `
kept = [role for role in c.JupyterHub.load_roles if role["name"] != "server"]
given = dict(c.Spawner.environment)
` + strings.ReplaceAll(strings.Join(python, "\n"), "http://HUB/", fmt.Sprintf("http://127.0.0.1:%d/", port)) + `
assert [role["name"] for role in c.JupyterHub.load_roles] == ["server"]
c.JupyterHub.load_roles.extend(kept)
c.Spawner.environment.update(given)
`
}

// here puts what is on this machine in place of what the document names.
func (w *world) here(text, folder string) string {
	return strings.NewReplacer("/opt/ghscoped", folder, "https://github.com", w.GitHub.URL(), "http://proxy-public/", w.Hub.URL).Replace(text)
}

// approve approves the one code that waits.
func (w *world) approve(ctx context.Context) error {
	code, err := rig.Pending(ctx, w.GitHub, func(githubsim.DevicePolls) bool { return true })
	if err != nil {
		return err
	}
	return w.GitHub.Approve(code, "octocat")
}

// run runs a program of this machine and returns what it printed.
func run(t *testing.T, dir string, env []string, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s %s: %s", program, strings.Join(args, " "), out)
	return string(out)
}
