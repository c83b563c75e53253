package deliver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// channel is a running script's output, line by line, and its input. line
// gives io.EOF when the script has ended.
type channel interface {
	line(ctx context.Context) (string, error)
	send(ctx context.Context, text string) error
}

// prover agrees to the token that a server shows as its own: [hub.Target].Prove.
type prover func(ctx context.Context, token secret.String) error

// scriptError is a cause that the script itself named.
type scriptError struct{ code string }

func (e *scriptError) Error() string { return "the script said " + e.code }

// errCutOff: the script ended, or the server did, before it said how it went.
var errCutOff = errors.New("cut off before the end")

// converse hands the input to a script that says it is ready, once prove agrees to
// the token that the script shows with that word, and waits for its verdict. Until
// the script is ready, for which there is time until waiting ends, any error means
// [unsupportedError].
func converse(waiting, ctx context.Context, c channel, job job, prove prover) error {
	shown, err := await(waiting, c, job, "ready")
	if err != nil {
		return &unsupportedError{"the script does not start", err}
	}
	if err := prove(ctx, secret.New(shown)); err != nil {
		return err
	}
	if err := c.send(ctx, job.input.Reveal()); err != nil {
		return fmt.Errorf("%w: %w", errCutOff, err)
	}
	remark, err := await(ctx, c, job, "done")
	switch {
	case errors.Is(err, io.EOF):
		return errCutOff
	case remark != "":
		return &scriptError{remark}
	}
	return err
}

// await reads until the script says word, and returns what it says with it; an
// error that it says instead is returned as one.
func await(ctx context.Context, c channel, job job, word string) (with string, err error) {
	for {
		line, err := c.line(ctx)
		if err != nil {
			return "", err
		}
		said, with := job.answer(line)
		switch said {
		case word:
			return with, nil
		case "error":
			return "", &scriptError{with}
		}
	}
}

// half bounds the wait for a transport to show that it works to half of the time
// that is left, so that the next one still has some. A delivery's ctx has a deadline.
func half(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, _ := ctx.Deadline()
	return context.WithTimeout(ctx, time.Until(deadline)/2)
}

// farewell is the context for tidying up: it outlives the delivery's own.
func farewell(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
}
