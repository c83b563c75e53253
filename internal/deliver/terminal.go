package deliver

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

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
		return &notHere{"a terminal cannot run a program", err}
	}
	if !begins {
		return &notHere{"a terminal cannot be told what to run", errors.New("shell_command is ignored")}
	}
	p.finishes = true
	return converse(waiting, ctx, p, job, prove)
}

// typed starts the login shell in a terminal and types the script into it.
type typed struct{}

func (typed) name() string { return "typed" }

// bootstrap is the one line that is typed: the login shell, whichever it is,
// becomes a plain sh that switches echo off and then reads the script. The line
// begins with a space and forgets the history file, so that it is not kept; it
// is written for every shell that knows ';', '||' and single quotes, csh and
// fish included.
const bootstrap = ` unset HISTFILE; exec ` + shell + ` -c 'stty -echo -icanon min 0 time 200 2>/dev/null || exit; ` +
	`printf "ghscoped %%s%%s listening\n" %[1]s %[2]s; n=$(printf "\nx"); n=${n%%x}; s=; e=; ` +
	`while IFS= read -r l; do [ "$l" = "%[1]s.%[2]s" ] && e=1 && break; s=$s$l$n; done; ` +
	`[ "$e" ] && eval "$s"' ` + shell + ` || exit`

func (typed) run(ctx context.Context, server *hubapi.UserServer, job job, prove prover) error {
	p, err := openPTY(ctx, server, nil)
	if err != nil {
		return err
	}
	defer p.close(ctx)
	waiting, cancel := half(ctx)
	defer cancel()
	p.settle(waiting)
	if err := p.send(waiting, fmt.Sprintf(bootstrap, job.markA, job.markB)+"\r"); err != nil {
		return &notHere{"a terminal takes no input", err}
	}
	if _, err := await(waiting, p, job, "listening"); err != nil {
		return &notHere{"the login shell does not start sh", err}
	}
	if err := p.send(waiting, job.script+"\n"+job.markA+"."+job.markB+"\n"); err != nil {
		return &notHere{"a terminal takes no input", err}
	}
	p.finishes = true
	return converse(waiting, ctx, p, job, prove)
}

// settle waits for the shell's prompt: output, and then a moment of silence.
// A shell that shows nothing at all is typed to after a while nevertheless.
func (p *pty) settle(ctx context.Context) {
	quiet := 3 * time.Second
	for {
		moment, cancel := context.WithTimeout(ctx, quiet)
		text, err := p.output(moment)
		cancel()
		if err != nil {
			return
		}
		p.pending += text
		quiet = 150 * time.Millisecond
	}
}

// begins reports whether the first output begins with prefix.
func (p *pty) begins(ctx context.Context, prefix string) (bool, error) {
	for len(p.pending) < len(prefix) && strings.HasPrefix(prefix, p.pending) {
		text, err := p.output(ctx)
		if err != nil {
			return false, err
		}
		p.pending += text
	}
	return strings.HasPrefix(p.pending, prefix), nil
}
