package flow

import (
	"context"
	"errors"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
)

// Each attempt to connect costs calls at GitHub's OAuth addresses, and their
// limits count for the App as a whole: one user in a loop would close them to
// everybody. So one may begin attemptBurst attempts at once, as somebody does who
// starts anew and anew, and then one each attemptPace.
const (
	attemptPace  = time.Minute
	attemptBurst = 10
)

// count takes one more attempt into account, or refuses it (the generic cell
// rate algorithm, which needs no more than a time).
func (u *User) count(now time.Time) error {
	paced := u.PacedUntil
	if paced.Before(now) {
		paced = now
	}
	paced = paced.Add(attemptPace)
	if early := paced.Sub(now) - attemptBurst*attemptPace; early > 0 {
		return &apierror.Error{Code: apierror.CodeTooManyCodes, Message: "You have begun to connect many times in a row.",
			Hint: "Wait a minute, then connect again.", RetryAfter: early}
	}
	u.PacedUntil = paced
	return nil
}

// mayAsk counts an attempt before GitHub is asked for its code, unless another
// tab has one already.
func (e *Engine) mayAsk(ctx context.Context, caller Caller) error {
	_, err := e.update(ctx, caller, func(u *User) error {
		if now := e.Clock(); !u.blocks(caller, Device, now) {
			return u.count(now)
		}
		return errSettled
	})
	if errors.Is(err, errSettled) {
		return nil
	}
	return err
}
