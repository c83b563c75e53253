package flow

import (
	"context"
	"errors"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/audit"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

const (
	// refreshAhead is how long before its end a token is refreshed.
	refreshAhead = 15 * time.Minute
	// lookInterval is how often the servers that hold a token are looked at.
	lookInterval = 45 * time.Second
	// unseenGrace is how long a connection that ends with its servers outlives
	// the last sight of them: time for the user to sign in again.
	unseenGrace = 10 * time.Minute
)

// looks reports whether the servers that hold this connection's token need
// looking at.
func (e *Engine) looks(c *Connection) bool {
	return e.Deliverer != nil && (e.RevokeOnStop || e.refreshable(c))
}

func (e *Engine) refreshable(c *Connection) bool {
	return e.KeepFresh && !c.Token.Refresh.Empty() && c.RefreshError == nil
}

// planLook plans the next look. Where nothing but a refresh is at stake, there
// is none before it is time for that.
func (e *Engine) planLook(u *User) {
	c := u.Connection
	c.LookDue, c.UnseenSince = time.Time{}, time.Time{}
	if u.HubToken.Empty() || !e.looks(c) {
		return
	}
	c.LookDue = e.Clock().Add(lookInterval + jitter(lookInterval))
	if refresh := c.Token.ExpiresAt.Add(-refreshAhead); !e.RevokeOnStop && refresh.After(c.LookDue) {
		c.LookDue = refresh
	}
}

// look asks the Hub whether a server that holds the token runs.
func (e *Engine) look(ctx context.Context, u *User) outcome {
	used := u.HubToken.Hash()
	servers, err := e.servers(ctx, u)
	return ofConnection(u.Connection.Token, func(u *User, c *Connection) {
		switch {
		case err != nil && hubTrouble(err).Retryable:
			c.LookDue = e.Clock().Add(max(lookInterval, hubTrouble(err).RetryAfter))
		case errors.Is(err, hub.ErrUnauthorized) && u.HubToken.Hash() != used:
			c.LookDue = e.Clock() // signed in again meanwhile
		case err != nil:
			e.unseen(u, errors.Is(err, hub.ErrUnauthorized))
		default:
			e.looked(u, servers)
		}
	})
}

// unseen: the Hub does not show the servers, above all to a user who has signed
// out. A look goes on at the next sign-in. Where the connection is to end with
// its servers, it does not outlive that for long.
func (e *Engine) unseen(u *User, signedOut bool) {
	c, now := u.Connection, e.Clock()
	if signedOut {
		u.HubToken = secret.Stored{}
	}
	switch {
	case !e.RevokeOnStop:
		c.LookDue = time.Time{}
	case c.UnseenSince.IsZero():
		c.UnseenSince, c.LookDue = now, now.Add(unseenGrace)
	case now.Sub(c.UnseenSince) >= unseenGrace:
		e.dropConnection(u, "servers_unseen", Expired, errServersUnseen)
	default:
		c.LookDue = c.UnseenSince.Add(unseenGrace)
	}
}

func (e *Engine) looked(u *User, servers []hub.Server) {
	held, running := u.holders(servers)
	if e.RevokeOnStop && held && !running {
		e.dropConnection(u, "servers_stopped", Expired, errServersStopped)
		return
	}
	e.planLook(u)
	c := u.Connection
	if running && e.refreshable(c) && c.RefreshDue.IsZero() && c.Token.ExpiresAt.Sub(e.Clock()) <= refreshAhead {
		c.RefreshDue = e.Clock()
	}
}

// holders reports whether any server holds a token, and whether one of those
// runs or is being started again.
func (u *User) holders(servers []hub.Server) (held, running bool) {
	up := map[string]bool{}
	for _, server := range servers {
		up[server.Name] = server.Ready || server.Pending == "spawn"
	}
	for _, d := range u.Deliveries {
		if d.Delivered != "" && d.State != DeliveryRemoving {
			held, running = true, running || up[d.Server]
		}
	}
	return held, running
}

var errServersStopped = &apierror.Error{Code: apierror.CodeServersStopped, Message: "Your server stopped, and the connection ended with it. The token was revoked.",
	Hint: "Connect again when your server runs."}

var errServersUnseen = &apierror.Error{Code: apierror.CodeServersUnseen, Message: "You are signed out of the Hub, so it cannot be seen whether your server runs. The connection has ended, and the token was revoked.",
	Hint: "Sign in at the Hub and connect again."}

// refresh trades the token for a fresh one. The old pair is dead from then on,
// so a fresh one that finds no place is revoked.
func (e *Engine) refresh(ctx context.Context, u *User) outcome {
	old := u.Connection.Token
	fresh, err := e.GitHub.Refresh(ctx, old.Refresh.String)
	if err != nil {
		cause := e.trouble(u.Name, "refresh", err)
		return ofConnection(old, func(_ *User, c *Connection) { e.refreshFailed(c, cause) })
	}
	e.audit(ctx, u, audit.Event{Action: "refreshed", OfUser: audit.OfUser{Account: u.Connection.Account.Login},
		TokenHash: fresh.Access.Hash(), ExpiresAt: fresh.ExpiresAt, Outcome: "ok"})
	return outcome{
		change: func(u *User) { e.refreshed(u, old, fresh) },
		lost:   func(ctx context.Context) { e.undo(ctx, fresh) },
	}
}

func (e *Engine) refreshed(u *User, old, fresh github.Token) {
	c := u.Connection
	switch {
	case u.holds(fresh): // stored already
		return
	case c == nil || c.Token.Access.Hash() != old.Access.Hash():
		e.revoke(u, fresh, "late_refresh")
		return
	case fresh.ExpiresAt.IsZero():
		c.Token = fresh
		e.dropConnection(u, errNeverExpires.Code, Failed, errNeverExpires)
		return
	}
	c.Token, c.RefreshDue, c.RefreshFailures = fresh, time.Time{}, 0
	e.planLook(u)
	for _, d := range u.Deliveries {
		if d.Delivered != "" && d.State != DeliveryRemoving {
			e.queue(u, d.Server, false)
		}
	}
}

// refreshFailed tries again where the trouble may pass. Otherwise the connection
// ends with its token; should that be dead already, because the answer to an
// earlier try was lost, the check of what it reaches finds out.
func (e *Engine) refreshFailed(c *Connection, cause *apierror.Error) {
	now := e.Clock()
	if cause.Retryable {
		c.RefreshFailures++
		c.RefreshDue = now.Add(max(backoff(time.Second, c.RefreshFailures), cause.RetryAfter))
		return
	}
	c.RefreshDue, c.CheckDue = time.Time{}, now
	c.RefreshError = &apierror.Error{Code: apierror.CodeRefreshFailed, Message: "GitHub did not prolong the connection, so it ended with its token.",
		Hint: "Connect again whenever you need to push."}
	if cause.Code == apierror.CodeTokenDead {
		c.Token.Refresh, c.Token.RefreshExpiresAt = secret.Stored{}, time.Time{}
	}
}
