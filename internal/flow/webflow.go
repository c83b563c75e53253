package flow

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"time"

	"golang.org/x/oauth2"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
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
		Hint: "Connect again. If it goes on, an administrator finds the cause in the log of this service."}
	errNoReturn = &apierror.Error{Code: apierror.CodeApprovalExpired, Message: "GitHub's page was not answered in time.", Hint: "Connect again."}
)

// StartWeb begins a web flow, or goes on with the one that is pending already,
// and returns where to send the browser. A pending device flow is replaced.
func (e *Engine) StartWeb(ctx context.Context, caller Caller, request Request) (url string, user *User, err error) {
	if e.WebFlow == nil {
		return "", nil, errNoWebFlow
	}
	if err := checkServers(request.Servers...); err != nil {
		return "", nil, err
	}
	now := e.Clock()
	user, _, err = e.begin(ctx, caller, &Flow{
		ID: newID(), Mode: Web, State: Pending, StartedAt: now, ExpiresAt: now.Add(webLife), Due: now.Add(webLife),
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
	return e.WebFlow.AuthURL(f.WebState.Reveal(), f.CodeVerifier.Reveal(), f.Redirect, user.lastConfirmed()), user, nil
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

// FailWeb takes GitHub's word that there is no code. Its reason goes into the
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
	e.Logger.Warn("GitHub answered a web flow without a code", "user", caller.User, "reason", fmt.Sprintf("%.60q", reason))
	return e.Of(ctx, caller)
}

// takeState finds the pending web flow that a state belongs to, and spends the
// state. Who does not know it changes nothing.
func (e *Engine) takeState(ctx context.Context, caller Caller, state string, then func(*User)) (Flow, error) {
	var taken Flow
	_, err := e.update(ctx, caller, func(u *User) error {
		f := u.Flow
		if !u.underWay(e.Clock()) || f.Mode != Web || f.State != Pending || f.WebState.Empty() ||
			subtle.ConstantTimeCompare([]byte(f.WebState.Reveal()), []byte(state)) != 1 {
			return errWebState
		}
		f.Due = e.Clock().Add(Hold) // whoever has taken it is done by then, or dead
		taken = *f
		f.WebState, f.CodeVerifier = secret.Stored{}, secret.Stored{}
		e.keepHubToken(u, caller)
		then(u)
		return nil
	})
	return taken, err
}

// exchange trades the code, once.
func (e *Engine) exchange(ctx context.Context, name string, f Flow, code string) outcome {
	limited, cancel := context.WithTimeout(ctx, stepLimit/2) // the rest is for storing
	defer cancel()
	token, err := e.WebFlow.Exchange(limited, code, f.CodeVerifier.Reveal(), f.Redirect)
	if err == nil && token.Access.Empty() {
		err = errors.New("the exchange brought no token")
	}
	if err == nil {
		return e.granted(f.ID, token)
	}
	cause := *e.trouble(name, "exchange", err)
	cause.Hint = "Connect again."
	return ofFlow(f, func(u *User, _ *Flow) { e.finish(u, Failed, &cause) })
}
