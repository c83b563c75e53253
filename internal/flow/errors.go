package flow

import (
	"context"
	"errors"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/audit"
)

// ErrConflict: the record was changed by somebody else since it was read.
var ErrConflict = errors.New("the record was changed by another writer")

// asError makes an [*apierror.Error] of whatever an adapter returned. A call that was
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

// logged is [asError] for what a step met; nil: no error. The cause goes into the
// log, and no further.
func (e *Engine) logged(user, doing string, err error) *apierror.Error {
	if err == nil {
		return nil
	}
	cause := asError(err)
	e.logger.Warn("a step failed", "step", doing, "user", user, "code", cause.Code, "retryable", cause.Retryable, "error", err)
	return cause
}

// recorded is [Engine.logged] for a call that the audit has an event of.
func (e *Engine) recorded(ctx context.Context, u *User, doing string, event audit.Event, err error) *apierror.Error {
	cause := e.logged(u.Name, doing, err)
	if cause != nil {
		event.Code = cause.Code
	}
	event.Outcome = status(err)
	e.audit(ctx, u, event)
	return cause
}

// status is "error" or "ok", for the audit and the metrics.
func status(err error) string {
	if err != nil {
		return "error"
	}
	return "ok"
}
