package apierror

import (
	"errors"
	"net/http"
	"time"
)

// Error says what went wrong, to a program (Code), to a person (Message), and what
// that person or an administrator can do (Hint). It never holds a body that came
// from GitHub, the Hub or a server.
type Error struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`

	// Retryable says that the same call may work later.
	Retryable bool `json:"-"`
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

// Status is the HTTP status (RFC 9110, 15) that an answer with this error has.
func (e *Error) Status() int {
	if status := codes[e.Code].status; status != 0 {
		return status
	}
	if e.Retryable {
		return http.StatusServiceUnavailable
	}
	return http.StatusBadGateway
}

// Internal is an error that is nobody's but the service's own; cause is for the log.
func Internal(cause error) *Error {
	return &Error{Code: CodeInternal, Message: "Something went wrong inside the service.",
		Hint: "Try again. If this keeps happening, contact your Hub's administrators.", Err: cause}
}

// CodeOf is the code of an error: [CodeInternal] where it has none, and "" for nil.
func CodeOf(err error) string {
	if err == nil {
		return ""
	}
	if own, ok := errors.AsType[*Error](err); ok {
		return own.Code
	}
	return CodeInternal
}

// Is reports whether an error has this code.
func Is(err error, code string) bool { return err != nil && CodeOf(err) == code }

// IsRetryable reports whether the same call may work later.
func IsRetryable(err error) bool {
	own, ok := errors.AsType[*Error](err)
	return ok && own.Retryable
}

// ForAdmins reports whether only the Hub's administrators can follow the hint of
// errors with this code.
func ForAdmins(code string) bool { return codes[code].admins }

// EndsConnection reports whether a connection that stood has ended with this code,
// without its person disconnecting.
func EndsConnection(code string) bool { return codes[code].ends }

// NoAnswer reports whether this code says that GitHub gave no usable answer, and so
// nothing about what it was asked.
func NoAnswer(code string) bool { return codes[code].noAnswer }
