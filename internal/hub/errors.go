package hub

import (
	"errors"
	"time"
)

// ErrUnauthorized: the Hub does not know the token (any more).
var ErrUnauthorized = errors.New("the Hub refused the token")

// ErrForbidden: the token may not do this, or the thing is not this user's. The
// Hub answers 403 or 404 for both, on purpose.
var ErrForbidden = errors.New("the token does not allow this")

// ErrBadRequest: the Hub understood what was asked and does not do it (400).
var ErrBadRequest = errors.New("the Hub refused the request")

// UnavailableError: the Hub did not answer as it should; the same call may work
// later.
type UnavailableError struct {
	// RetryAfter is what the Hub asked for; 0: it named no time.
	RetryAfter time.Duration
	Err        error
}

func (e *UnavailableError) Error() string { return "the Hub is unavailable: " + e.Err.Error() }

func (e *UnavailableError) Unwrap() error { return e.Err }
