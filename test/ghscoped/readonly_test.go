package ghscoped_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/hubtest"
)

// What the page says after a delivery into a read-only home: an administrator sets
// up the image, and git asks the service.
func TestPushFromAReadOnlyHomeWhereTheImageIsSetUp(t *testing.T) {
	t.Parallel()
	ctx := hubtest.Context(t)
	p, err := shared.newPerson(ctx)
	require.NoError(t, err)
	require.NoError(t, shared.connect(ctx, p))

	home, work := t.TempDir(), t.TempDir()
	env := append(os.Environ(), "HOME="+home, "GIT_CONFIG_SYSTEM="+filepath.Join(work, "gitconfig"), "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.org",
		"PATH="+shared.bin+string(os.PathListSeparator)+os.Getenv("PATH"), "GHSCOPED_GITHUB_URL="+shared.GitHub.URL())
	for name, value := range shared.serverEnv(p) {
		env = append(env, name+"="+value)
	}
	readOnly := func(line string) string {
		t.Helper()
		command := exec.CommandContext(ctx, "unshare", "-m", "/bin/sh", "-ec",
			`mount --bind "$HOME" "$HOME"; mount -o remount,ro,bind "$HOME"; if touch "$HOME/x" 2>/dev/null; then exit 9; fi; `+line)
		command.Env, command.Dir = env, work
		said, err := command.CombinedOutput()
		require.NoError(t, err, string(said))
		return string(said)
	}
	readOnly("ghscoped setup --system")
	readOnly("git clone -q " + shared.GitHub.URL() + "/" + p.name + "/notes && cd notes && git commit -q --allow-empty -m one && git push -q")
	require.True(t, shared.hasPushed(p, p.name+"/notes"))
	require.True(t, strings.Contains(readOnly("ghscoped status"), p.name+"/notes"))
}
