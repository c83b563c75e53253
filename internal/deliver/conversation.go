package deliver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// channel is a running script's output, line by line, and its input. line
// gives io.EOF when the script has ended.
type channel interface {
	line(ctx context.Context) (string, error)
	send(ctx context.Context, text string) error
}

// scriptError is a cause that the script itself named.
type scriptError struct{ code string }

func (e *scriptError) Error() string { return "the script said " + e.code }

// errCutOff: the script ended, or the server did, before it said how it went.
var errCutOff = errors.New("cut off before the end")

// converse hands the input to a script that says it is ready and waits for its
// verdict. Until the input is sent, for which there is time until waiting ends,
// any trouble means [notHere].
func converse(waiting, ctx context.Context, c channel, job job) error {
	if err := await(waiting, c, job, "ready"); err != nil {
		return &notHere{"the script does not start", err}
	}
	if err := c.send(ctx, job.input.Reveal()); err != nil {
		return fmt.Errorf("%w: %w", errCutOff, err)
	}
	err := await(ctx, c, job, "done")
	if errors.Is(err, io.EOF) {
		return errCutOff
	}
	return err
}

// await reads until the script says word; an error that it says instead is
// returned.
func await(ctx context.Context, c channel, job job, word string) error {
	for {
		line, err := c.line(ctx)
		if err != nil {
			return err
		}
		said, code := job.answer(line)
		switch said {
		case word:
			return nil
		case "error":
			return &scriptError{code}
		}
	}
}

// half bounds the wait for a way to show that it works to half of the time
// that is left, so that the next way still has some.
func half(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(deadline)/2)
}

// farewell is the context for tidying up: it outlives the delivery's own.
func farewell(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
}
