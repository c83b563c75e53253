package deliver

import (
	"context"
	"errors"
	"strings"

	"github.com/ghscoped/ghscoped-service/internal/hubapi"
)

// terminal runs the script as a terminal's program (shell_command).
type terminal struct{}

func (terminal) name() string { return "terminal" }

func (terminal) run(ctx context.Context, server *hubapi.UserServer, job job, prove prover) error {
	p, err := openPTY(ctx, server, []string{shell, "-c", job.script, shell})
	if err != nil {
		return err
	}
	defer p.close(ctx)
	waiting, cancel := half(ctx)
	defer cancel()
	// The script's first word is also the first output. A server that ignores
	// shell_command shows a prompt instead.
	begins, err := p.begins(waiting, job.prefix())
	if err != nil {
		return &unsupportedError{"a terminal cannot run a program", err}
	}
	if !begins {
		return &unsupportedError{"a terminal cannot be told what to run", errors.New("shell_command is ignored")}
	}
	p.finishes = true
	return converse(waiting, ctx, p, job, prove)
}

// begins reports whether the first output begins with prefix.
func (p *pty) begins(ctx context.Context, prefix string) (bool, error) {
	for strings.HasPrefix(prefix, p.pending) {
		text, err := p.output(ctx)
		if err != nil {
			return false, err
		}
		p.pending += text
	}
	return strings.HasPrefix(p.pending, prefix), nil
}
