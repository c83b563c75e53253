package flow

import (
	"context"
	"errors"
	"net/http"
	"time"

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
	_, err := e.Hub.Whoami(ctx, u.HubToken.String)
	switch {
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
	var cause *Error
	if err != nil {
		cause = e.trouble(u.Name, "identify", err)
	} else if mismatch := e.Identity.check(u, account); mismatch != nil {
		e.audit(ctx, u, Event{Action: "identity_mismatch", FlowID: was.ID, Account: account.Login,
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
func (e *Engine) identifiedAs(u *User, account Account) {
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
func (e *Engine) accept(u *User, account Account) bool {
	f := u.Flow
	if mismatch := e.Identity.check(u, account); mismatch != nil {
		e.finish(u, Failed, mismatch)
		return false
	}
	if e.Identity == BoundAccount {
		u.BoundAccount, u.BoundLogin = account.ID, account.Login
	}
	e.connect(u, f.Token, account)
	f.Token, f.Account, f.Confirmation = Token{}, nil, ""
	f.State, f.Due, f.Failures, f.Error = Delivering, e.Clock(), 0, nil
	if e.Deliverer == nil {
		e.finish(u, Connected, nil)
	}
	return true
}

// identifyFailed tries again: passing trouble until the code's end at least,
// since the approval is worth keeping, any other a few times.
func (e *Engine) identifyFailed(u *User, cause *Error) {
	f, now := u.Flow, e.Clock()
	f.Failures++
	if f.Failures >= accountTries && (!cause.Passing || now.After(f.ExpiresAt)) {
		e.finish(u, Failed, cause)
		return
	}
	f.Error = cause
	f.Due = now.Add(max(backoff(time.Second, f.Failures), cause.RetryAfter))
}

// plan decides which servers get the credential: those the user named, else
// all that run, else the default one; and those that hold an older token. For a
// program that has no Hub token these are only those it named and those that
// hold an older one, and they wait for the user's next sign-in. What there is no
// room for is left out.
func (e *Engine) plan(ctx context.Context, u *User) outcome {
	used := u.HubToken.Hash()
	servers, err := e.servers(ctx, u)
	return ofFlow(*u.Flow, func(u *User, f *Flow) {
		if err != nil && e.planFailed(u, used, err) {
			return
		}
		for _, name := range chosen(u, servers) {
			if !u.full(name) {
				e.queue(u, name, false)
			}
		}
		f.Due, f.Failures, f.Error = time.Time{}, 0, nil
		e.completeDelivering(u)
	})
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

// chosen names the servers to deliver to, each once.
func chosen(u *User, servers []hub.Server) []string {
	names := u.Flow.Servers
	if len(names) == 0 {
		for _, server := range servers {
			if server.Ready || server.Pending == "spawn" {
				names = append(names, server.Name)
			}
		}
	}
	if len(names) == 0 && u.Flow.Session != "" {
		names = []string{""}
	}
	for _, d := range u.Deliveries {
		if d.Delivered != "" {
			names = append(names, d.Server)
		}
	}
	seen := map[string]bool{}
	var once []string
	for _, name := range names {
		if !seen[name] {
			seen[name] = true
			once = append(once, name)
		}
	}
	return once
}

// planFailed reports whether there is nothing to plan for now. Where the Hub
// does not show the servers, each delivery finds out what that means for it.
func (e *Engine) planFailed(u *User, used string, err error) bool {
	f, cause := u.Flow, hubTrouble(err)
	switch {
	case errors.Is(err, hub.ErrUnauthorized) && u.HubToken.Hash() != used:
		f.Due = e.Clock() // signed in again meanwhile
	case cause.Passing:
		f.Failures++
		f.Error = cause
		f.Due = e.Clock().Add(max(backoff(time.Second, f.Failures), cause.RetryAfter))
	default:
		return false
	}
	return true
}

var errSignedOut = &Error{Code: "hub_signed_out",
	Message: "You signed out of the Hub before the connection was made. The token was revoked.",
	Hint:    "Sign in and connect again."}

// hubTrouble says to a person what the Hub's refusal or silence means.
func hubTrouble(err error) *Error {
	var unavailable *hub.UnavailableError
	switch {
	case errors.As(err, &unavailable):
		return &Error{Code: "hub_unavailable", Message: "The Hub does not answer at the moment.",
			Hint: "Nothing is lost; it is tried again.", Passing: true, RetryAfter: unavailable.RetryAfter, Err: err}
	case errors.Is(err, hub.ErrUnauthorized):
		return &Error{Code: "hub_signed_out", Message: "Your sign-in at the Hub has ended.",
			Hint: "Sign in again; it goes on from there.", Err: err}
	case errors.Is(err, hub.ErrForbidden):
		return &Error{Code: "hub_scope_missing", Message: "The Hub does not let this service see, open or start your servers.",
			Hint: "An admin of the Hub must allow read:servers!user, tokens!user and, to start servers, servers!user for this service.", Err: err}
	case hub.Status(err) == http.StatusBadRequest:
		return &Error{Code: "hub_token_refused", Message: "The Hub does not make a token that opens your server for two minutes.",
			Hint: "An admin of the Hub must let you open your own servers (the scope self), and token_expires_in_max_seconds must be 120 at least.", Err: err}
	}
	return asError(err)
}
