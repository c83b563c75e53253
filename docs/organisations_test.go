package docs

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// GitHub's log and ours name a token by the same number, written in two ways.
func TestTokenIsFoundInGitHubsLogByTheDocumentsCommands(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("organisations.md")
	require.NoError(t, err)
	const token = "ghs_marker"
	ours := secret.New(token).Hash()
	run := func(command string) string {
		shell := exec.Command("sh", "-ec", command)
		shell.Env = append(os.Environ(), "TOKEN="+token, "TOKEN_SHA256="+ours)
		out, err := shell.CombinedOutput()
		require.NoError(t, err, "%s: %s", command, out)
		return strings.TrimSpace(string(out))
	}
	var commands []string
	for _, block := range regexp.MustCompile("(?s)```sh\n(printf.*?)\n```").FindAllStringSubmatch(string(content), -1) {
		commands = append(commands, strings.Split(block[1], "\n")...)
	}
	require.Len(t, commands, 4)
	github := run(commands[0])
	require.Equal(t, github, run(commands[2]), "from the token")
	require.Equal(t, ours, strings.Fields(run(commands[3]))[0])
	require.Equal(t, ours, run("HASHED_TOKEN='"+github+"'\n"+commands[1]))
}
