package ghscoped_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// oauthWay is git-credential-oauth as its own "configure" sets it up: git's
// cache in front, which was filled once. So what is measured is that cache, by
// whose daemon every push of its lifetime is answered; the program itself is
// asked only where the cache is empty, and then opens a browser.
func oauthWay(b *testing.B) []string {
	b.Helper()
	_, err := exec.LookPath("git-credential-oauth")
	require.NoError(b, err, "run demo/install.sh rivals")
	_, env := env(b)
	must(b, env, "", "git", "credential-oauth", "configure")
	require.Contains(b, must(b, env, "", "git", "config", "--get-all", "credential.helper"), "cache")
	must(b, env, question()+"username=oauth2\npassword=gho_0123456789\n", "git", "credential", "approve")
	b.Cleanup(func() { must(b, env, "", "git", "credential-cache", "exit") })
	return env
}

// ghWay is GitHub CLI as its "auth setup-git" sets it up, with a token in the
// environment. It answers for https only, so it is asked for github.com; what
// it answers with is in its environment, and nobody is called.
func ghWay(b *testing.B) []string {
	b.Helper()
	_, err := exec.LookPath("gh")
	require.NoError(b, err, "run demo/install.sh rivals")
	home, env := env(b, "GH_TOKEN=gho_0123456789", "GH_HOST=github.com", "GH_NO_UPDATE_NOTIFIER=1")
	const settings = "[credential \"https://github.com\"]\n\thelper =\n\thelper = !gh auth git-credential\n"
	require.NoError(b, os.WriteFile(filepath.Join(home, ".gitconfig"), []byte(settings), 0o600))
	return env
}

// question is what git asks a helper.
func question() string {
	return "protocol=http\nhost=" + strings.TrimPrefix(shared.GitHub.URL(), "http://") + "\n"
}

func must(b *testing.B, env []string, stdin, name string, args ...string) string {
	b.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env, cmd.Stdin = env, strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	require.NoError(b, err, string(out))
	return string(out)
}
