package flow

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/oauth2"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/audit"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// webLife is how long a user may take on GitHub's page; its codes live as long.
const webLife = 10 * time.Minute

var (
	errNoWebFlow = &apierror.Error{Code: apierror.CodeNoWebFlow, Message: "Connecting without a code is not set up here.",
		Hint: "Connect with a code."}
	errWebState = &apierror.Error{Code: apierror.CodeWebState, Message: "This answer from GitHub does not belong to an attempt of yours, or came too late.",
		Hint: "Connect again."}
	errFlowUnderWay = &apierror.Error{Code: apierror.CodeFlowUnderWay, Message: "You are being connected already.", Hint: "Wait a moment."}
	errWebDenied    = &apierror.Error{Code: apierror.CodeDenied, Message: "The request was declined on GitHub.", Hint: "If that was not meant, connect again."}
	errWebRefused   = &apierror.Error{Code: apierror.CodeGitHubRefused, Message: "GitHub did not carry out the request.",
		Hint: "Connect again. If this keeps happening, an administrator finds the cause in the log of this service."}
	errNoReturn = &apierror.Error{Code: apierror.CodeApprovalExpired, Message: "GitHub's page was not answered in time.", Hint: "Connect again."}
)

// StartWeb begins a web flow, or continues the one that is pending already,
// and returns where to send the browser. A pending device flow is replaced.
func (e *Engine) StartWeb(ctx context.Context, caller Caller, request Request) (url string, user *User, err error) {
	if e.webFlow == nil {
		return "", nil, errNoWebFlow
	}
	if err := checkServers(request.Servers...); err != nil {
		return "", nil, err
	}
	now := e.clock()
	user, _, err = e.begin(ctx, caller, &Flow{
		ID: newID(), Mode: Web, State: Pending, StartedAt: now, ExpiresAt: now.Add(webLife), Retry: Retry{Due: now.Add(webLife)},
		WebState: secret.Store(secret.New(rand.Text())), CodeVerifier: secret.Store(secret.New(oauth2.GenerateVerifier())),
		Redirect: request.Redirect, Servers: request.Servers,
	})
	if err != nil {
		return "", nil, err
	}
	f := user.Flow
	if f.Mode != Web || f.State != Pending {
		return "", user, errFlowUnderWay
	}
	return e.webFlow.AuthURL(f.WebState.Reveal(), f.CodeVerifier.Reveal(), f.Redirect, user.lastConfirmed()), user, nil
}

// CompleteWeb takes what GitHub gave the browser: the state of an attempt of
// this very user, which serves once, and a code. What becomes of the code is in
// the flow of the returned record; an error says that there was no such attempt,
// or that the store failed. The same answer once more, from a page that is loaded
// again, changes nothing. What waits for the person then, [Engine.AskToConfirm]
// says.
func (e *Engine) CompleteWeb(ctx context.Context, caller Caller, state, code string) (*User, error) {
	user, err := e.Of(ctx, caller)
	if err != nil {
		return nil, err
	}
	if f := user.Flow; f != nil && f.Returned == returned(state, code) {
		return user, nil
	}
	f, err := e.takeState(ctx, caller, state, func(u *User) { u.Flow.Returned = returned(state, code) })
	if err != nil {
		return nil, err
	}
	// From here on the browser may go away: the code is spent in any case.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stepLimit)
	defer cancel()
	if err := e.settle(ctx, caller.User, nil, time.Time{}, e.exchange(ctx, caller.User, f, code)); err != nil {
		return nil, fmt.Errorf("save the record of a user: %w", err)
	}
	return e.Of(ctx, caller)
}

// FailWeb accepts GitHub's answer that there is no code. Its reason goes into the
// log, and no further.
func (e *Engine) FailWeb(ctx context.Context, caller Caller, state, reason string) (*User, error) {
	_, err := e.takeState(ctx, caller, state, func(u *User) {
		if reason == "access_denied" {
			e.finish(u, Denied, errWebDenied)
			return
		}
		e.finish(u, Failed, errWebRefused)
	})
	if err != nil {
		return nil, err
	}
	e.logger.Warn("GitHub answered a web flow without a code", "user", caller.User, "reason", fmt.Sprintf("%.60q", reason))
	return e.Of(ctx, caller)
}

// takeState finds the pending web flow that a state belongs to, and spends the
// state. Who does not know it changes nothing.
func (e *Engine) takeState(ctx context.Context, caller Caller, state string, then func(*User)) (Flow, error) {
	var taken Flow
	_, _, err := e.update(ctx, caller, func(u *User) (bool, error) {
		f := u.Flow
		if !u.underWay(e.clock()) || f.Mode != Web || f.State != Pending || f.WebState.Empty() ||
			subtle.ConstantTimeCompare([]byte(f.WebState.Reveal()), []byte(state)) != 1 {
			return false, errWebState
		}
		f.Due = e.clock().Add(Hold) // whoever has taken it is done by then, or dead
		taken = *f
		f.WebState, f.CodeVerifier = secret.Stored{}, secret.Stored{}
		e.keepHubToken(u, caller)
		then(u)
		return true, nil
	})
	return taken, err
}

// exchange trades the code, once.
func (e *Engine) exchange(ctx context.Context, name string, f Flow, code string) outcome {
	limited, cancel := context.WithTimeout(ctx, stepLimit/2) // the rest is for storing
	defer cancel()
	token, err := e.webFlow.Exchange(limited, code, f.CodeVerifier.Reveal(), f.Redirect)
	if err == nil && token.Access.Empty() {
		err = errors.New("the exchange brought no token")
	}
	if err == nil {
		return e.granted(f.ID, token)
	}
	cause := *e.logged(name, "exchange", err)
	cause.Hint = "Connect again."
	return ofFlow(f, func(u *User, _ *Flow) { e.finish(u, Failed, &cause) })
}

// A web flow's state proves that GitHub's answer belongs to an attempt of this
// session, and not that the session is that of the person in front of the
// browser: others can set its cookies (RFC 9700, 4.7). So a person confirms once
// who they are here and there, on a page that only the answer to GitHub's own
// redirect shows.

// maxConfirmed is how many GitHub accounts of one user are remembered as
// confirmed.
const maxConfirmed = 8

// identifyLimit bounds the wait for GitHub to say who approved.
const identifyLimit = 15 * time.Second

var (
	errNotThisPage = &apierror.Error{Code: apierror.CodeNotThisPage, Message: "The page on which you clicked was replaced by a newer one, or is not yours. Nothing was connected.",
		Hint: "Confirm on the newest page, or connect again."}
	errNotConfirmed = &apierror.Error{Code: apierror.CodeNotConfirmed, Message: "You did not confirm your GitHub account in time. Nothing was connected, and the token was revoked.",
		Hint: "Connect again."}
)

// ConfirmedAccount is a GitHub account that a user has confirmed as their own,
// with its login then.
type ConfirmedAccount struct {
	ID    int64  `json:"id"`
	Login string `json:"login"`
}

// confirmed reports whether the user has confirmed an account before.
func (u *User) confirmed(id int64) bool {
	return slices.ContainsFunc(u.Confirmed, func(c ConfirmedAccount) bool { return c.ID == id })
}

// confirm remembers an account as the latest.
func (u *User) confirm(account github.Account) {
	u.Confirmed = slices.DeleteFunc(u.Confirmed, func(c ConfirmedAccount) bool { return c.ID == account.ID })
	u.Confirmed = append(u.Confirmed, ConfirmedAccount{account.ID, account.Login})
	u.Confirmed = u.Confirmed[max(0, len(u.Confirmed)-maxConfirmed):]
}

// lastConfirmed is the login of the account that was confirmed last; empty: none
// was.
func (u *User) lastConfirmed() string {
	if len(u.Confirmed) == 0 {
		return ""
	}
	return u.Confirmed[len(u.Confirmed)-1].Login
}

// unconfirmed reports whether a flow waits for the person's click.
func (u *User) unconfirmed(now time.Time) bool {
	return u.Flow != nil && u.Flow.State == Approved && u.Flow.Account != nil && u.Flow.ExpiresAt.After(now)
}

// unidentified reports whether GitHub has yet to say who approved a web flow.
func (u *User) unidentified() bool {
	f := u.Flow
	return f != nil && f.Mode == Web && (f.State == Pending && f.WebState.Empty() || f.State == Approved && f.Account == nil)
}

// returned names what GitHub sent a browser back with.
func returned(state, code string) string { return secret.New(state + " " + code).Hash() }

// AskToConfirm waits until it is known whose approval GitHub's answer was, and
// makes the token of a page that asks whether that is who it should be. The page
// is for the browser that brought the answer and for no other: whoever shows it
// again gets a new token, and the one before is worth nothing. No token: there
// is nothing to confirm, or it took too long.
func (e *Engine) AskToConfirm(ctx context.Context, caller Caller, state, code string) (token secret.String, user *User, err error) {
	if err := e.identified(ctx, caller); err != nil {
		return secret.String{}, nil, err
	}
	token = secret.New(rand.Text())
	user, asks, err := e.update(ctx, caller, func(u *User) (bool, error) {
		if !u.unconfirmed(e.clock()) || u.Flow.Returned != returned(state, code) {
			return false, nil
		}
		u.Flow.Confirmation = token.Hash()
		return true, nil
	})
	if !asks {
		return secret.String{}, user, err
	}
	return token, user, nil
}

// identified waits until GitHub has said who approved, a while at most.
func (e *Engine) identified(ctx context.Context, caller Caller) error {
	ctx, cancel := context.WithTimeout(ctx, identifyLimit)
	defer cancel()
	changes := e.Watch(ctx, caller.User)
	for {
		user, err := e.Of(ctx, caller)
		if err != nil || !user.unidentified() {
			return err
		}
		if _, open := <-changes; !open {
			return nil
		}
	}
}

// Confirm makes the connection that waits for the person's click. token is that
// of the page on which they clicked.
func (e *Engine) Confirm(ctx context.Context, caller Caller, token secret.String) (*User, error) {
	var account github.Account
	user, changed, err := e.update(ctx, caller, func(u *User) (bool, error) {
		if !u.unconfirmed(e.clock()) {
			return false, errNoFlow
		}
		if u.Flow.Confirmation == "" || subtle.ConstantTimeCompare([]byte(u.Flow.Confirmation), []byte(token.Hash())) != 1 {
			return false, errNotThisPage
		}
		account = *u.Flow.Account
		e.keepHubToken(u, caller)
		if e.accept(u, account) {
			u.confirm(account)
		}
		return true, nil
	})
	if changed && user.confirmed(account.ID) {
		e.audit(ctx, user, audit.Event{Action: "account_confirmed", OfUser: audit.OfUser{Account: account.Login}, Outcome: "ok"})
	}
	return user, err
}

// expireConfirmation ends a flow whose person did not click.
func (e *Engine) expireConfirmation(_ context.Context, u *User) outcome {
	return ofFlow(*u.Flow, func(u *User, _ *Flow) { e.finish(u, Expired, errNotConfirmed) })
}
