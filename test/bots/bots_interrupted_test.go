package bots_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/githubsim"
	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/test/rig"
)

// Ctrl-C at a real terminal, typed when a request is held up on its way to the
// service or back, or when the job has said that it runs. (The file's name has
// these tests run before the last one of bots_test.go.)
func TestBotExecEndsOnCtrlCAtEachPoint(t *testing.T) {
	w := shared
	const exec = "ghscoped bot exec --repo octo-org/handbook --permission contents:write -- "
	for _, tc := range []struct {
		name, job, held string
		after, goes     bool // the answer is held; it goes on when Ctrl-C was typed
		again           bool // Ctrl-C is typed once more, when the end is held
		shown, says     string
		minted          int
		state           string
	}{
		{name: "before there is a token", job: "echo begun", held: "POST api/bot-tokens", says: "Interrupted."},
		{name: "while the token comes", job: "echo begun", held: "POST api/bot-tokens", after: true, goes: true, says: "Interrupted.", minted: 1, state: "revoked"},
		{name: "while the command runs", job: `sh -c 'echo run""ning; exec sleep 60'`, shown: "running", minted: 1, state: "revoked"},
		{name: "while a command that minds it runs", job: `sh -c 'trap "echo tidied; exit 130" INT; echo run""ning; while :; do sleep 0.05; done'`, shown: "running", says: "tidied", minted: 1, state: "revoked"},
		{name: "again, while the token is revoked", job: `sh -c 'echo run""ning; exec sleep 60'`, shown: "running", held: "DELETE", again: true, minted: 1, state: "live"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ctx := hubtest.Context(t)
			gate, err := rig.NewGate(strings.TrimSuffix(w.Hub.ServiceURL, "/"))
			require.NoError(t, err)
			defer gate.Close()
			home := t.TempDir()
			temporary := filepath.Join(home, "tmp")
			require.NoError(t, os.Mkdir(temporary, 0o700))
			terminal, err := rig.OpenTerminal(ctx, home, []string{"HOME=" + home, "TMPDIR=" + temporary, "TERM=xterm",
				"PATH=" + w.bin + string(os.PathListSeparator) + os.Getenv("PATH"),
				"GHSCOPED_URL=" + gate.URL() + "/", "GHSCOPED_GITHUB_URL=" + w.GitHub.URL(), "JUPYTERHUB_API_TOKEN=" + w.docsToken})
			require.NoError(t, err)
			defer func() { require.NoError(t, terminal.Close()) }()
			before, err := terminal.Run(ctx, "stty -a")
			require.NoError(t, err)
			tokens := len(w.GitHub.Tokens())
			if tc.held != "" {
				gate.Hold(tc.held, 0, tc.after)
			}

			from := len(terminal.Text())
			shows := func(part string) func(string) bool {
				return func(text string) bool { return strings.Contains(text, part) }
			}
			require.NoError(t, terminal.Type(exec+tc.job+"\n"))
			if tc.held != "" && !tc.again {
				require.NoError(t, gate.Held(ctx))
			}
			require.NoError(t, terminal.Until(ctx, from, shows(tc.shown)))
			require.NoError(t, terminal.Type("\x03"))
			require.NoError(t, terminal.Until(ctx, from, shows("^C")))
			if tc.goes {
				gate.Release(200 * time.Millisecond)
			}
			if tc.again {
				require.NoError(t, gate.Held(ctx))
				require.NoError(t, terminal.Type("\x03"))
			}
			require.NoError(t, terminal.Until(ctx, from, shows("\n"+rig.Prompt)))
			require.NoError(t, terminal.Quiet(ctx), "a program of it lives on")
			text := terminal.Text()[from:]
			require.Contains(t, text, tc.says)
			require.NotContains(t, text, "\nbegun", "the command was not to be run any more")
			code, err := terminal.Run(ctx, "echo $?")
			require.NoError(t, err)
			require.Equal(t, "130\n", code, text)
			after, err := terminal.Run(ctx, "stty -a")
			require.NoError(t, err)
			require.Equal(t, before, after)
			requireMinted(t, w.GitHub.Tokens()[tokens:], tc.minted, tc.state)
			if !tc.again { // killed by the second, nobody is left to tidy up
				left, err := os.ReadDir(temporary)
				require.NoError(t, err)
				require.Empty(t, left, "the job's socket is gone")
			}
		})
	}
}

func requireMinted(t *testing.T, tokens []githubsim.TokenInfo, count int, state string) {
	t.Helper()
	require.Len(t, tokens, count)
	for _, token := range tokens {
		require.Equal(t, state, token.State)
	}
}
