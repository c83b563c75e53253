package deliver

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os/exec"
	"syscall"

	"github.com/ghscoped/ghscoped-service/internal/credential"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// DeliverHere puts the credential where this very process runs, by the same
// script and so with the same files as [Deliverer.Deliver]: for the command in
// a server that nobody delivers to.
func (d *Deliverer) DeliverHere(ctx context.Context, credential credential.Credential) error {
	job, err := d.delivery(credential)
	if err != nil {
		return err
	}
	return d.here(ctx, job)
}

// RemoveHere takes out what deliveries left where this process runs.
func (d *Deliverer) RemoveHere(ctx context.Context) error { return d.here(ctx, d.removal()) }

func (d *Deliverer) here(ctx context.Context, job job) error {
	ctx, cancel := context.WithTimeout(ctx, d.options.Timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, shell, "-c", job.script, shell)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C is for its caller to act on
	input, inErr := cmd.StdinPipe()
	output, outErr := cmd.StdoutPipe()
	if err := errors.Join(inErr, outErr, cmd.Start()); err != nil && ctx.Err() == nil {
		return explain(&scriptError{"no_shell"})
	}
	trusted := func(context.Context, secret.String) error { return nil } // our own child, on pipes of our own
	err := converse(ctx, ctx, &pipes{input, bufio.NewReader(output)}, job, trusted)
	_ = cmd.Wait()                   // the script has said how it went
	if err == nil || isRemark(err) { // whoever calls has git tried
		return nil
	}
	if ctx.Err() != nil {
		return outOfTime(ctx, err)
	}
	return explain(err)
}

// pipes are the script's standard input and output as a [channel].
type pipes struct {
	input  io.Writer
	output *bufio.Reader
}

func (p *pipes) line(context.Context) (string, error) { return p.output.ReadString('\n') }

func (p *pipes) send(_ context.Context, text string) error {
	_, err := io.WriteString(p.input, text)
	return err
}
