package deliver

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// recited is a channel whose output is given.
type recited struct {
	lines []string
	sent  []string
}

func (r *recited) line(context.Context) (string, error) {
	if len(r.lines) == 0 {
		return "", io.EOF
	}
	line := r.lines[0]
	r.lines = r.lines[1:]
	return line, nil
}

func (r *recited) send(_ context.Context, text string) error {
	r.sent = append(r.sent, text)
	return nil
}

func TestConverseSendsOnlyToAServerThatProvesItself(t *testing.T) {
	t.Parallel()
	j := job{input: secret.New("password=x\n"), markA: "A", markB: "B"}
	refusal := &apierror.Error{Code: "server_unproven"}
	for name, c := range map[string]struct {
		lines []string
		shown string
		sent  int
		err   error
	}{
		"its own token":  {[]string{"prompt", "ghscoped AB ready own\r\n", "ghscoped AB done\r\n"}, "own", 1, nil},
		"another token":  {[]string{"ghscoped AB ready other\n", "ghscoped AB done\n"}, "other", 0, refusal},
		"no token":       {[]string{"ghscoped AB ready\n", "ghscoped AB done\n"}, "", 0, refusal},
		"no token, only": {[]string{"ghscoped AB ready \n", "ghscoped AB done\n"}, "", 0, refusal},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &recited{lines: c.lines}
			err := converse(t.Context(), t.Context(), r, j, func(_ context.Context, token secret.String) error {
				require.Equal(t, c.shown, token.Reveal())
				require.Empty(t, r.sent, "nothing is sent before")
				if token.Reveal() != "own" {
					return refusal
				}
				return nil
			})
			require.Len(t, r.sent, c.sent)
			if c.err == nil {
				require.NoError(t, err)
				return
			}
			require.Equal(t, c.err, explain(err))
			_, unsupported := errors.AsType[*unsupportedError](err)
			require.False(t, unsupported, "no other transport is tried")
		})
	}
}

// deaf is a channel that takes no input, whatever it says.
type deaf struct{ recited }

func (*deaf) send(context.Context, string) error { return io.ErrClosedPipe }

func TestConverseBelievesNobodyWhoTookNoInput(t *testing.T) {
	t.Parallel()
	c := &deaf{recited{lines: []string{"ghscoped AB ready own\n", "ghscoped AB done\n"}}}
	trusting := func(context.Context, secret.String) error { return nil }
	err := converse(t.Context(), t.Context(), c, job{input: secret.New("password=x\n"), markA: "A", markB: "B"}, trusting)
	require.Equal(t, apierror.CodeDeliveryInterrupted, apierror.CodeOf(explain(err)))
}

// A kernel's output goes to whoever has it open, the prompt to us alone.
func TestKernelShowsTheServersTokenInItsPromptOnly(t *testing.T) {
	t.Parallel()
	code := kernelCode + `
import getpass, sys
def answer(prompt):
    print(prompt, file=sys.stderr)
    return ""
getpass.getpass = answer
_ghscoped('echo "of the script: $JUPYTERHUB_API_TOKEN"', "mark ready")
`
	command := exec.Command("python3", "-c", code)
	command.Env = append(os.Environ(), "JUPYTERHUB_API_TOKEN=0wnT0ken")
	var prompt bytes.Buffer
	command.Stderr = &prompt
	output, err := command.Output()
	require.NoError(t, err)
	require.Equal(t, "mark ready 0wnT0ken\n", prompt.String())
	require.Equal(t, "of the script:", strings.TrimSpace(string(output)))
}
