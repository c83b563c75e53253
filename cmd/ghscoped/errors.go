package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/client"
)

// commandError is an error as it is shown: what is wrong, what to do, and what the
// program exits with.
type commandError struct {
	exit                int
	code, message, hint string
	shown               bool // people have been told already
}

func (e *commandError) Error() string { return e.code + ": " + e.message }

func asCommandError(err error) *commandError {
	var known *commandError
	var service *client.Error
	var github *apierror.Error
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &service):
		return &commandError{exit: exitOf(service), code: service.Code, message: service.Message, hint: service.Hint}
	case errors.As(err, &github):
		e := &commandError{exit: exitFailed, code: github.Code, message: github.Message, hint: github.Hint}
		if github.Retryable {
			e.exit = exitUnreachable
		}
		return e
	}
	return &commandError{exit: exitFailed, code: "failed", message: err.Error()}
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
func (e *commandError) show(in invocation, asJSON bool) {
	switch {
	case e.shown:
		return
	case asJSON:
		_ = printJSON(in, map[string]any{"error": e.body()})
		return
	}
	p := newPrinter(in.stderr, in.getenv)
	p.line(p.red("ghscoped: ") + printable(e.message))
	if e.hint != "" {
		p.line("  " + printable(e.hint))
	}
}

func (e *commandError) body() map[string]string {
	return map[string]string{"code": e.code, "message": e.message, "hint": e.hint}
}

// printJSON writes one value on one line.
func printJSON(in invocation, value any) error {
	if err := json.NewEncoder(in.stdout).Encode(value); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}
