package flow

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

const (
	// gracePolls is how many incorrect_device_code answers are tolerated:
	// GitHub gives one for a moment after an approval.
	gracePolls = 2
	// slowDownStep is added to the interval where a slow_down names none (RFC
	// 8628, 3.5).
	slowDownStep = 5 * time.Second
)

// poll asks GitHub once whether the code was approved. A process that was killed
// may have asked just before this one began, and not lived to store it: so the
// first poll of a flow that it left waits for an interval.
func (e *Engine) poll(ctx context.Context, u *User) outcome {
	was := *u.Flow
	if first := e.began.Add(was.Interval); e.clock().Before(first) {
		return ofFlow(was, func(_ *User, f *Flow) { f.schedulePoll(first.Add(jitter(f.Interval))) })
	}
	result, err := e.github.PollOnce(ctx, was.DeviceCode.String)
	answered := e.clock()
	if err != nil {
		cause := e.logged(u.Name, "poll", err)
		return ofFlow(was, func(u *User, _ *Flow) { e.pollFailed(u, cause, answered) })
	}
	if result.Status == github.PollGranted {
		return e.granted(was.ID, result.Token)
	}
	return ofFlow(was, func(u *User, _ *Flow) { e.pollAnswered(u, result, answered) })
}

func (e *Engine) pollAnswered(u *User, result github.PollResult, answered time.Time) {
	f := u.Flow
	f.Failures, f.Error = 0, nil
	switch result.Status {
	case github.PollPending:
		f.Grace = 0
	case github.PollSlowDown:
		f.Interval = max(result.Interval, f.Interval+slowDownStep)
	case github.PollDenied:
		e.finish(u, Denied, &apierror.Error{Code: apierror.CodeDenied, Message: "The request was declined on GitHub.",
			Hint: "If that was not meant, get a new code."})
		return
	case github.PollExpired:
		e.finish(u, Expired, errCodeExpired)
		return
	case github.PollIncorrect:
		if f.Grace++; f.Grace > gracePolls {
			e.finish(u, Failed, errAnswerLost)
			return
		}
	}
	f.schedulePoll(answered.Add(f.Interval + jitter(f.Interval)))
}

// schedulePoll sets the next poll, or the code's end where that is earlier.
func (f *Flow) schedulePoll(due time.Time) {
	if f.Due = due; due.After(f.ExpiresAt) {
		f.Due = f.ExpiresAt
	}
}

var (
	errCodeExpired = &apierror.Error{Code: apierror.CodeCodeExpired, Message: "The code was not used in time.", Hint: "Get a new code."}
	// errAnswerLost: GitHub has given a token for the approval, or so it seems,
	// and nobody has it: the process died before it was stored, or the network
	// ate it. Nobody can revoke what nobody knows.
	errAnswerLost = &apierror.Error{Code: apierror.CodeAnswerLost,
		Message: "You most likely approved at GitHub, but GitHub's answer was lost on its way to this service. Nothing was set up.",
		Hint: "There may be a token now that nobody holds; it ends by itself within 8 hours. To end it at once, revoke the App at GitHub: " +
			"Settings → Applications → Authorized GitHub Apps. Then connect again."}
)

// pollFailed backs off from retryable errors until the code's end, and ends the
// flow on any other.
func (e *Engine) pollFailed(u *User, cause *apierror.Error, answered time.Time) {
	if !cause.Retryable {
		e.finish(u, Failed, cause)
		return
	}
	f := u.Flow
	f.Failures++
	f.Error = cause // shown beside the code, which stays
	wait := max(f.Interval, backoff(f.Interval, maxBackoff, f.Failures))
	if cause.RetryAfter > 0 { // every flow was told the same, and all at once would be told it again
		wait = max(wait, cause.RetryAfter+rand.N(f.Interval+1))
	}
	f.schedulePoll(answered.Add(wait))
}

// granted stores the token. Whatever became of the flow meanwhile, a token is
// never forgotten: one that came too late is revoked.
func (e *Engine) granted(id string, token github.Token) outcome {
	if !e.keepFresh {
		token.Refresh, token.RefreshExpiresAt = secret.Stored{}, time.Time{}
	}
	return outcome{
		change: func(u *User) {
			f := u.Flow
			if u.holds(token) {
				return
			}
			if f == nil || f.ID != id || f.State != Pending {
				e.revoke(u, token, "cancelled")
				return
			}
			f.Token, f.DeviceCode, f.CodeVerifier, f.WebState = token, secret.Stored{}, secret.Stored{}, secret.Stored{}
			if token.ExpiresAt.IsZero() {
				e.finish(u, Failed, errNeverExpires)
				return
			}
			f.State, f.Retry, f.Error = Approved, Retry{Due: e.clock()}, nil
		},
		lost: func(ctx context.Context) { e.undo(ctx, token) },
	}
}

// holds reports whether a token is in the record already.
func (u *User) holds(token github.Token) bool {
	hash := token.Access.Hash()
	if c := u.Connection; c != nil && (c.Token.Access.Hash() == hash ||
		slices.ContainsFunc(c.Scoped, func(n ScopedToken) bool { return n.Token.Access.Hash() == hash })) {
		return true
	}
	return (u.Flow != nil && u.Flow.Token.Access.Hash() == hash) || u.revocation(hash) >= 0
}

var errNeverExpires = &apierror.Error{Code: apierror.CodeTokenNeverExpires,
	Message: "The GitHub App hands out tokens that never expire, so this service refuses them.",
	Hint:    "An admin of the GitHub App must switch on “User-to-server token expiration” in the App's optional features."}

func (e *Engine) expireCode(_ context.Context, u *User) outcome {
	state, cause := Expired, errCodeExpired
	switch f := u.Flow; {
	case f.Mode == Web && f.WebState.Empty(): // the browser came back
		state, cause = Failed, errAnswerLost
	case f.Mode == Web:
		cause = errNoReturn
	}
	return ofFlow(*u.Flow, func(u *User, _ *Flow) { e.finish(u, state, cause) })
}
