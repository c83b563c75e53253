package bot

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/audit"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// cleanup ends what has to be done for a minted token although its caller has
// gone.
const cleanup = 30 * time.Second

// Options are what an [Issuer] is made of; all are needed.
type Options struct {
	// Policy returns the policy in force, such as [PolicyFile.Current].
	Policy func() *Policy
	// RepositoryFile gives the owner of each repository the last word: without
	// a [RepositoryFile] that allows it too, nothing is issued.
	RepositoryFile bool
	GitHub         GitHub
	Store          Store
	Audit          audit.Recorder
	Clock          func() time.Time
	Registry       prometheus.Registerer // gets what the issuer counts
}

// Issuer gives out installation tokens. Safe for concurrent use.
type Issuer struct {
	Options
	identity identity
	turns    turns
	refusals *pace
	issued   *prometheus.CounterVec
}

// New returns an issuer.
func New(o Options) *Issuer {
	return &Issuer{Options: o, identity: identity{turn: make(chan struct{}, 1)}, turns: turns{taken: map[string]chan struct{}{}}, issued: newIssued(o.Registry),
		refusals: &pace{clock: o.Clock, callers: map[string]*refusals{}}}
}

// Token is what a caller gets: exactly what it asked for.
type Token struct {
	Token        secret.String
	ExpiresAt    time.Time
	Repositories []string
	Permissions  map[string]string
	Rule         string
	// Identity is what commits by it should carry; empty where GitHub did not say it.
	Identity github.Identity
}

// Issue gives a caller a token for what it asks, if the policy in force allows
// it. Every request becomes one audit event, written before the token is
// returned, but for those of a caller who was refused too often, which are counted
// ([Issuer.ReportPaced]). Errors are [*apierror.Error]; one that is no matter of GitHub
// has the code too_many_refusals, bot_refused (the policy), repository_refused (a
// repository's file) or one of those of a request that cannot be ([Invalid]).
func (i *Issuer) Issue(ctx context.Context, c Caller, r Request, requestID string) (Token, error) {
	if err := i.refusals.take(c.who()); err != nil {
		i.issued.WithLabelValues(Paced).Inc()
		return Token{}, err
	}
	event := audit.Event{Time: i.Clock(), Action: ActionIssue,
		OfBot:        audit.OfBot{Caller: c.String(), Claims: told(c.Claims), RequestID: requestID, Permissions: r.Permissions},
		Repositories: r.Repositories}
	token, err := i.issue(ctx, c, r, &event)
	if err == nil {
		i.issued.WithLabelValues(event.Outcome).Inc()
		return token, nil
	}
	var e *apierror.Error
	if !errors.As(err, &e) {
		e = apierror.Internal(err)
		err = e
	}
	if event.Outcome == "" {
		event.Outcome = Failed
	}
	if event.Why == "" {
		event.Why = cause(e)
	}
	if e.Retryable {
		retry := *e // nobody but the caller asks again
		retry.Hint = "Ask again."
		err = errors.Join(&retry, err)
	}
	if event.Rule != "" { // it was given back, and has failed after all
		i.refusals.add(c.who())
	}
	event.Code = e.Code
	i.issued.WithLabelValues(event.Outcome).Inc()
	return Token{}, errors.Join(err, i.Audit.Keep(ctx, event))
}

// unidentified is the one caller that stands for all whose token was not taken.
const unidentified = "unidentified"

// Unidentified keeps that somebody has shown a token that was not taken, and for the
// like of them how often beyond that. It returns the error that it is given, perhaps
// with that of the audit.
func (i *Issuer) Unidentified(ctx context.Context, err error, requestID string) error {
	if i.refusals.take(unidentified) != nil {
		i.issued.WithLabelValues(Paced).Inc()
		return err
	}
	i.issued.WithLabelValues(Refused).Inc()
	event := audit.Event{Time: i.Clock(), Action: ActionIssue, Outcome: Refused, Code: apierror.CodeOf(err),
		OfBot: audit.OfBot{Caller: unidentified, RequestID: requestID, Why: cause(err)}}
	return errors.Join(err, i.Audit.Keep(ctx, event))
}

func (i *Issuer) issue(ctx context.Context, c Caller, r Request, event *audit.Event) (Token, error) {
	a, problem := r.check()
	if problem != nil {
		event.Outcome, event.Why = Refused, problem.Message
		return Token{}, problem
	}
	event.Repositories = a.fullNames()
	decision := i.Policy().decide(c, a)
	if !decision.Allowed {
		event.Outcome, event.Why = Refused, decision.Why
		return Token{}, &apierror.Error{Code: apierror.CodeBotRefused, Message: "No rule of the bot policy allows this.",
			Hint: "An administrator can see why: ghscoped-service policy explain --as " + c.who() + "."}
	}
	event.Rule, event.Reason = decision.Rule, decision.Reason
	i.refusals.giveBack(c.who()) // whatever takes time now may run many times at once
	if decision.Reuse > 0 && !a.exclusive {
		done, err := i.turns.take(ctx, fmt.Sprint(c, a.fullNames(), a.permissions))
		if err != nil {
			return Token{}, err
		}
		defer done()
	}
	if i.RepositoryFile {
		if err := i.askOwners(ctx, c, a, event); err != nil {
			return Token{}, err
		}
	}
	if live, found := i.reusable(ctx, c, a, decision); found {
		return i.give(ctx, live, event, Reused)
	}
	return i.mint(ctx, c, a, decision, event)
}

// reusable finds a token that the same caller got for the same under the same
// rule, no older than the rule allows, and that GitHub still takes: somebody may have
// revoked it there, or have uninstalled the App. A store that fails costs a new token,
// no more.
func (i *Issuer) reusable(ctx context.Context, c Caller, a ask, d Decision) (Live, bool) {
	if d.Reuse == 0 || a.exclusive || a.fresh {
		return Live{}, false
	}
	all, _ := i.Store.List(ctx, c.String())
	now := i.Clock()
	fits := func(l Live) bool {
		return !l.Exclusive && l.Rule == d.Rule && l.Caller == c.String() && now.Sub(l.IssuedAt) < d.Reuse && now.Before(l.ExpiresAt) &&
			slices.EqualFunc(l.Repositories, a.fullNames(), strings.EqualFold) && maps.Equal(l.Permissions, a.permissions)
	}
	for _, live := range all {
		if !fits(live) {
			continue
		}
		alive, err := i.GitHub.Alive(ctx, live.asked())
		if alive || err != nil { // of a GitHub that says nothing, the token may be good
			return live, true
		}
		_ = i.Store.Remove(ctx, live.Caller, live.ID)
	}
	return Live{}, false
}

// mint makes a new token. Once GitHub has made it, it is either kept for its
// revocation or revoked, also if the caller has left.
func (i *Issuer) mint(ctx context.Context, c Caller, a ask, d Decision, event *audit.Event) (Token, error) {
	minted, err := i.GitHub.Mint(ctx, a.owner, a.names, a.permissions)
	if err != nil {
		return Token{}, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanup)
	defer cancel()
	event.TokenHash, event.ExpiresAt = minted.Token.Hash(), minted.ExpiresAt
	live := Live{ID: minted.Token.Hash(), Caller: c.String(), Rule: d.Rule, Repositories: a.fullNames(), Permissions: a.permissions,
		Token: secret.Store(minted.Token), IssuedAt: i.Clock(), ExpiresAt: minted.ExpiresAt, RequestID: event.RequestID,
		Exclusive: a.exclusive}
	if difference := compare(a, minted); difference != "" {
		live.Repositories, live.Permissions = minted.Repositories, minted.Permissions
		return Token{}, i.undo(ctx, live, event, &apierror.Error{Code: apierror.CodeGitHubGrantedOtherwise,
			Message: "GitHub granted something else than was asked for, so the token was withdrawn.",
			Hint:    "Check that the names of the repositories are the current ones.", Err: errors.New(difference)})
	}
	if err := i.Store.Add(ctx, live); err != nil {
		return Token{}, i.undo(ctx, live, event, unavailable("The token could not be kept for its revocation, so it was withdrawn.", err))
	}
	token, err := i.give(ctx, live, event, Issued)
	if err != nil {
		return Token{}, i.undo(ctx, live, event, err)
	}
	return token, nil
}

// give completes the token, writes the audit event and, after that, gives the
// token away.
func (i *Issuer) give(ctx context.Context, live Live, event *audit.Event, outcome string) (Token, error) {
	who, err := i.identify(ctx, live.asked())
	if err != nil { // a token is good without it
		event.Why = "without the App's name: " + cause(err)
	}
	event.Outcome, event.TokenHash, event.ExpiresAt = outcome, live.ID, live.ExpiresAt
	if err := i.Audit.Keep(ctx, *event); err != nil {
		event.Outcome = Failed
		return Token{}, unavailable("The audit could not be written, so no token was given.", err)
	}
	return Token{Token: live.Token.String, ExpiresAt: live.ExpiresAt, Repositories: live.Repositories,
		Permissions: live.Permissions, Rule: live.Rule, Identity: who}, nil
}

// undo revokes a token that nobody got, and forgets it then. One that could not
// be revoked is kept, so that it can be tried again. What came before may have
// used up the time of ctx.
func (i *Issuer) undo(ctx context.Context, live Live, event *audit.Event, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanup)
	defer cancel()
	if err := i.GitHub.RevokeInstallationToken(ctx, live.asked()); err != nil {
		event.Why = "the token was given to nobody, but could not be revoked"
		live.Exclusive = true
		_ = i.Store.Add(ctx, live) // where it is kept already, it stays as it is
		return errors.Join(cause, fmt.Errorf("and its token lives on until it expires: %w", err))
	}
	_ = i.Store.Remove(ctx, live.Caller, live.ID) // it is dead, and expires there by itself
	return cause
}

// compare says how what GitHub granted differs from what was asked; "": it does
// not. Reading metadata comes with every token.
func compare(a ask, m github.InstallationToken) string {
	if !m.Selected {
		return "the token is not limited to repositories"
	}
	granted := map[string]bool{}
	for _, full := range m.Repositories {
		granted[strings.ToLower(full)] = true
	}
	for _, full := range a.fullNames() {
		if !granted[strings.ToLower(full)] {
			return "a repository is missing"
		}
		delete(granted, strings.ToLower(full))
	}
	if len(granted) > 0 {
		return "a repository too many"
	}
	for name, level := range m.Permissions {
		if a.permissions[name] != level && (name != "metadata" || level != "read") {
			return "a permission is another"
		}
	}
	for name, level := range a.permissions {
		if m.Permissions[name] != level {
			return "a permission is missing"
		}
	}
	return ""
}

// cause is what the audit says of an error: what was seen, without secrets.
func cause(err error) string {
	if e, ok := errors.AsType[*apierror.Error](err); ok && e.Err != nil {
		return e.Err.Error()
	}
	return err.Error()
}

func unavailable(message string, err error) *apierror.Error {
	return &apierror.Error{Code: apierror.CodeUnavailable, Message: message, Hint: "Try again later.", Retryable: true, Err: err}
}
