package flow

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/audit"
	"github.com/ghscoped/ghscoped-service/internal/credential"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

var (
	errNotConnected = &apierror.Error{Code: apierror.CodeNotConnected, Message: "You are not connected to GitHub.",
		Hint: "Open “Connect GitHub” in the Services menu and connect first."}
	errNoFlow   = &apierror.Error{Code: apierror.CodeNoFlow, Message: "There is no flow under way.", Hint: "Start a new one."}
	errPullOnly = &apierror.Error{Code: apierror.CodePullOnly, Message: "This service does not write into servers; git asks it for the token each time.",
		Hint: "Nothing needs to be delivered."}
	errServersNamed = &apierror.Error{Code: apierror.CodeServersNamed, Message: "A program cannot choose servers; its flow is for the server that it runs in.",
		Hint: "Leave servers out, or choose them on the page “Connect GitHub”."}
	errServerTokenOnly = &apierror.Error{Code: apierror.CodeServerTokenOnly, Message: "Only a server's own Hub token is of use here, and this one is not of one server.",
		Hint: "Call this from a server with its JUPYTERHUB_API_TOKEN. Its role at the Hub must have access:servers!server and no wider access:servers."}
	errServerNotChosen = &apierror.Error{Code: apierror.CodeServerNotChosen, Message: "This server is not one of those that you allowed to use your GitHub connection.",
		Hint: "Allow it on the page “Connect GitHub”, or run ghscoped login here."}
	errNotBegunHere = &apierror.Error{Code: apierror.CodeNotBegunHere, Message: "This attempt to connect was not begun in this server.",
		Hint: "Cancel it on the page “Connect GitHub”."}
	errManyServers = &apierror.Error{Code: apierror.CodeManyServers, Message: "That is more servers than this service delivers to for one user.",
		Hint: "Disconnect, then choose fewer servers."}
)

// Request says how a user wants to connect.
type Request struct {
	// Servers that are to have the token, by name. None: all that run and are not
	// shared, or the default one. A program names none: its flow is for the server
	// that it runs in.
	Servers []string
	// Redirect is where GitHub sends the browser back to in the web flow; empty:
	// to the callback address of the GitHub App.
	Redirect string
}

// Start begins a device flow, or returns the one that is under way already;
// created tells which. A web flow that nobody has approved is replaced.
func (e *Engine) Start(ctx context.Context, caller Caller, request Request) (user *User, created bool, err error) {
	servers, err := request.serversOf(caller)
	if err != nil {
		return nil, false, err
	}
	user, err = e.Of(ctx, caller)
	if err != nil || user.blocks(caller, Device, e.clock()) {
		return user, false, err
	}
	if err := e.mayAsk(ctx, caller); err != nil {
		return nil, false, err
	}
	code, err := e.github.DeviceCode(ctx)
	if err != nil {
		return nil, false, err
	}
	now := e.clock()
	started := &Flow{
		ID: newID(), Mode: Device, State: Pending, StartedAt: now,
		ExpiresAt: now.Add(code.ExpiresIn), Interval: code.Interval, Retry: Retry{Due: now.Add(code.Interval)},
		UserCode: code.UserCode, VerificationURI: code.VerificationURI,
		DeviceCode: secret.Store(code.DeviceCode), Servers: servers,
	}
	return e.begin(ctx, caller, started)
}

// serversOf are the servers that a new flow of the caller is for.
func (r Request) serversOf(caller Caller) ([]string, error) {
	switch {
	case !caller.Program:
		return r.Servers, checkServers(r.Servers...)
	case len(r.Servers) > 0:
		return nil, errServersNamed
	case caller.Server == nil:
		return nil, errServerTokenOnly
	}
	return []string{*caller.Server}, nil
}

// begin stores a new flow unless another tab was faster; then that one counts.
func (e *Engine) begin(ctx context.Context, caller Caller, started *Flow) (*User, bool, error) {
	user, created, err := e.update(ctx, caller, func(u *User) (bool, error) {
		if u.blocks(caller, started.Mode, e.clock()) {
			return false, nil
		}
		if started.Mode == Web { // a device flow was counted before its code was asked for
			if err := u.count(e.clock()); err != nil {
				return false, err
			}
		}
		if u.Flow != nil && !u.Flow.Token.Access.Empty() { // approved, and never confirmed
			e.revoke(u, u.Flow.Token, "replaced")
		}
		if started.Program = caller.Server; !caller.Program {
			started.Session = caller.HubToken.Hash()
		}
		u.Flow = started
		e.keepHubToken(u, caller)
		return true, nil
	})
	if !created {
		return user, false, err
	}
	e.metrics.countStarted(started.Mode)
	e.audit(ctx, user, audit.Event{Action: "flow_started", OfUser: audit.OfUser{FlowID: started.ID}, Outcome: "ok"})
	return user, true, nil
}

// Cancel ends the flow under way. It wins over an approval until the token is
// in a server: one that arrives later is revoked. A program cancels what a program
// in its own server began, and nothing else.
func (e *Engine) Cancel(ctx context.Context, caller Caller) (*User, error) {
	user, _, err := e.update(ctx, caller, func(u *User) (bool, error) {
		if u.underWay(e.clock()) && caller.Program && !u.Flow.BegunBy(caller) {
			return false, errNotBegunHere
		}
		if !e.cancel(u) {
			return false, errNoFlow
		}
		return true, nil
	})
	return user, err
}

// cancel reports whether there was a flow to cancel.
func (e *Engine) cancel(u *User) bool {
	switch {
	case !u.underWay(e.clock()):
		return false
	case u.Flow.State != Delivering:
		e.finish(u, Cancelled, nil)
	case u.Connection == nil || u.written():
		return false
	default:
		e.dropConnection(u, "cancelled", Cancelled, nil)
	}
	return true
}

// SignedOut tells the engine that a browser's session is over: the flow that it
// began is cancelled. One that a program or another browser began continues.
func (e *Engine) SignedOut(ctx context.Context, name string, hubToken secret.String) error {
	_, _, err := e.updateNamed(ctx, name, func(u *User) (bool, error) {
		begun := u.Flow != nil && u.Flow.Session != "" && u.Flow.Session == hubToken.Hash() // the token says that it was theirs
		return begun && e.cancel(u), nil
	})
	return err
}

// written reports whether some server holds the connection's token.
func (u *User) written() bool {
	hash := u.Connection.Token.Access.Hash()
	return slices.ContainsFunc(u.Deliveries, func(d Delivery) bool { return d.Delivered == hash })
}

// Disconnect forgets the connection at once; its token is revoked and taken
// out of every server as soon as each can be reached. A program may do so in a
// server that has the token: with that it could revoke it at GitHub itself.
func (e *Engine) Disconnect(ctx context.Context, caller Caller) (*User, error) {
	user, _, err := e.update(ctx, caller, func(u *User) (bool, error) {
		if u.Connection == nil {
			return false, errNotConnected
		}
		if err := u.Connection.Shown(caller); err != nil {
			return false, err
		}
		e.keepHubToken(u, caller)
		e.dropConnection(u, "disconnect", Cancelled, nil)
		switch {
		case u.underWay(e.clock()): // a second connection on its way
			e.finish(u, Cancelled, nil)
		case u.Flow != nil && u.Flow.State.Final():
			u.Flow = nil
		}
		return true, nil
	})
	return user, err
}

// Deliver lets servers have the existing token, in the name of a person who sees
// in a browser whose it is, and puts it there (again) where that is how servers get
// it. With start, a stopped server is started first.
func (e *Engine) Deliver(ctx context.Context, caller Caller, servers []string, start bool) (*User, error) {
	if err := checkServers(servers...); err != nil {
		return nil, err
	}
	user, _, err := e.update(ctx, caller, func(u *User) (bool, error) {
		c := u.Connection
		if c == nil {
			return false, errNotConnected
		}
		e.keepHubToken(u, caller)
		c.Program = nil
		for _, server := range servers {
			if u.full(server) || !c.choose(server) {
				return false, errManyServers
			}
			if e.deliverer != nil {
				e.queue(u, server, start)
			}
		}
		return true, nil
	})
	return user, err
}

// choose notes that a server may have the token; false: there are too many.
func (c *Connection) choose(server string) bool {
	if slices.Contains(c.Servers, server) {
		return true
	}
	if len(c.Servers) >= maxServers {
		return false
	}
	c.Servers = append(c.Servers, server)
	return true
}

// full reports whether there is no room for one more server of this name.
func (u *User) full(server string) bool {
	return u.Delivery(server) == nil && len(u.Deliveries) >= maxServers
}

// SignedIn tells the engine that a user is back with a fresh Hub token: what
// waited for one continues.
func (e *Engine) SignedIn(ctx context.Context, caller Caller) error {
	_, _, err := e.update(ctx, caller, func(u *User) (bool, error) {
		waiting := u.underWay(e.clock())
		for i := range u.Deliveries {
			d := &u.Deliveries[i]
			if e.deliverer != nil && (d.State == DeliveryWaiting || d.State == DeliveryRemoving) {
				d.Retry, d.HubFailures, d.Error, waiting = Retry{Due: e.clock()}, 0, nil, true
			}
		}
		waiting = waiting || !u.HubToken.Empty() // who is here now has one that works
		lookless := u.Connection != nil && e.looks(u.Connection) && (u.HubToken.Empty() || u.Connection.LookDue.IsZero())
		if !waiting && !lookless {
			return false, nil
		}
		e.keepHubToken(u, caller)
		if lookless {
			e.planLook(u)
		}
		return true, nil
	})
	return err
}

// AwaitsSignIn reports whether something stands still for want of a Hub token of the
// user's, which [Engine.SignedIn] brings: a delivery or a removal whose token was gone or
// refused, or the look at the servers that hold the credential.
func (e *Engine) AwaitsSignIn(u *User) bool {
	if e.deliverer == nil {
		return false
	}
	if u.Connection != nil && u.HubToken.Empty() && e.looks(u.Connection) {
		return true
	}
	return slices.ContainsFunc(u.Deliveries, func(d Delivery) bool {
		return d.Error != nil && d.Error.Code == apierror.CodeHubSignedOut
	})
}

// Recheck asks for a new look at what the token reaches, unless the last one is
// younger than age.
func (e *Engine) Recheck(ctx context.Context, caller Caller, age time.Duration) error {
	_, _, err := e.update(ctx, caller, func(u *User) (bool, error) {
		c, now := u.Connection, e.clock()
		if c == nil {
			return false, nil
		}
		if err := c.Shown(caller); err != nil {
			return false, err
		}
		check := c.nextCheck()
		planned := check.Failures > 0 || (!check.Due.IsZero() && !check.Due.After(now))
		if planned || c.CheckedAt.IsZero() || now.Sub(c.CheckedAt) < age {
			return false, nil
		}
		check.Due = now
		return true, nil
	})
	return err
}

// returnPace is how soon after a look at what the token reaches somebody who comes back
// from GitHub gets the next one.
const returnPace = 3 * time.Second

// BackFromGitHub plans a look at what the token reaches for somebody who may have
// changed that at GitHub just now.
func (e *Engine) BackFromGitHub(ctx context.Context, caller Caller) error {
	_, _, err := e.update(ctx, caller, func(u *User) (bool, error) {
		if u.Connection == nil {
			return false, nil
		}
		now, check := e.clock(), u.Connection.nextCheck()
		due := later(now, u.Connection.CheckedAt.Add(returnPace))
		if !check.Due.IsZero() && !check.Due.After(now) && u.Held.After(now) { // one that may be under way saw GitHub as it was before
			due = now.Add(returnPace)
		} else if check.Failures > 0 || !check.Due.IsZero() && !check.Due.After(due) {
			return false, nil
		}
		check.Due = due
		return true, nil
	})
	return err
}

// later is the later of two times.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Credential returns the live token for the git helper that asks each time; with
// OneRepository, one for the named repository (OWNER/NAME) alone. It is for a
// program in a server that the person chose.
func (e *Engine) Credential(ctx context.Context, caller Caller, repository string) (credential.Credential, error) {
	if e.oneRepository {
		return e.repositoryCredential(ctx, caller, repository)
	}
	user, err := e.Of(ctx, caller)
	if err != nil {
		return credential.Credential{}, err
	}
	if err := e.mayHave(user.Connection, caller); err != nil {
		return credential.Credential{}, err
	}
	return e.credential(user.Connection), nil
}

// mayHave is nil where the caller may have the connection's token.
func (e *Engine) mayHave(c *Connection, caller Caller) error {
	switch {
	case caller.Server == nil:
		return errServerTokenOnly
	case !c.lives(e.clock()):
		return errNotConnected
	}
	return c.Shown(caller)
}

// Shown is nil where the caller may see the connection: a browser, a program with a
// token that is of no single server but the user's own, and programs in the servers
// that were chosen.
func (c *Connection) Shown(caller Caller) error {
	if caller.Server == nil || c.AnyServer || slices.Contains(c.Servers, *caller.Server) {
		return nil
	}
	return errServerNotChosen
}

// BegunBy reports whether the caller began the flow: a browser one of a browser's,
// a program one that was begun in the same server.
func (f *Flow) BegunBy(caller Caller) bool {
	if f.Program == nil || caller.Server == nil {
		return f.Program == nil && !caller.Program
	}
	return *f.Program == *caller.Server
}

func (e *Engine) credential(c *Connection) credential.Credential {
	return credential.Credential{
		Host: e.gitHubURL, Username: credential.Username, Password: c.Token.Access.String,
		ExpiresAt: c.Token.ExpiresAt, Account: c.Account,
	}
}

// maxServerName bounds the name of a server, in bytes: JupyterHub's database has
// no longer ones. A name that somebody made up is stored all the same.
const maxServerName = 255

var errServerName = &apierror.Error{Code: apierror.CodeServerName, Message: "No server has a name that long.", Hint: "Choose one of your servers."}

// checkServers refuses names that cannot be stored.
func checkServers(names ...string) error {
	if len(names) > maxServers {
		return errManyServers
	}
	for _, name := range names {
		if len(name) > maxServerName {
			return errServerName
		}
	}
	return nil
}

// Each attempt to connect costs calls at GitHub's OAuth addresses, and their
// limits count for the App as a whole: one user in a loop would close them to
// everybody. So one may begin attemptBurst attempts at once, as somebody does who
// starts again and again, and then one each attemptPace.
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
	_, _, err := e.update(ctx, caller, func(u *User) (bool, error) {
		if now := e.clock(); !u.blocks(caller, Device, now) {
			return true, u.count(now)
		}
		return false, nil
	})
	return err
}

var errEnded = &apierror.Error{Code: apierror.CodeConnectionEnded, Message: "An administrator ended your connection. The token was revoked.",
	Hint: "Ask them before you connect again."}

// Users lists records in the order of their names, beginning behind after, and
// the name to continue from; "" at the end. For administrators.
func (e *Engine) Users(ctx context.Context, after string, limit int) (users []*User, next string, err error) {
	users, next, err = e.store.List(ctx, after, limit)
	if err != nil {
		return nil, "", fmt.Errorf("list the records of users: %w", err)
	}
	return users, next, nil
}

// EndConnection ends a user's connection and revokes its token, in the name of
// an administrator; reason is for the audit. The token is taken out of servers
// as soon as the user's own sign-in allows it.
func (e *Engine) EndConnection(ctx context.Context, name, reason string) (*User, error) {
	user, _, err := e.updateNamed(ctx, name, func(u *User) (bool, error) {
		if u.Connection == nil {
			return false, errNotConnected
		}
		e.dropConnection(u, reason, Cancelled, errEnded)
		if u.underWay(e.clock()) {
			e.finish(u, Cancelled, errEnded)
		}
		return true, nil
	})
	return user, err
}

// ForgetAccount undoes what the "bound" identity policy remembered of a user, and
// which accounts they confirmed, in the name of an administrator; reason is for
// the audit. The account of the next connection is the one from then on. A
// connection that is there stays. Where nothing is remembered nothing happens.
func (e *Engine) ForgetAccount(ctx context.Context, name, reason string) error {
	var login string
	user, changed, err := e.updateNamed(ctx, name, func(u *User) (bool, error) {
		if u.BoundAccount == 0 && u.Confirmed == nil {
			return false, nil
		}
		login = cmp.Or(u.BoundLogin, u.lastConfirmed())
		u.BoundAccount, u.BoundLogin, u.Confirmed = 0, "", nil
		return true, nil
	})
	if changed {
		e.audit(ctx, user, audit.Event{Action: "account_forgotten", OfUser: audit.OfUser{Account: login}, Outcome: "ok", Reason: reason})
	}
	return err
}

// EndUser ends all that is known of a name, in the name of an administrator whose
// user is gone: the token is revoked, and what the policies remember of the user
// is forgotten. reason is for the audit.
func (e *Engine) EndUser(ctx context.Context, name, reason string) error {
	user, changed, err := e.updateNamed(ctx, name, func(u *User) (bool, error) {
		if u.Version == 0 {
			return false, errNoRecord
		}
		e.endRecord(u, reason)
		return true, nil
	})
	if changed {
		e.audit(ctx, user, audit.Event{Action: "record_ended", Outcome: "ok", Reason: reason})
	}
	return err
}
