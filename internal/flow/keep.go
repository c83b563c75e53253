package flow

import (
	"context"
	"slices"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/audit"
	"github.com/ghscoped/ghscoped-service/internal/github"
)

const (
	// accessRecheck is how often a connection that can push nowhere is looked
	// at again while its user may be choosing repositories, for accessPatience.
	accessRecheck  = 10 * time.Second
	accessPatience = 20 * time.Minute
	// revokeBase is the first wait after a failed revocation.
	revokeBase = 5 * time.Second
	// revokeMax bounds that wait.
	revokeMax = 30 * time.Minute
)

// checkAccess reads what the token reaches, so that the page can name it and
// send the user where something is missing.
func (e *Engine) checkAccess(ctx context.Context, u *User) outcome {
	access, err := e.GitHub.Access(ctx, u.Connection.Token.Access.String)
	var cause *apierror.Error
	if err != nil {
		cause = e.trouble(u.Name, "access", err)
	}
	return ofConnection(u.Connection.Token, func(u *User, c *Connection) {
		now := e.Clock()
		if cause != nil {
			e.checkFailed(u, cause)
			return
		}
		c.Access, c.CheckedAt, c.CheckDue, c.CheckFailures = access, now, time.Time{}, 0
		if access.State != github.AccessReady && now.Sub(c.Since) < accessPatience {
			c.CheckDue = now.Add(accessRecheck)
		}
	})
}

// checkFailed tries again later. A token that GitHub does not know any more was
// revoked there by its owner or an organisation's admin: the connection is over.
func (e *Engine) checkFailed(u *User, cause *apierror.Error) {
	c := u.Connection
	c.CheckFailures++
	if cause.Code == apierror.CodeTokenDead && c.CheckFailures > 2 {
		e.dropConnection(u, "revoked_at_github", Failed, errRevoked)
		return
	}
	c.CheckDue = e.Clock().Add(max(backoff(time.Second, c.CheckFailures), cause.RetryAfter))
}

var errRevoked = &apierror.Error{Code: apierror.CodeConnectionRevoked, Message: "GitHub does not accept the token any more: it was revoked there.",
	Hint: "Connect again whenever you need to push."}

// expireConnection: the token's time is over. The file in the server is of no
// use to anybody now; it is taken out where a Hub token is at hand, else at the
// next sign-in.
func (e *Engine) expireConnection(context.Context, *User) outcome {
	return outcome{change: func(u *User) {
		if u.Connection == nil || u.Connection.Token.ExpiresAt.After(e.Clock()) {
			return
		}
		cause := u.Connection.RefreshError
		if cause == nil {
			cause = errConnectionExpired
		}
		e.dropConnection(u, "expired", Expired, cause)
		u.Revocations = slices.DeleteFunc(u.Revocations, func(r Revocation) bool { return !r.ExpiresAt.After(e.Clock()) })
	}}
}

var errConnectionExpired = &apierror.Error{Code: apierror.CodeConnectionExpired, Message: "The connection has reached its end; its token is of no use any more.",
	Hint: "Connect again whenever you need to push."}

// revokeOne makes one token invalid at GitHub, and tries until it would have
// ended by itself.
func (e *Engine) revokeOne(r Revocation) step {
	return func(ctx context.Context, u *User) outcome {
		if !r.ExpiresAt.After(e.Clock()) {
			return ofRevocation(r, func(u *User, i int) { u.Revocations = slices.Delete(u.Revocations, i, i+1) })
		}
		err := e.GitHub.Revoke(ctx, r.Token.String)
		e.metrics.countRevoked(status(err))
		event := audit.Event{Action: "revoked", TokenHash: r.Token.Hash(), Outcome: status(err), Reason: r.Reason}
		var cause *apierror.Error
		if err != nil {
			cause = e.trouble(u.Name, "revoke", err)
			event.Code = cause.Code
		}
		e.audit(ctx, u, event)
		return ofRevocation(r, func(u *User, i int) {
			if cause == nil {
				u.Revocations = slices.Delete(u.Revocations, i, i+1)
				return
			}
			w := &u.Revocations[i]
			w.Attempts++
			wait := min(revokeBase<<min(w.Attempts-1, 10), revokeMax)
			w.Due = e.Clock().Add(max(wait+jitter(wait), cause.RetryAfter))
		})
	}
}

func ofRevocation(r Revocation, change func(*User, int)) outcome {
	hash := r.Token.Hash()
	return outcome{change: func(u *User) {
		if i := u.revocation(hash); i >= 0 {
			change(u, i)
		}
	}}
}
