package flow

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/audit"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// User is all the service knows about one Hub user. Fields are changed only
// inside a compare-and-swap of the whole record, so two of them never disagree.
type User struct {
	Name string `json:"name"`
	// Created is when the Hub made the user, as the Hub writes it: with the name it
	// says which person this is. Empty: an earlier release stored the record.
	Created    string      `json:"created,omitempty"`
	Flow       *Flow       `json:"flow,omitempty"`
	Connection *Connection `json:"connection,omitempty"`

	// Deliveries has one entry for each server that holds, should hold, or
	// should lose the credential. It outlives the connection: a stopped server
	// is cleaned when it next runs.
	Deliveries []Delivery `json:"deliveries,omitempty"`

	// Revocations are tokens that must die at GitHub and have not yet.
	Revocations []Revocation `json:"revocations,omitempty"`

	// HubToken is the user's own Hub OAuth token. It is kept only while a flow
	// that a browser began, a delivery, or a look at the servers that hold the
	// token, waits for it.
	HubToken secret.Stored `json:"hub_token"`
	// HubTokenExpires ends the use of HubToken whatever the Hub still allows.
	HubTokenExpires time.Time `json:"hub_token_expires,omitzero"`

	// BoundAccount is the GitHub account id that the "bound" identity policy
	// remembered at first use. Zero: none yet. BoundLogin is its login then, for
	// administrators to read.
	BoundAccount int64  `json:"bound_account,omitempty"`
	BoundLogin   string `json:"bound_login,omitempty"`

	// Confirmed are the GitHub accounts that the user has confirmed as their own
	// with a click, the latest last.
	Confirmed []ConfirmedAccount `json:"confirmed,omitempty"`

	// Chose: a token of the user's has reached a repository to push to, so they have
	// chosen repositories for the App before. It is known for as long as the record is
	// kept for something else.
	Chose bool `json:"chose,omitempty"`

	// PacedUntil is when the user's attempts to connect so far are made up for;
	// see the limits in pace.go.
	PacedUntil time.Time `json:"paced_until,omitzero"`

	// Version is the store's number of this state of the record; 0 means that
	// it was never stored. Not part of the sealed content.
	Version uint64 `json:"-"`
	// dropped is why the connection ended in the change being made; for the
	// audit, never stored.
	dropped string
	// Held is until when a scheduler has claimed the record, as the store says
	// beside the content; zero: unclaimed. [Store.Save] writes it back, so that a
	// command in between does not bring a second scheduler in; the holder ends its
	// claim by clearing Held.
	Held time.Time `json:"-"`
}

// State of a flow, as callers see it. The names are part of the HTTP contract.
type State string

// The states. Pending, Approved and Delivering are under way, the others final.
const (
	Pending    State = "pending"
	Approved   State = "approved"
	Delivering State = "delivering"
	Connected  State = "connected"
	Expired    State = "expired"
	Denied     State = "denied"
	Cancelled  State = "cancelled"
	Failed     State = "failed"
)

// Final reports whether a flow in this state will not change again.
func (s State) Final() bool {
	switch s {
	case Pending, Approved, Delivering:
		return false
	}
	return true
}

// Mode is how the user approves: by typing a code (RFC 8628) or by being sent
// to GitHub and back (RFC 6749 with PKCE).
type Mode string

// The modes; the values are the "mode" label of the metrics.
const (
	Device Mode = "device"
	Web    Mode = "web"
)

// Flow is one attempt of a user to connect.
type Flow struct {
	ID        string          `json:"id"`
	Mode      Mode            `json:"mode"`
	State     State           `json:"state"`
	StartedAt time.Time       `json:"started_at"`
	ExpiresAt time.Time       `json:"expires_at"`
	Error     *apierror.Error `json:"error,omitempty"`
	// EndedAt is when it came to a final state, the latest: a connection that ends
	// changes that of the flow that made it.
	EndedAt time.Time `json:"ended_at,omitzero"`
	// Session is the SHA-256 of the Hub token of the browser's session that began
	// it, so that it ends with that session. Empty: a program in a server did,
	// which has no Hub token to lose, nor one to deliver with: whoever began it
	// asks for the credential.
	Session string `json:"session_sha256,omitempty"`
	// Program is the server in which a program began it; nil: a browser did.
	Program *string `json:"program,omitempty"`
	// Present: the Hub has said since the approval that the user is signed in.
	Present bool `json:"present,omitempty"`

	// Device flow.
	UserCode        string        `json:"user_code,omitempty"`
	VerificationURI string        `json:"verification_uri,omitempty"`
	DeviceCode      secret.Stored `json:"device_code"`
	Interval        time.Duration `json:"interval,omitempty"`
	// Retry is when the next step of this flow may be made: the next poll while
	// pending, a retry later on.
	Retry
	// Grace counts incorrect_device_code answers, which GitHub also gives for
	// a moment after an approval.
	Grace int `json:"grace,omitempty"`

	// Web flow: what binds GitHub's answer to this attempt (RFC 6749, 10.12;
	// RFC 7636).
	// WebState is cleared when it comes back: it serves once.
	WebState     secret.Stored `json:"web_state"`
	CodeVerifier secret.Stored `json:"code_verifier"`
	// Redirect is where GitHub sends the browser back to.
	Redirect string `json:"redirect,omitempty"`
	// Returned is the SHA-256 of what the browser came back with, so that the same
	// page loaded again is no second attempt.
	Returned string `json:"returned_sha256,omitempty"`
	// Account is who approved, while the person has yet to confirm it. Then
	// ExpiresAt ends the wait.
	Account *github.Account `json:"account,omitempty"`
	// Confirmation is the SHA-256 of the token of the page that asks for it.
	Confirmation string `json:"confirmation_sha256,omitempty"`

	// Token is what GitHub granted, until the account has been checked and it
	// moves to the connection.
	Token github.Token `json:"token,omitzero"`
	// Servers are those that are to have the token, by name; "" is the default
	// server.
	Servers []string `json:"servers,omitempty"`
}

// Connection is a user's live grant at GitHub.
type Connection struct {
	Account github.Account `json:"account"`
	Token   github.Token   `json:"token"`
	Since   time.Time      `json:"since"`

	// Servers are those that the person chose, by name: what delivers and what
	// answers a server's question for the credential keeps to them.
	Servers []string `json:"servers,omitempty"`
	// AnyServer: the Hub does not let us see the servers, so none could be chosen,
	// and each of the user's own may ask. Only where nothing is delivered.
	AnyServer bool `json:"any_server,omitempty"`
	// Program is the server in which a program began the connection, while the
	// person has not confirmed it in a browser: until then nothing is delivered.
	Program *string `json:"program,omitempty"`

	Access github.Access `json:"access"`
	// CheckedAt is when Access was last read from GitHub; zero: not yet.
	CheckedAt time.Time `json:"checked_at,omitzero"`
	// checkRetry is when it is to be read (again); see [Connection.nextCheck].
	checkRetry

	// LookDue is when the servers that hold the token are to be looked at next:
	// whether one of them runs. Zero: not planned.
	LookDue time.Time `json:"look_due,omitzero"`
	// UnseenSince is when the Hub first refused to show the servers; zero: it
	// does not.
	UnseenSince time.Time `json:"unseen_since,omitzero"`
	// refreshRetry is when the token is to be refreshed; see
	// [Connection.nextRefresh].
	refreshRetry
	// RefreshError is why the connection will not outlive its token.
	RefreshError *apierror.Error `json:"refresh_error,omitempty"`

	// Scoped are the one-repository tokens made from Token, the oldest first.
	Scoped []ScopedToken `json:"narrowed,omitempty"`
	// Asked counts the tokens that were asked for since AskedSince.
	Asked      int       `json:"asked,omitempty"`
	AskedSince time.Time `json:"asked_since,omitzero"`
}

// DeliveryState names where a server stands.
type DeliveryState string

// The states of a delivery. Waiting: the server is not running; the credential
// goes in when it is seen running. Removing: the credential is to be taken out.
const (
	DeliveryQueued    DeliveryState = "queued"
	DeliveryStarting  DeliveryState = "starting"
	DeliveryWaiting   DeliveryState = "waiting"
	DeliveryDelivered DeliveryState = "delivered"
	DeliveryFailed    DeliveryState = "failed"
	DeliveryRemoving  DeliveryState = "removing"
)

// Delivery is the credential's standing in one of the user's servers.
type Delivery struct {
	Server string        `json:"server"`
	State  DeliveryState `json:"state"`
	// Method is the transport that worked: terminal, kernel; typed in records of
	// earlier releases.
	Method string          `json:"method,omitempty"`
	Error  *apierror.Error `json:"error,omitempty"`
	// At is when State was last changed.
	At time.Time `json:"at"`
	// Retry is when the next attempt may be made. It counts the failed ones at the
	// server, which are bounded by deliveryTries.
	Retry
	// MayHold says that something may have been written there: set before the
	// first write, cleared by nothing but a removal.
	MayHold bool `json:"may_hold,omitempty"`
	// Expired says that a removal is of a connection whose time was over: git's helper
	// stays in the server, without a credential.
	Expired bool `json:"expired,omitempty"`
	// HubFailures counts the Hub's errors in a row, which cost no attempt.
	HubFailures int `json:"hub_failures,omitempty"`
	// Start asks for the server to be started if it is stopped.
	Start bool `json:"start,omitempty"`
	// Progress is the Hub's latest message about a server that is starting.
	Progress string `json:"progress,omitempty"`
	// Delivered is the SHA-256 of the token that the server holds; empty: none.
	Delivered string `json:"delivered,omitempty"`
}

// Revocation is a token on its way out.
type Revocation struct {
	Token     secret.Stored `json:"token"`
	ExpiresAt time.Time     `json:"expires_at"`
	Retry
	// Reason is for the audit: disconnect, replaced, cancelled, identity, …
	Reason string `json:"reason"`
}

// Retry is when something is to be done next, and how often it has failed in a
// row until now.
type Retry struct {
	// Due is zero where nothing is planned.
	Due      time.Time `json:"due,omitzero"`
	Failures int       `json:"failures,omitempty"`
}

// checkRetry and refreshRetry are each a [Retry] under the keys that the record
// has for it, since a connection has two.
type (
	checkRetry struct {
		Due      time.Time `json:"check_due,omitzero"`
		Failures int       `json:"check_failures,omitempty"`
	}
	refreshRetry struct {
		Due      time.Time `json:"refresh_due,omitzero"`
		Failures int       `json:"refresh_failures,omitempty"`
	}
)

// nextCheck is when Access is to be read from GitHub (again).
func (c *Connection) nextCheck() *Retry { return (*Retry)(&c.checkRetry) }

// nextRefresh is when the token is to be refreshed.
func (c *Connection) nextRefresh() *Retry { return (*Retry)(&c.refreshRetry) }

// maxBackoff bounds the wait after errors.
const maxBackoff = time.Minute

// later plans the next try after one more failure: from a second on, twice as long
// each time, and not before the time that the other side named.
func (r *Retry) later(now time.Time, cause *apierror.Error) {
	r.laterWithin(now, time.Second, maxBackoff, cause)
}

// laterWithin is [Retry.later] with waits from base to limit.
func (r *Retry) laterWithin(now time.Time, base, limit time.Duration, cause *apierror.Error) {
	r.Failures++
	r.Due = now.Add(max(backoff(base, limit, r.Failures), cause.RetryAfter))
}

// backoff doubles from base with each failure, bounded, with jitter.
func backoff(base, limit time.Duration, failures int) time.Duration {
	wait := base
	for range failures - 1 {
		if wait = 2 * wait; wait >= limit {
			wait = limit
			break
		}
	}
	return wait + jitter(wait)
}

// jitter is up to a tenth of d, so that what began together spreads out.
func jitter(d time.Duration) time.Duration {
	if d < 10 {
		return 0
	}
	return rand.N(d / 10)
}

// Delivery finds the entry for a server; nil where there is none.
func (u *User) Delivery(server string) *Delivery {
	for i := range u.Deliveries {
		if u.Deliveries[i].Server == server {
			return &u.Deliveries[i]
		}
	}
	return nil
}

// This file has the changes of a record that commands and steps share. None of
// them calls anything outside.

// underWay reports whether a flow is neither final nor past its time.
func (u *User) underWay(now time.Time) bool {
	return u.Flow != nil && !u.Flow.State.Final() && (u.Flow.State != Pending || u.Flow.ExpiresAt.After(now))
}

// blocks reports whether a flow is under way that the caller's, of the given mode,
// must not replace. One that nobody has approved gives way to a browser's: if a
// program began it, or it is of the other mode, or a web flow whose state is spent.
// One that waits for the person's click gives way to any of theirs: the page for it
// may be closed. A program replaces none.
func (u *User) blocks(caller Caller, mode Mode, now time.Time) bool {
	f := u.Flow
	if u.unconfirmed(now) && !caller.Program {
		return false
	}
	if !u.underWay(now) || f.State != Pending || caller.Program {
		return u.underWay(now)
	}
	return f.Program == nil && f.Mode == mode && (mode == Device || !f.WebState.Empty())
}

// tidy drops what no step needs any more: above all the user's Hub token.
func (e *Engine) tidy(u *User) {
	needed := u.Flow != nil && !u.Flow.State.Final()
	for _, d := range u.Deliveries {
		needed = needed || !d.Due.IsZero()
	}
	if u.Connection != nil {
		needed = needed || !u.Connection.LookDue.IsZero()
	}
	if u.HubToken.Empty() || (needed && u.HubTokenExpires.After(e.clock())) {
		return
	}
	u.HubToken, u.HubTokenExpires = secret.Stored{}, time.Time{}
}

// keepHubToken keeps the caller's Hub token, not beyond the session that it is
// of: using it does not prolong that.
func (e *Engine) keepHubToken(u *User, caller Caller) {
	if caller.HubToken.Empty() || caller.Program {
		return
	}
	u.HubToken, u.HubTokenExpires = secret.Store(caller.HubToken), e.clock().Add(e.hubTokenLife)
	if ends := caller.HubTokenExpires; !ends.IsZero() && ends.Before(u.HubTokenExpires) {
		u.HubTokenExpires = ends
	}
}

// finish ends the flow and forgets its secrets. A token that was granted and
// did not become a connection is revoked.
func (e *Engine) finish(u *User, state State, cause *apierror.Error) {
	f := u.Flow
	if !f.Token.Access.Empty() && state != Connected {
		reason := string(state)
		if cause != nil {
			reason = cause.Code
		}
		e.revoke(u, f.Token, reason)
	}
	f.State, f.Error, f.Retry, f.EndedAt = state, cause, Retry{}, e.clock()
	f.DeviceCode, f.WebState, f.CodeVerifier, f.Token = secret.Stored{}, secret.Stored{}, secret.Stored{}, github.Token{}
	f.Account, f.Confirmation = nil, ""
}

// revoke queues a token, and the refresh token that belongs to it, to be made
// invalid at GitHub.
func (e *Engine) revoke(u *User, token github.Token, reason string) {
	now := e.clock()
	queue := func(value secret.Stored, expires time.Time) {
		if value.Empty() || u.revocation(value.Hash()) >= 0 {
			return
		}
		if expires.IsZero() {
			expires = now.Add(24 * time.Hour) // one that never expires: try for a day
		}
		u.Revocations = append(u.Revocations, Revocation{Token: value, ExpiresAt: expires, Retry: Retry{Due: now}, Reason: reason})
	}
	queue(token.Refresh, token.RefreshExpiresAt)
	queue(token.Access, token.ExpiresAt)
}

// revokeAll queues the connection's token and those that were made from it.
func (e *Engine) revokeAll(u *User, reason string) {
	e.revoke(u, u.Connection.Token, reason)
	for _, n := range u.Connection.Scoped {
		e.revoke(u, n.Token, reason)
	}
}

// revocation is the place of a token among those on their way out; -1: none.
func (u *User) revocation(hash string) int {
	return slices.IndexFunc(u.Revocations, func(r Revocation) bool { return r.Token.Hash() == hash })
}

func (c *Connection) lives(now time.Time) bool { return c != nil && c.Token.ExpiresAt.After(now) }

// dropConnection forgets the connection: its token is revoked and taken out of
// every server that holds or may hold it. The flow that made it, or is about to
// deliver it, ends in the given state; another one is left alone.
func (e *Engine) dropConnection(u *User, reason string, state State, cause *apierror.Error) {
	e.revokeAll(u, reason)
	u.Connection, u.dropped = nil, reason
	e.takeOut(u, reason == reasonExpired)
	if f := u.Flow; f != nil && (f.State == Connected || f.State == Delivering) {
		e.finish(u, state, cause)
	}
}

// reasonExpired is why a connection ends whose time is over.
const reasonExpired = "expired"

// takeOut plans the removal from every server, except where nothing was ever
// written. After an expiry git's helper stays, except where all was to go already.
func (e *Engine) takeOut(u *User, expired bool) {
	now := e.clock()
	u.Deliveries = slices.DeleteFunc(u.Deliveries, func(d Delivery) bool {
		return d.State != DeliveryRemoving && d.Delivered == "" && !d.MayHold
	})
	for i := range u.Deliveries {
		d := &u.Deliveries[i]
		expired := expired && (d.State != DeliveryRemoving || d.Expired)
		*d = Delivery{Server: d.Server, State: DeliveryRemoving, At: now, Retry: Retry{Due: now}, Delivered: d.Delivered, MayHold: d.MayHold, Expired: expired}
	}
}

// queue plans a delivery to a server, keeping what is known of an earlier one.
func (e *Engine) queue(u *User, server string, start bool) {
	now := e.clock()
	d := u.Delivery(server)
	if d == nil {
		u.Deliveries = append(u.Deliveries, Delivery{Server: server})
		d = &u.Deliveries[len(u.Deliveries)-1]
	}
	*d = Delivery{Server: server, State: DeliveryQueued, At: now, Retry: Retry{Due: now}, Start: start, Delivered: d.Delivered, MayHold: d.MayHold}
}

// completeDelivering ends a flow once no server is on its way any more. Servers
// that are not running do not hold it up.
func (e *Engine) completeDelivering(u *User) {
	f := u.Flow
	if f == nil || f.State != Delivering || !f.Due.IsZero() {
		return
	}
	for _, d := range u.Deliveries {
		if d.State == DeliveryQueued || d.State == DeliveryStarting {
			return
		}
	}
	e.finish(u, Connected, nil)
}

func (e *Engine) audit(ctx context.Context, u *User, event audit.Event) {
	event.Time, event.User = e.clock(), u.Name
	e.recorder.Record(ctx, event)
}
