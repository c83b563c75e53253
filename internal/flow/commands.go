package flow

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// Codes of errors that a caller may get from a command.
const (
	CodeNotConnected = "not_connected"
	CodeNoFlow       = "no_flow"
	CodePullOnly     = "pull_only"
	CodeManyServers  = "too_many_servers"
	CodeNoWebFlow    = "no_web_flow"
	CodeWebState     = "web_state"
	CodeFlowUnderWay = "flow_under_way"
)

var (
	errNotConnected = &Error{Code: CodeNotConnected, Message: "You are not connected to GitHub.",
		Hint: "Open “Connect GitHub” in the Services menu and connect first."}
	errNoFlow   = &Error{Code: CodeNoFlow, Message: "There is no flow under way.", Hint: "Start a new one."}
	errPullOnly = &Error{Code: CodePullOnly, Message: "This service does not write into servers; git asks it for the token each time.",
		Hint: "Nothing needs to be delivered."}
	errManyServers = &Error{Code: CodeManyServers, Message: "That is more servers than this service delivers to for one user.",
		Hint: "Disconnect, then choose fewer servers."}
	// errSettled stops an update that found nothing to do.
	errSettled = errors.New("nothing to change")
)

// Request says how a user wants to connect.
type Request struct {
	// Servers to deliver to, by name. None: all that run, or the default one.
	Servers []string
	// Redirect is where GitHub sends the browser back to in the web flow; empty:
	// to the callback address of the GitHub App.
	Redirect string
}

// Start begins a device flow, or returns the one that is under way already;
// created tells which. A web flow that nobody has approved is replaced.
func (e *Engine) Start(ctx context.Context, caller Caller, request Request) (user *User, created bool, err error) {
	if err := checkServers(request.Servers...); err != nil {
		return nil, false, err
	}
	user, err = e.User(ctx, caller.User)
	if err != nil || user.blocks(Device, e.Clock()) {
		return user, false, err
	}
	if err := e.mayAsk(ctx, caller.User); err != nil {
		return nil, false, err
	}
	code, err := e.GitHub.DeviceCode(ctx)
	if err != nil {
		return nil, false, err
	}
	now := e.Clock()
	started := &Flow{
		ID: newID(), Mode: Device, State: Pending, StartedAt: now,
		ExpiresAt: now.Add(code.ExpiresIn), Interval: code.Interval, Due: now.Add(code.Interval),
		UserCode: code.UserCode, VerificationURI: code.VerificationURI,
		DeviceCode: secret.Store(code.DeviceCode), Servers: request.Servers,
	}
	return e.begin(ctx, caller, started)
}

// begin stores a new flow unless another tab was faster; then that one counts.
func (e *Engine) begin(ctx context.Context, caller Caller, started *Flow) (*User, bool, error) {
	user, err := e.update(ctx, caller.User, func(u *User) error {
		if u.blocks(started.Mode, e.Clock()) {
			return errSettled
		}
		if started.Mode == Web { // a device flow was counted before its code was asked for
			if err := u.count(e.Clock()); err != nil {
				return err
			}
		}
		started.Session = caller.HubToken.Hash()
		if u.Flow != nil && !u.Flow.Token.Access.Empty() { // approved, and never confirmed
			e.revoke(u, u.Flow.Token, "replaced")
		}
		u.Flow = started
		e.keepHubToken(u, caller)
		return nil
	})
	if errors.Is(err, errSettled) {
		return user, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	e.Metrics.Started(started.Mode)
	e.audit(ctx, user, Event{Action: "flow_started", FlowID: started.ID, Outcome: "ok"})
	return user, true, nil
}

// Cancel ends the flow under way. It wins over an approval until the token is
// in a server: one that arrives later is revoked.
func (e *Engine) Cancel(ctx context.Context, name string) (*User, error) {
	return e.update(ctx, name, e.cancel)
}

func (e *Engine) cancel(u *User) error {
	switch {
	case !u.underWay(e.Clock()):
		return errNoFlow
	case u.Flow.State != Delivering:
		e.finish(u, Cancelled, nil)
	case u.Connection == nil || u.written():
		return errNoFlow
	default:
		e.dropConnection(u, "cancelled", Cancelled, nil)
	}
	return nil
}

// SignedOut tells the engine that a browser's session is over: the flow that it
// began is cancelled. One that a program or another browser began goes on.
func (e *Engine) SignedOut(ctx context.Context, caller Caller) error {
	_, err := e.update(ctx, caller.User, func(u *User) error {
		if u.Flow == nil || u.Flow.Session == "" || u.Flow.Session != caller.HubToken.Hash() {
			return errSettled
		}
		return e.cancel(u)
	})
	if errors.Is(err, errSettled) || errors.Is(err, errNoFlow) {
		return nil
	}
	return err
}

// written reports whether some server holds the connection's token.
func (u *User) written() bool {
	hash := u.Connection.Token.Access.Hash()
	return slices.ContainsFunc(u.Deliveries, func(d Delivery) bool { return d.Delivered == hash })
}

// Disconnect forgets the connection at once; its token is revoked and taken
// out of every server as soon as each can be reached.
func (e *Engine) Disconnect(ctx context.Context, caller Caller) (*User, error) {
	return e.update(ctx, caller.User, func(u *User) error {
		if u.Connection == nil {
			return errNotConnected
		}
		e.keepHubToken(u, caller)
		e.disconnect(u, "disconnect")
		return nil
	})
}

func (e *Engine) disconnect(u *User, reason string) {
	e.dropConnection(u, reason, Cancelled, nil)
	switch {
	case u.underWay(e.Clock()): // a second connection on its way
		e.finish(u, Cancelled, nil)
	case u.Flow != nil && u.Flow.State.Final():
		u.Flow = nil
	}
}

// Deliver puts the existing token into a server (again). With start, a stopped
// server is started first.
func (e *Engine) Deliver(ctx context.Context, caller Caller, server string, start bool) (*User, error) {
	if err := checkServers(server); err != nil {
		return nil, err
	}
	return e.update(ctx, caller.User, func(u *User) error {
		switch {
		case u.Connection == nil:
			return errNotConnected
		case e.Deliverer == nil:
			return errPullOnly
		case u.full(server):
			return errManyServers
		}
		e.keepHubToken(u, caller)
		e.queue(u, server, start)
		return nil
	})
}

// full reports whether there is no room for one more server of this name.
func (u *User) full(server string) bool {
	return u.Delivery(server) == nil && len(u.Deliveries) >= maxServers
}

// SignedIn tells the engine that a user is back with a fresh Hub token: what
// waited for one goes on.
func (e *Engine) SignedIn(ctx context.Context, caller Caller) error {
	_, err := e.update(ctx, caller.User, func(u *User) error {
		waiting := u.underWay(e.Clock())
		for i := range u.Deliveries {
			d := &u.Deliveries[i]
			if e.Deliverer != nil && (d.State == DeliveryWaiting || d.State == DeliveryRemoving) {
				d.Due, d.Error, d.Attempts, d.HubFailures, waiting = e.Clock(), nil, 0, 0, true
			}
		}
		waiting = waiting || !u.HubToken.Empty() // who is here now has one that works
		lookless := u.Connection != nil && e.looks(u.Connection) && (u.HubToken.Empty() || u.Connection.LookDue.IsZero())
		if !waiting && !lookless {
			return errSettled
		}
		e.keepHubToken(u, caller)
		if lookless {
			e.planLook(u)
		}
		return nil
	})
	if errors.Is(err, errSettled) {
		return nil
	}
	return err
}

// Recheck asks for a new look at what the token reaches, unless the last one is
// younger than age.
func (e *Engine) Recheck(ctx context.Context, name string, age time.Duration) error {
	_, err := e.update(ctx, name, func(u *User) error {
		now := e.Clock()
		c := u.Connection
		if c == nil || c.CheckedAt.IsZero() || now.Sub(c.CheckedAt) < age ||
			c.CheckFailures > 0 || (!c.CheckDue.IsZero() && !c.CheckDue.After(now)) {
			return errSettled
		}
		c.CheckDue = now
		return nil
	})
	if errors.Is(err, errSettled) {
		return nil
	}
	return err
}

// Credential returns the live token for the git helper that asks each time; with
// OneRepository, one for the named repository (OWNER/NAME) alone.
func (e *Engine) Credential(ctx context.Context, name, repository string) (Credential, error) {
	if e.OneRepository {
		return e.repositoryCredential(ctx, name, repository)
	}
	user, err := e.User(ctx, name)
	if err != nil {
		return Credential{}, err
	}
	if user.Connection == nil || !user.Connection.Token.ExpiresAt.After(e.Clock()) {
		return Credential{}, errNotConnected
	}
	return e.credential(user.Connection), nil
}

func (e *Engine) credential(c *Connection) Credential {
	return Credential{
		Host: e.GitHubURL, Username: "x-access-token", Password: c.Token.Access.String,
		ExpiresAt: c.Token.ExpiresAt, Account: c.Account,
	}
}
