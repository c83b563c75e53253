package flow

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/audit"
)

var errEnded = &apierror.Error{Code: apierror.CodeConnectionEnded, Message: "An administrator ended your connection. The token was revoked.",
	Hint: "Ask them before you connect again."}

// Users lists records in the order of their names, beginning behind after, and
// the name to go on from; "" at the end. For administrators.
func (e *Engine) Users(ctx context.Context, after string, limit int) (users []*User, next string, err error) {
	users, next, err = e.Store.List(ctx, after, limit)
	if err != nil {
		return nil, "", fmt.Errorf("list the records of users: %w", err)
	}
	return users, next, nil
}

// EndConnection ends a user's connection and revokes its token, in the name of
// an administrator; reason is for the audit. The token is taken out of servers
// as soon as the user's own sign-in allows it.
func (e *Engine) EndConnection(ctx context.Context, name, reason string) (*User, error) {
	return e.updateNamed(ctx, name, func(u *User) error {
		if u.Connection == nil {
			return errNotConnected
		}
		e.dropConnection(u, reason, Cancelled, errEnded)
		if u.underWay(e.Clock()) {
			e.finish(u, Cancelled, errEnded)
		}
		return nil
	})
}

// ForgetAccount undoes what the "bound" identity policy remembered of a user, and
// which accounts they confirmed, in the name of an administrator; reason is for
// the audit. The account of the next connection is the one from then on. A
// connection that is there stays. Where nothing is remembered nothing happens.
func (e *Engine) ForgetAccount(ctx context.Context, name, reason string) error {
	var login string
	user, err := e.updateNamed(ctx, name, func(u *User) error {
		if u.BoundAccount == 0 && u.Confirmed == nil {
			return errSettled
		}
		login = cmp.Or(u.BoundLogin, u.lastConfirmed())
		u.BoundAccount, u.BoundLogin, u.Confirmed = 0, "", nil
		return nil
	})
	if errors.Is(err, errSettled) {
		return nil
	}
	if err == nil {
		e.audit(ctx, user, audit.Event{Action: "account_forgotten", OfUser: audit.OfUser{Account: login}, Outcome: "ok", Reason: reason})
	}
	return err
}

// EndUser ends all that is known of a name, in the name of an administrator whose
// user is gone: the token is revoked, and what the policies remember of the user
// is forgotten. reason is for the audit.
func (e *Engine) EndUser(ctx context.Context, name, reason string) error {
	user, err := e.updateNamed(ctx, name, func(u *User) error {
		if u.Version == 0 {
			return errNoRecord
		}
		e.endRecord(u, reason)
		return nil
	})
	if err == nil {
		e.audit(ctx, user, audit.Event{Action: "record_ended", Outcome: "ok", Reason: reason})
	}
	return err
}
