package flow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/audit"
	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// A Hub name is given again: a user who is deleted or renamed leaves it to
// whoever is made next. So a record belongs to a person, who is the name together
// with the time at which the Hub made the user. Every command and every read of a
// caller comes through here ([Engine.Of], [Engine.update]); a record that is
// another person's is ended first, and nothing of it is ever shown.

var (
	errNoPerson = &apierror.Error{Code: apierror.CodeHubScopeMissing, Message: "The Hub does not tell this service which person stands behind your user name.",
		Hint: "An administrator of the Hub must allow read:users!user for this service: for sign-ins in its oauth_client_allowed_scopes, for programs in the role “server”. " +
			"Then sign out of the Hub and in again, and restart your server."}
	errFormerOwner = &apierror.Error{Code: apierror.CodeSignedOut, Message: "Your sign-in at the Hub has ended, or your user name was changed.",
		Hint: "Sign in again."}
	errUpdated = &apierror.Error{Code: apierror.CodeServiceUpdated, Message: "This service was updated and does not know for whom it kept your connection. The token was revoked.",
		Hint: "Connect again."}
	errNoRecord = &apierror.Error{Code: apierror.CodeNoRecord, Message: "There is no record of this user.", Hint: "Nothing needs to be done; check the spelling of the name."}
	// errOthers stops an update of a record that is another person's.
	errOthers = errors.New("the record belongs to another person")
)

// sameTime is how far two times of one creation may lie apart: a database that
// keeps whole seconds (MySQL) rounds what the Hub tells until it is restarted.
const sameTime = time.Second

// samePerson compares the times at which the Hub made two users of one name.
func samePerson(a, b string) bool {
	if a == b {
		return true
	}
	first, errFirst := time.Parse(time.RFC3339Nano, a)
	second, errSecond := time.Parse(time.RFC3339Nano, b)
	return errFirst == nil && errSecond == nil && first.Sub(second).Abs() < sameTime
}

// isOf reports whether the record is this person's. One that was never stored is
// anybody's. One that an earlier release stored names nobody.
func (u *User) isOf(created string) bool {
	return u.Version == 0 || u.Created != "" && samePerson(u.Created, created)
}

// Of returns the caller's record, for reading only.
func (e *Engine) Of(ctx context.Context, caller Caller) (*User, error) {
	if caller.Created == "" {
		return nil, errNoPerson
	}
	user, err := e.load(ctx, caller.User)
	if err != nil || user.isOf(caller.Created) {
		return user, err
	}
	return e.takeOver(ctx, caller)
}

// update changes the caller's record; see [Engine.updateNamed].
func (e *Engine) update(ctx context.Context, caller Caller, change func(*User) (bool, error)) (user *User, changed bool, err error) {
	if caller.Created == "" {
		return nil, false, errNoPerson
	}
	for range saveAttempts {
		user, changed, err := e.updateNamed(ctx, caller.User, func(u *User) (bool, error) {
			if !u.isOf(caller.Created) {
				return false, errOthers
			}
			if u.Created == "" {
				u.Created = caller.Created
			}
			return change(u)
		})
		if !errors.Is(err, errOthers) {
			return user, changed, err
		}
		if _, err := e.takeOver(ctx, caller); err != nil {
			return nil, false, err
		}
	}
	return nil, false, fmt.Errorf("take over the record of a user: %w", ErrConflict)
}

// takeOver ends a record that is not the caller's and makes it theirs. What is
// known of the caller may be a minute old, and they the former owner of the name:
// so the Hub is asked first.
func (e *Engine) takeOver(ctx context.Context, caller Caller) (*User, error) {
	holder, err := e.hub.Whoami(ctx, caller.HubToken)
	switch {
	case errors.Is(err, hub.ErrUnauthorized), errors.Is(err, hub.ErrForbidden):
		return nil, errFormerOwner
	case err != nil:
		return nil, err
	case holder.Name != caller.User || !samePerson(holder.Created, caller.Created):
		return nil, errFormerOwner
	}
	former := ""
	user, changed, err := e.updateNamed(ctx, caller.User, func(u *User) (bool, error) {
		if u.isOf(caller.Created) {
			return false, nil // somebody was faster
		}
		if former = u.Created; former == "" {
			e.endUnknown(u)
		} else {
			e.endRecord(u, "name_reassigned")
		}
		u.Created = caller.Created
		return true, nil
	})
	if changed && former != "" {
		e.audit(ctx, user, audit.Event{Action: "record_ended", Outcome: "ok", Reason: "name_reassigned"})
	}
	return user, err
}

// endRecord forgets all that is known of a user but the tokens that are still to
// be revoked. Servers and homes are gone with the user, or another's by now:
// nothing is taken out of them.
func (e *Engine) endRecord(u *User, reason string) {
	if u.Connection != nil {
		e.dropConnection(u, reason, Cancelled, nil)
	}
	if u.Flow != nil && !u.Flow.State.Final() {
		e.finish(u, Cancelled, nil)
	}
	*u = User{Name: u.Name, Revocations: u.Revocations, Version: u.Version, Held: u.Held, dropped: u.dropped}
}

// endUnknown ends what an earlier release stored, which names no person. That is
// the caller in all likelihood, but it may be a former owner of the name: the
// token is not given away on a guess. What can do the caller no harm stays: what
// is to be taken out of servers of this name, and the account that the policy
// "bound" remembered, which only ever forbids another one.
func (e *Engine) endUnknown(u *User) {
	if u.Connection != nil {
		e.dropConnection(u, "person_unknown", Cancelled, errUpdated)
	}
	if u.Flow != nil && !u.Flow.State.Final() {
		e.finish(u, Cancelled, errUpdated)
	}
	u.HubToken, u.HubTokenExpires, u.Confirmed = secret.Stored{}, time.Time{}, nil
}
