package flow

import (
	"context"
	"errors"
	"time"
)

// Error is what went wrong, for a program (Code), a person (Message) and for
// what the person or an administrator can do (Hint). It never holds a body
// that came from GitHub, the Hub or a server.
type Error struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`

	// Passing says that the same call may work later.
	Passing bool `json:"-"`
	// RetryAfter is how long the other side asked to be left alone; 0: it named
	// no time.
	RetryAfter time.Duration `json:"-"`
	// Err is the cause, for the log.
	Err error `json:"-"`
}

func (e *Error) Error() string {
	if e.Err == nil {
		return e.Code + ": " + e.Message
	}
	return e.Code + ": " + e.Message + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// ErrConflict: the record was changed by somebody else since it was read.
var ErrConflict = errors.New("the record was changed by another writer")

// asError makes an [*Error] of whatever an adapter returned. A call that was
// broken off (the service stops, a step took too long) may work later.
func asError(err error) *Error {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &Error{Code: "interrupted", Message: "It took too long, or the service was restarted.",
			Hint: "Nothing is lost; it is tried again.", Passing: true, Err: err}
	}
	return &Error{Code: "internal", Message: "Something went wrong inside the service.",
		Hint: "Try again; if it goes on, tell the people who run this Hub.", Err: err}
}

// trouble is [asError] for what a step met. The cause goes into the log, and no
// further.
func (e *Engine) trouble(user, doing string, err error) *Error {
	cause := asError(err)
	e.Logger.Warn("a step failed", "step", doing, "user", user, "code", cause.Code, "passing", cause.Passing, "error", err)
	return cause
}
