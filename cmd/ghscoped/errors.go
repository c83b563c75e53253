package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/client"
)

// fault is an error as it is shown: what is wrong, what to do, and what the
// program exits with.
type fault struct {
	exit                int
	code, message, hint string
	shown               bool // people have been told already
}

func (f *fault) Error() string { return f.code + ": " + f.message }

func asFault(err error) *fault {
	var known *fault
	var service *client.Error
	var github *apierror.Error
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &service):
		return &fault{exit: exitOf(service), code: service.Code, message: service.Message, hint: service.Hint}
	case errors.As(err, &github):
		f := &fault{exit: exitFailed, code: github.Code, message: github.Message, hint: github.Hint}
		if github.Retryable {
			f.exit = exitUnreachable
		}
		return f
	}
	return &fault{exit: exitFailed, code: "failed", message: err.Error()}
}

func exitOf(e *client.Error) int {
	switch {
	case e.Code == apierror.CodeNotConnected, e.Code == apierror.CodeServerNotChosen:
		return exitNotConnected
	case e.Status == 0 || e.Status >= 500 || e.Code == client.CodeNotTheService:
		return exitUnreachable
	}
	return exitFailed
}

// show tells people in two lines, what and what to do, or programs in one of
// JSON.
func (f *fault) show(in invocation, asJSON bool) {
	switch {
	case f.shown:
		return
	case asJSON:
		_ = printJSON(in, map[string]any{"error": f.body()})
		return
	}
	p := newPrinter(in.stderr, in.getenv)
	p.line(p.red("ghscoped: ") + printable(f.message))
	if f.hint != "" {
		p.line("  " + printable(f.hint))
	}
}

func (f *fault) body() map[string]string {
	return map[string]string{"code": f.code, "message": f.message, "hint": f.hint}
}

// printJSON writes one value on one line.
func printJSON(in invocation, value any) error {
	if err := json.NewEncoder(in.stdout).Encode(value); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}
