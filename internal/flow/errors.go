package flow

import (
	"context"
	"errors"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
)

// ErrConflict: the record was changed by somebody else since it was read.
var ErrConflict = errors.New("the record was changed by another writer")

// asError makes an [*Error] of whatever an adapter returned. A call that was
// broken off (the service stops, a step took too long) may work later.
func asError(err error) *apierror.Error {
	var e *apierror.Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &apierror.Error{Code: apierror.CodeInterrupted, Message: "It took too long, or the service was restarted.",
			Hint: "Nothing is lost; the service retries.", Retryable: true, Err: err}
	}
	return apierror.Internal(err)
}

// logged is [asError] for what a step met. The cause goes into the log, and no
// further.
func (e *Engine) logged(user, doing string, err error) *apierror.Error {
	cause := asError(err)
	e.logger.Warn("a step failed", "step", doing, "user", user, "code", cause.Code, "retryable", cause.Retryable, "error", err)
	return cause
}
