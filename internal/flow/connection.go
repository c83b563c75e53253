package flow

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/audit"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/secret"
	"github.com/ghscoped/ghscoped-service/internal/webaddr"
)

const (
	// accountTries bounds the attempts to read the account of a fresh token,
	// which GitHub may not know yet for a moment.
	accountTries = 8
	// maxServers bounds the servers of one user that are delivered to.
	maxServers = 100
)

// stillHere asks the Hub whether the user is still signed in there: who signed
// out while the code was open has ended the flow by that. While the Hub does not
// answer it is asked again, as long as the token is worth it.
func (e *Engine) stillHere(ctx context.Context, u *User) outcome {
	used := u.HubToken.Hash()
	err := e.signedIn(ctx, u)
	return ofFlow(*u.Flow, func(u *User, f *Flow) {
		now := e.clock()
		switch {
		case err == nil:
			f.Present, f.Retry, f.Error = true, Retry{Due: now}, nil
		case !f.Token.ExpiresAt.After(now):
			e.finish(u, Expired, errConnectionExpired)
		case errors.Is(err, hub.ErrUnauthorized) && u.HubToken.Hash() != used:
			f.Due = now // signed in again meanwhile
		case errors.Is(err, hub.ErrUnauthorized):
			e.finish(u, Cancelled, errSignedOut)
		default:
			f.Error = hubError(err)
			f.later(now, f.Error)
		}
	})
}

// signedIn returns nil where the Hub still knows the user's token. JupyterHub
// says 403 of one that it does not know.
func (e *Engine) signedIn(ctx context.Context, u *User) error {
	if u.HubToken.Empty() || !u.HubTokenExpires.After(e.clock()) {
		return hub.ErrUnauthorized
	}
	holder, err := e.hub.Whoami(ctx, u.HubToken.String)
	switch {
	case err == nil && (holder.Name != u.Name || !u.isOf(holder.Created)): // renamed
		return hub.ErrUnauthorized
	case errors.Is(err, hub.ErrUnauthorized), errors.Is(err, hub.ErrForbidden):
		return hub.ErrUnauthorized
	}
	e.logged(u.Name, "whoami", err)
	return err
}

// identify asks GitHub who approved. Nothing was delivered before.
func (e *Engine) identify(ctx context.Context, u *User) outcome {
	was := *u.Flow
	account, err := e.github.Account(ctx, u.Flow.Token.Access.String)
	cause := e.logged(u.Name, "identify", err)
	if mismatch := e.identity.check(u, account); cause == nil && mismatch != nil {
		e.audit(ctx, u, audit.Event{Action: "identity_mismatch", OfUser: audit.OfUser{FlowID: was.ID, Account: account.Login},
			TokenHash: was.Token.Access.Hash(), Outcome: "refused", Code: mismatch.Code})
	}
	return ofFlow(was, func(u *User, _ *Flow) {
		if cause != nil {
			e.identifyFailed(u, cause)
			return
		}
		e.identifiedAs(u, account)
	})
}

// identifiedAs continues with the servers, or for a web flow waits for the person to
// confirm an account that they never have.
func (e *Engine) identifiedAs(u *User, account github.Account) {
	f := u.Flow
	if e.identity.check(u, account) != nil || f.Mode != Web || u.confirmed(account.ID) {
		e.accept(u, account)
		return
	}
	f.Account, f.ExpiresAt = &account, e.clock().Add(webLife)
	f.Retry, f.Error = Retry{Due: f.ExpiresAt}, nil
}

// accept makes the connection if the identity policy agrees, and reports whether
// it does.
func (e *Engine) accept(u *User, account github.Account) bool {
	f := u.Flow
	if mismatch := e.identity.check(u, account); mismatch != nil {
		e.finish(u, Failed, mismatch)
		return false
	}
	if f.Program != nil && u.Connection.lives(e.clock()) && u.Connection.Account.ID != account.ID {
		e.finish(u, Failed, errOtherAccount)
		return false
	}
	if e.identity == BoundAccount {
		u.BoundAccount, u.BoundLogin = account.ID, account.Login
	}
	e.connect(u, account)
	f.Account, f.Confirmation = nil, ""
	f.State, f.Retry, f.Error = Delivering, Retry{Due: e.clock()}, nil
	if e.deliverer == nil && len(f.Servers) > 0 {
		e.finish(u, Connected, nil)
	}
	return true
}

// connect makes a connection of the flow's token, and replaces an older one. That
// of a program adds its server to those that have the same account already.
func (e *Engine) connect(u *User, account github.Account) {
	now, f, old := e.clock(), u.Flow, u.Connection
	c := &Connection{Account: account, Token: f.Token, Since: now, Servers: slices.Clone(f.Servers), Program: f.Program,
		Access: github.Access{State: github.AccessUnknown}, checkRetry: checkRetry{Due: now}}
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

var errOtherAccount = &apierror.Error{Code: apierror.CodeOtherAccountConnected,
	Message: "You are connected to another GitHub account, which a program cannot replace. The new token was revoked.",
	Hint:    "Disconnect on the page “Connect GitHub” first, or approve with the account that is connected."}

// identifyFailed tries again: retryable errors until the code's end at least,
// since the approval is worth keeping, any other a few times.
func (e *Engine) identifyFailed(u *User, cause *apierror.Error) {
	f, now := u.Flow, e.clock()
	f.Error = cause
	f.later(now, cause)
	if f.Failures >= accountTries && (!cause.Retryable || now.After(f.ExpiresAt)) {
		e.finish(u, Failed, cause)
	}
}

// planDeliveries decides which servers get the credential: those the user named, else all
// that run and are not shared, else the default one; and those that hold an older
// token. A program's flow brings it to the latter only, and only where a person has
// confirmed the account. What there is no room for is left out.
func (e *Engine) planDeliveries(ctx context.Context, u *User) outcome {
	used := u.HubToken.Hash()
	names, err := []string(nil), error(nil)
	switch f := u.Flow; {
	case f.Program != nil:
	case len(f.Servers) > 0:
		names = f.Servers
	default:
		names, err = e.proposed(ctx, u)
	}
	return ofFlow(*u.Flow, func(u *User, f *Flow) {
		if err != nil && e.planFailed(u, used, err) {
			return
		}
		if c := u.Connection; c != nil {
			c.AnyServer = c.AnyServer || e.deliverer == nil && errors.Is(err, hub.ErrForbidden)
			e.hand(u, names)
		}
		f.Retry, f.Error = Retry{}, nil
		e.completeDelivering(u)
	})
}

// hand notes servers as chosen and plans the deliveries.
func (e *Engine) hand(u *User, names []string) {
	c := u.Connection
	if c.Program == nil {
		for _, d := range u.Deliveries {
			if d.Delivered != "" && !slices.Contains(names, d.Server) {
				names = append(slices.Clone(names), d.Server)
			}
		}
	}
	for _, name := range names {
		if !u.full(name) && c.choose(name) && e.deliverer != nil {
			e.queue(u, name, false)
		}
	}
}

// proposed are the servers of a user who named none.
func (e *Engine) proposed(ctx context.Context, u *User) ([]string, error) {
	servers, err := e.servers(ctx, u)
	names := []string{""}
	if up := slices.DeleteFunc(servers, func(s hub.Server) bool { return !s.Ready && s.Pending != "spawn" }); len(up) > 0 {
		names = nil
		for _, server := range up {
			names = append(names, server.Name)
		}
	}
	shares, failed := e.shares(ctx, u)
	if failed != nil {
		return nil, failed
	}
	return slices.DeleteFunc(names, func(name string) bool { return len(shares[name]) > 0 }), err
}

// shares are the servers that others may open, as far as the Hub shows it:
// JupyterHub 4 has no sharing, and later ones need read:shares!user.
func (e *Engine) shares(ctx context.Context, u *User) (map[string][]string, error) {
	if u.HubToken.Empty() {
		return nil, nil
	}
	shares, err := e.hub.Shares(ctx, u.HubToken.String, u.Name)
	if errors.Is(err, hub.ErrForbidden) || errors.Is(err, hub.ErrUnauthorized) {
		return nil, nil
	}
	return shares, err
}

// servers lists a user's servers with the user's own token. A refusal may mean a
// scope that is missing, or a token that is dead: then it is
// [hub.ErrUnauthorized].
func (e *Engine) servers(ctx context.Context, u *User) ([]hub.Server, error) {
	if u.HubToken.Empty() || !u.HubTokenExpires.After(e.clock()) {
		return nil, hub.ErrUnauthorized
	}
	servers, err := e.hub.Servers(ctx, u.HubToken.String, u.Name)
	if errors.Is(err, hub.ErrForbidden) && errors.Is(e.signedIn(ctx, u), hub.ErrUnauthorized) {
		err = hub.ErrUnauthorized
	}
	if !errors.Is(err, hub.ErrUnauthorized) {
		e.logged(u.Name, "servers", err)
	}
	return servers, err
}

// planFailed reports whether there is nothing to plan for now. Where the Hub
// does not show the servers, each delivery finds out what that means for it.
func (e *Engine) planFailed(u *User, used string, err error) bool {
	f, cause := u.Flow, hubError(err)
	switch {
	case errors.Is(err, hub.ErrUnauthorized) && u.HubToken.Hash() != used:
		f.Due = e.clock() // signed in again meanwhile
	case cause.Retryable:
		f.Error = cause
		f.later(e.clock(), cause)
	default:
		return false
	}
	return true
}

var errSignedOut = &apierror.Error{Code: apierror.CodeHubSignedOut,
	Message: "Your session ended before the connection was made. The token was revoked.",
	Hint:    "Connect again."}

// hubError says to a person what the Hub's refusal or silence means.
func hubError(err error) *apierror.Error {
	var unavailable *hub.UnavailableError
	switch {
	case errors.As(err, &unavailable):
		return &apierror.Error{Code: apierror.CodeHubUnavailable, Message: "The Hub does not answer at the moment.",
			Hint: "Nothing is lost; the service retries.", Retryable: true, RetryAfter: unavailable.RetryAfter, Err: err}
	case errors.Is(err, hub.ErrUnauthorized):
		return &apierror.Error{Code: apierror.CodeHubSignedOut, Message: "The service has no sign-in of yours with which to reach the server.",
			Hint: "Open “Connect GitHub”; it continues from there.", Err: err}
	case errors.Is(err, hub.ErrForbidden):
		return &apierror.Error{Code: apierror.CodeHubScopeMissing, Message: "The Hub does not let this service see, open or start your servers.",
			Hint: "An administrator of the Hub must allow read:servers!user, tokens!user and, to start servers, servers!user for this service.", Err: err}
	case errors.Is(err, hub.ErrBadRequest):
		return &apierror.Error{Code: apierror.CodeHubTokenRefused, Message: "The Hub does not make a token that opens your server for two minutes.",
			Hint: "An administrator of the Hub must let you open your own servers (the scope self), and token_expires_in_max_seconds must be 120 at least.", Err: err}
	}
	return asError(err)
}

// Identity is the policy on which GitHub account may stand behind a Hub user.
// The device flow can be turned on somebody else's account by talking them into
// typing a code; the stricter policies make that useless.
type Identity string

// The policies. Bound: the account of the first connection is the only one from
// then on. Match: the GitHub login equals the Hub name.
const (
	AnyAccount   Identity = "any"
	BoundAccount Identity = "bound"
	MatchAccount Identity = "match"
)

// check returns nil where the account may stand behind the user.
func (i Identity) check(u *User, account github.Account) *apierror.Error {
	switch {
	case i == MatchAccount && !sameLogin(account.Login, u.Name):
		return errMismatch
	case i == BoundAccount && u.BoundAccount != 0 && u.BoundAccount != account.ID:
		return errBound
	}
	return nil
}

// sameLogin compares a GitHub login with a Hub name. Logins are ASCII, and their
// case does not count. Unicode has other letters that fold to the same ones (ſ is
// an s, the Kelvin sign a k), and a Hub name with those is somebody else's.
func sameLogin(login, name string) bool {
	return webaddr.LowerASCII(login) == webaddr.LowerASCII(name)
}

var (
	errMismatch = &apierror.Error{
		Code:    apierror.CodeIdentityMismatch,
		Message: "The code was approved by a GitHub account that does not belong to you on this Hub. Nothing was delivered, and the token was revoked.",
		Hint:    "Sign in to GitHub with your own account and connect again. If nobody but you should have had the code, contact your Hub's administrators.",
	}
	errBound = &apierror.Error{
		Code:    apierror.CodeAccountBound,
		Message: "The code was approved by another GitHub account than the one you first connected here. Nothing was delivered, and the token was revoked.",
		Hint:    "Sign in to GitHub with that account and connect again. If you cannot use it any more, or it never was yours, an administrator of this service can have it forgotten. If nobody but you should have had the code, tell them too.",
	}
)

const (
	// accessRecheck is how often a connection that can push nowhere is looked
	// at again while its user may be choosing repositories, for accessPatience.
	accessRecheck  = 10 * time.Second
	accessPatience = 20 * time.Minute
)

// checkAccess reads what the token reaches, so that the page can name it and
// send the user where something is missing.
func (e *Engine) checkAccess(ctx context.Context, u *User) outcome {
	planned := u.Connection.nextCheck().Due
	access, err := e.github.Access(ctx, u.Connection.Token.Access.String, u.Connection.Account.ID)
	cause := e.logged(u.Name, "access", err)
	return ofConnection(u.Connection.Token, func(u *User, c *Connection) {
		if cause != nil {
			e.checkFailed(u, cause)
			return
		}
		now, check := e.clock(), c.nextCheck()
		again := check.Due
		c.Access, c.CheckedAt, *check = access, now, Retry{}
		u.Chose = u.Chose || access.State == github.AccessReady
		switch {
		case !again.Equal(planned): // by somebody who came back from GitHub meanwhile
			check.Due = again
		case access.State != github.AccessReady && now.Sub(c.Since) < accessPatience:
			check.Due = now.Add(accessRecheck)
		}
	})
}

// checkFailed tries again later. A token that GitHub does not know any more was
// revoked there by its owner or an organisation's admin: the connection is over.
func (e *Engine) checkFailed(u *User, cause *apierror.Error) {
	check := u.Connection.nextCheck()
	check.later(e.clock(), cause)
	if cause.Code == apierror.CodeTokenDead && check.Failures > 2 {
		e.dropConnection(u, "revoked_at_github", Failed, errRevoked)
	}
}

var errRevoked = &apierror.Error{Code: apierror.CodeConnectionRevoked, Message: "GitHub does not accept the token any more: it was revoked there.",
	Hint: "Connect again whenever you need to push."}

// expireConnection: the token's time is over. The file in the server is of no
// use to anybody now; it is taken out, and git's helper left, where a Hub token is at hand, else at the
// next sign-in.
func (e *Engine) expireConnection(context.Context, *User) outcome {
	return outcome{change: func(u *User) {
		if u.Connection == nil || u.Connection.Token.ExpiresAt.After(e.clock()) {
			return
		}
		cause := u.Connection.RefreshError
		if cause == nil {
			cause = errConnectionExpired
		}
		e.dropConnection(u, reasonExpired, Expired, cause)
		u.Revocations = slices.DeleteFunc(u.Revocations, func(r Revocation) bool { return !r.ExpiresAt.After(e.clock()) })
	}}
}

var errConnectionExpired = &apierror.Error{Code: apierror.CodeConnectionExpired, Message: "Your 8 hours are over.",
	Hint: "Connect again whenever you need to push."}

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
	return e.deliverer != nil && (e.revokeOnStop || e.refreshable(c))
}

func (e *Engine) refreshable(c *Connection) bool {
	return e.keepFresh && !c.Token.Refresh.Empty() && c.RefreshError == nil
}

// planLook plans the next look. Where nothing but a refresh is at stake, there
// is none before it is time for that.
func (e *Engine) planLook(u *User) {
	c := u.Connection
	c.LookDue, c.UnseenSince = time.Time{}, time.Time{}
	if u.HubToken.Empty() || !e.looks(c) {
		return
	}
	c.LookDue = e.clock().Add(lookInterval + jitter(lookInterval))
	if refresh := c.Token.ExpiresAt.Add(-refreshAhead); !e.revokeOnStop && refresh.After(c.LookDue) {
		c.LookDue = refresh
	}
}

// look asks the Hub whether a server that holds the token runs.
func (e *Engine) look(ctx context.Context, u *User) outcome {
	used := u.HubToken.Hash()
	servers, err := e.servers(ctx, u)
	return ofConnection(u.Connection.Token, func(u *User, c *Connection) {
		switch {
		case err != nil && hubError(err).Retryable:
			c.LookDue = e.clock().Add(max(lookInterval, hubError(err).RetryAfter))
		case errors.Is(err, hub.ErrUnauthorized) && u.HubToken.Hash() != used:
			c.LookDue = e.clock() // signed in again meanwhile
		case err != nil:
			e.unseen(u, errors.Is(err, hub.ErrUnauthorized))
		default:
			e.looked(u, servers)
		}
	})
}

// unseen: the Hub does not show the servers, above all to a user who has signed
// out. A look continues at the next sign-in. Where the connection is to end with
// its servers, it does not outlive that for long.
func (e *Engine) unseen(u *User, signedOut bool) {
	c, now := u.Connection, e.clock()
	if signedOut {
		u.HubToken = secret.Stored{}
	}
	switch {
	case !e.revokeOnStop:
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
	if e.revokeOnStop && held && !running {
		e.dropConnection(u, "servers_stopped", Expired, errServersStopped)
		return
	}
	e.planLook(u)
	c := u.Connection
	if running && e.refreshable(c) && c.nextRefresh().Due.IsZero() && c.Token.ExpiresAt.Sub(e.clock()) <= refreshAhead {
		c.nextRefresh().Due = e.clock()
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

var errServersUnseen = &apierror.Error{Code: apierror.CodeServersUnseen, Message: "The service had no sign-in of yours at the Hub for ten minutes, so it could not see whether your server runs. The connection has ended, and the token was revoked.",
	Hint: "Connect again."}

// refresh trades the token for a fresh one. The old pair is dead from then on,
// so a fresh one that finds no place is revoked.
func (e *Engine) refresh(ctx context.Context, u *User) outcome {
	old := u.Connection.Token
	fresh, err := e.github.Refresh(ctx, old.Refresh.String)
	if err != nil {
		cause := e.logged(u.Name, "refresh", err)
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
	c.Token, *c.nextRefresh() = fresh, Retry{}
	e.planLook(u)
	for _, d := range u.Deliveries {
		if d.Delivered != "" && d.State != DeliveryRemoving {
			e.queue(u, d.Server, false)
		}
	}
}

// refreshFailed tries again where the error is retryable. Otherwise the connection
// ends with its token; should that be dead already, because the answer to an
// earlier try was lost, the check of what it reaches finds out.
func (e *Engine) refreshFailed(c *Connection, cause *apierror.Error) {
	now := e.clock()
	if cause.Retryable {
		c.nextRefresh().later(now, cause)
		return
	}
	c.nextRefresh().Due, c.nextCheck().Due = time.Time{}, now
	c.RefreshError = &apierror.Error{Code: apierror.CodeRefreshFailed, Message: "GitHub did not prolong the connection, so it ended with its token.",
		Hint: "Connect again whenever you need to push."}
	if cause.Code == apierror.CodeTokenDead {
		c.Token.Refresh, c.Token.RefreshExpiresAt = secret.Stored{}, time.Time{}
	}
}
