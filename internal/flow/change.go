package flow

import (
	"context"
	"slices"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/audit"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// This file has the changes of a record that commands and steps share. None of
// them calls anything outside.

// underWay reports whether a flow is neither final nor past its time.
func (u *User) underWay(now time.Time) bool {
	return u.Flow != nil && !u.Flow.State.Final() && (u.Flow.State != Pending || u.Flow.ExpiresAt.After(now))
}

// blocks reports whether a flow is under way that the caller's, of the given mode,
// must not replace. One that nobody has approved gives way to a browser's: if a
// program began it, or it is of the other mode, or a web flow whose state is spent.
// One that waits for the person's click gives way to any of theirs: the page for it
// may be closed. A program replaces none.
func (u *User) blocks(caller Caller, mode Mode, now time.Time) bool {
	f := u.Flow
	if u.unconfirmed(now) && !caller.Program {
		return false
	}
	if !u.underWay(now) || f.State != Pending || caller.Program {
		return u.underWay(now)
	}
	return f.Program == nil && f.Mode == mode && (mode == Device || !f.WebState.Empty())
}

// tidy drops what no step needs any more: above all the user's Hub token.
func (e *Engine) tidy(u *User) {
	needed := u.Flow != nil && !u.Flow.State.Final()
	for _, d := range u.Deliveries {
		needed = needed || !d.Due.IsZero()
	}
	if u.Connection != nil {
		needed = needed || !u.Connection.LookDue.IsZero()
	}
	if u.HubToken.Empty() || (needed && u.HubTokenExpires.After(e.Clock())) {
		return
	}
	u.HubToken, u.HubTokenExpires = secret.Stored{}, time.Time{}
}

// keepHubToken keeps the caller's Hub token, not beyond the session that it is
// of: using it does not prolong that.
func (e *Engine) keepHubToken(u *User, caller Caller) {
	if caller.HubToken.Empty() || caller.Program {
		return
	}
	u.HubToken, u.HubTokenExpires = secret.Store(caller.HubToken), e.Clock().Add(e.HubTokenLife)
	if ends := caller.HubTokenExpires; !ends.IsZero() && ends.Before(u.HubTokenExpires) {
		u.HubTokenExpires = ends
	}
}

// finish ends the flow and forgets its secrets. A token that was granted and
// did not become a connection is revoked.
func (e *Engine) finish(u *User, state State, cause *apierror.Error) {
	f := u.Flow
	if !f.Token.Access.Empty() && state != Connected {
		reason := string(state)
		if cause != nil {
			reason = cause.Code
		}
		e.revoke(u, f.Token, reason)
	}
	f.State, f.Error, f.Due = state, cause, time.Time{}
	f.DeviceCode, f.WebState, f.CodeVerifier, f.Token = secret.Stored{}, secret.Stored{}, secret.Stored{}, github.Token{}
	f.Account, f.Confirmation = nil, ""
}

// revoke queues a token, and the refresh token that belongs to it, to be made
// invalid at GitHub.
func (e *Engine) revoke(u *User, token github.Token, reason string) {
	now := e.Clock()
	queue := func(value secret.Stored, expires time.Time) {
		if value.Empty() || u.revocation(value.Hash()) >= 0 {
			return
		}
		if expires.IsZero() {
			expires = now.Add(24 * time.Hour) // one that never expires: try for a day
		}
		u.Revocations = append(u.Revocations, Revocation{Token: value, ExpiresAt: expires, Due: now, Reason: reason})
	}
	queue(token.Refresh, token.RefreshExpiresAt)
	queue(token.Access, token.ExpiresAt)
}

// revokeAll queues the connection's token and those that were made from it.
func (e *Engine) revokeAll(u *User, reason string) {
	e.revoke(u, u.Connection.Token, reason)
	for _, n := range u.Connection.Narrowed {
		e.revoke(u, n.Token, reason)
	}
}

// revocation is the place of a token among those on their way out; -1: none.
func (u *User) revocation(hash string) int {
	return slices.IndexFunc(u.Revocations, func(r Revocation) bool { return r.Token.Hash() == hash })
}

// connect makes a connection of the flow's token, and replaces an older one. That
// of a program adds its server to those that have the same account already.
func (e *Engine) connect(u *User, account github.Account) {
	now, f, old := e.Clock(), u.Flow, u.Connection
	c := &Connection{Account: account, Token: f.Token, Since: now, Servers: slices.Clone(f.Servers), Program: f.Program,
		Access: github.Access{State: github.AccessUnknown}, CheckDue: now}
	if f.Program != nil && old.lives(now) {
		c.Servers, c.AnyServer, c.Program = old.Servers, old.AnyServer, old.Program
		if !c.choose(*f.Program) { // the one that was chosen first makes room
			c.Servers = append(slices.Clone(c.Servers[1:]), *f.Program)
		}
	}
	if old != nil {
		e.revokeAll(u, "replaced")
	}
	u.Connection, f.Token = c, github.Token{}
	e.planLook(u)
}

func (c *Connection) lives(now time.Time) bool { return c != nil && c.Token.ExpiresAt.After(now) }

// dropConnection forgets the connection: its token is revoked and taken out of
// every server that holds or may hold it. The flow that made it, or is about to
// deliver it, ends in the given state; another one is left alone.
func (e *Engine) dropConnection(u *User, reason string, state State, cause *apierror.Error) {
	e.revokeAll(u, reason)
	u.Connection, u.dropped = nil, reason
	e.takeOut(u)
	if f := u.Flow; f != nil && (f.State == Connected || f.State == Delivering) {
		e.finish(u, state, cause)
	}
}

// takeOut plans the removal from every server, except where nothing was ever
// written.
func (e *Engine) takeOut(u *User) {
	now := e.Clock()
	u.Deliveries = slices.DeleteFunc(u.Deliveries, func(d Delivery) bool {
		return d.State != DeliveryRemoving && d.Delivered == "" && !d.MayHold
	})
	for i := range u.Deliveries {
		d := &u.Deliveries[i]
		*d = Delivery{Server: d.Server, State: DeliveryRemoving, At: now, Due: now, Delivered: d.Delivered, MayHold: d.MayHold}
	}
}

// queue plans a delivery to a server, keeping what is known of an earlier one.
func (e *Engine) queue(u *User, server string, start bool) {
	now := e.Clock()
	d := u.Delivery(server)
	if d == nil {
		u.Deliveries = append(u.Deliveries, Delivery{Server: server})
		d = &u.Deliveries[len(u.Deliveries)-1]
	}
	*d = Delivery{Server: server, State: DeliveryQueued, At: now, Due: now, Start: start, Delivered: d.Delivered, MayHold: d.MayHold}
}

// completeDelivering ends a flow once no server is on its way any more. Servers
// that are not running do not hold it up.
func (e *Engine) completeDelivering(u *User) {
	f := u.Flow
	if f == nil || f.State != Delivering || !f.Due.IsZero() {
		return
	}
	for _, d := range u.Deliveries {
		if d.State == DeliveryQueued || d.State == DeliveryStarting {
			return
		}
	}
	e.finish(u, Connected, nil)
}

func (e *Engine) audit(ctx context.Context, u *User, event audit.Event) {
	event.Time, event.User = e.Clock(), u.Name
	e.Audit.Record(ctx, event)
}
