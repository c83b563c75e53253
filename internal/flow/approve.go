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
		now := e.Clock()
		switch {
		case err == nil:
			f.Present, f.Due, f.Failures, f.Error = true, now, 0, nil
		case !f.Token.ExpiresAt.After(now):
			e.finish(u, Expired, errConnectionExpired)
		case errors.Is(err, hub.ErrUnauthorized) && u.HubToken.Hash() != used:
			f.Due = now // signed in again meanwhile
		case errors.Is(err, hub.ErrUnauthorized):
			e.finish(u, Cancelled, errSignedOut)
		default:
			cause := hubTrouble(err)
			f.Failures++
			f.Error = cause
			f.Due = now.Add(max(backoff(time.Second, f.Failures), cause.RetryAfter))
		}
	})
}

// signedIn returns nil where the Hub still knows the user's token. JupyterHub
// says 403 of one that it does not know.
func (e *Engine) signedIn(ctx context.Context, u *User) error {
	if u.HubToken.Empty() || !u.HubTokenExpires.After(e.Clock()) {
		return hub.ErrUnauthorized
	}
	holder, err := e.Hub.Whoami(ctx, u.HubToken.String)
	switch {
	case err == nil && (holder.Name != u.Name || !u.isOf(holder.Created)): // renamed
		return hub.ErrUnauthorized
	case errors.Is(err, hub.ErrUnauthorized), errors.Is(err, hub.ErrForbidden):
		return hub.ErrUnauthorized
	case err != nil:
		e.trouble(u.Name, "whoami", err)
	}
	return err
}

// identify asks GitHub who approved. Nothing was delivered before.
func (e *Engine) identify(ctx context.Context, u *User) outcome {
	was := *u.Flow
	account, err := e.GitHub.Account(ctx, u.Flow.Token.Access.String)
	var cause *apierror.Error
	if err != nil {
		cause = e.trouble(u.Name, "identify", err)
	} else if mismatch := e.Identity.check(u, account); mismatch != nil {
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

// identifiedAs goes on to the servers, or for a web flow waits for the person to
// confirm an account that they never have.
func (e *Engine) identifiedAs(u *User, account github.Account) {
	f := u.Flow
	if e.Identity.check(u, account) != nil || f.Mode != Web || u.confirmed(account.ID) {
		e.accept(u, account)
		return
	}
	f.Account, f.ExpiresAt = &account, e.Clock().Add(webLife)
	f.Due, f.Failures, f.Error = f.ExpiresAt, 0, nil
}

// accept makes the connection if the identity policy agrees, and reports whether
// it does.
func (e *Engine) accept(u *User, account github.Account) bool {
	f := u.Flow
	if mismatch := e.Identity.check(u, account); mismatch != nil {
		e.finish(u, Failed, mismatch)
		return false
	}
	if f.Program != nil && u.Connection.lives(e.Clock()) && u.Connection.Account.ID != account.ID {
		e.finish(u, Failed, errOtherAccount)
		return false
	}
	if e.Identity == BoundAccount {
		u.BoundAccount, u.BoundLogin = account.ID, account.Login
	}
	e.connect(u, account)
	f.Account, f.Confirmation = nil, ""
	f.State, f.Due, f.Failures, f.Error = Delivering, e.Clock(), 0, nil
	if e.Deliverer == nil && len(f.Servers) > 0 {
		e.finish(u, Connected, nil)
	}
	return true
}

var errOtherAccount = &apierror.Error{Code: apierror.CodeOtherAccountConnected,
	Message: "You are connected to another GitHub account, which a program cannot replace. The new token was revoked.",
	Hint:    "Disconnect on the page “Connect GitHub” first, or approve with the account that is connected."}

// identifyFailed tries again: passing trouble until the code's end at least,
// since the approval is worth keeping, any other a few times.
func (e *Engine) identifyFailed(u *User, cause *apierror.Error) {
	f, now := u.Flow, e.Clock()
	f.Failures++
	if f.Failures >= accountTries && (!cause.Retryable || now.After(f.ExpiresAt)) {
		e.finish(u, Failed, cause)
		return
	}
	f.Error = cause
	f.Due = now.Add(max(backoff(time.Second, f.Failures), cause.RetryAfter))
}

// plan decides which servers get the credential: those the user named, else all
// that run and are not shared, else the default one; and those that hold an older
// token. A program's flow brings it to the latter only, and only where a person has
// confirmed the account. What there is no room for is left out.
func (e *Engine) plan(ctx context.Context, u *User) outcome {
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
			c.AnyServer = c.AnyServer || e.Deliverer == nil && errors.Is(err, hub.ErrForbidden)
			e.hand(u, names)
		}
		f.Due, f.Failures, f.Error = time.Time{}, 0, nil
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
		if !u.full(name) && c.choose(name) && e.Deliverer != nil {
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
	shares, err := e.Hub.Shares(ctx, u.HubToken.String, u.Name)
	if errors.Is(err, hub.ErrForbidden) || errors.Is(err, hub.ErrUnauthorized) {
		return nil, nil
	}
	return shares, err
}

// servers lists a user's servers with the user's own token. A refusal may mean a
// scope that is missing, or a token that is dead: then it is
// [hub.ErrUnauthorized].
func (e *Engine) servers(ctx context.Context, u *User) ([]hub.Server, error) {
	if u.HubToken.Empty() || !u.HubTokenExpires.After(e.Clock()) {
		return nil, hub.ErrUnauthorized
	}
	servers, err := e.Hub.Servers(ctx, u.HubToken.String, u.Name)
	if errors.Is(err, hub.ErrForbidden) && errors.Is(e.signedIn(ctx, u), hub.ErrUnauthorized) {
		err = hub.ErrUnauthorized
	}
	if err != nil && !errors.Is(err, hub.ErrUnauthorized) {
		e.trouble(u.Name, "servers", err)
	}
	return servers, err
}

// planFailed reports whether there is nothing to plan for now. Where the Hub
// does not show the servers, each delivery finds out what that means for it.
func (e *Engine) planFailed(u *User, used string, err error) bool {
	f, cause := u.Flow, hubTrouble(err)
	switch {
	case errors.Is(err, hub.ErrUnauthorized) && u.HubToken.Hash() != used:
		f.Due = e.Clock() // signed in again meanwhile
	case cause.Retryable:
		f.Failures++
		f.Error = cause
		f.Due = e.Clock().Add(max(backoff(time.Second, f.Failures), cause.RetryAfter))
	default:
		return false
	}
	return true
}

var errSignedOut = &apierror.Error{Code: apierror.CodeHubSignedOut,
	Message: "You signed out of the Hub before the connection was made. The token was revoked.",
	Hint:    "Sign in and connect again."}

// hubTrouble says to a person what the Hub's refusal or silence means.
func hubTrouble(err error) *apierror.Error {
	var unavailable *hub.UnavailableError
	switch {
	case errors.As(err, &unavailable):
		return &apierror.Error{Code: apierror.CodeHubUnavailable, Message: "The Hub does not answer at the moment.",
			Hint: "Nothing is lost; it is tried again.", Retryable: true, RetryAfter: unavailable.RetryAfter, Err: err}
	case errors.Is(err, hub.ErrUnauthorized):
		return &apierror.Error{Code: apierror.CodeHubSignedOut, Message: "Your sign-in at the Hub has ended.",
			Hint: "Sign in again; it goes on from there.", Err: err}
	case errors.Is(err, hub.ErrForbidden):
		return &apierror.Error{Code: apierror.CodeHubScopeMissing, Message: "The Hub does not let this service see, open or start your servers.",
			Hint: "An admin of the Hub must allow read:servers!user, tokens!user and, to start servers, servers!user for this service.", Err: err}
	case errors.Is(err, hub.ErrBadRequest):
		return &apierror.Error{Code: apierror.CodeHubTokenRefused, Message: "The Hub does not make a token that opens your server for two minutes.",
			Hint: "An admin of the Hub must let you open your own servers (the scope self), and token_expires_in_max_seconds must be 120 at least.", Err: err}
	}
	return asError(err)
}
