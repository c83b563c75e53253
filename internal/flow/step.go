package flow

import (
	"context"
	"errors"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/github"
)

// A step does one thing to the outside for a record and returns what is to be
// changed. It does not change the record it is given: the change may have to be
// applied to a newer state of it.
type step func(ctx context.Context, u *User) outcome

// outcome is what a step found.
type outcome struct {
	// change is applied to the record as it stands then, so it looks again at
	// whatever a command may have altered meanwhile. It may be applied to a
	// record that has it already, where a store said "failed" and was wrong.
	change func(u *User)
	// lost is called when the change could not be stored, to undo what must not
	// be forgotten. May be nil.
	lost func(ctx context.Context)
}

// What follows limits a change to what it was made for: a flow, a connection, a
// delivery ([ofDelivery]), a revocation ([ofRevocation]). Whatever became of that
// meanwhile, a change that has nothing to change is none.

// ofFlow: the flow is where it was, and nobody has gone on with it since. A
// holder that was paused and overtaken must not plan the next step.
func ofFlow(was Flow, change func(u *User, f *Flow)) outcome {
	return outcome{change: func(u *User) {
		f := u.Flow
		if f != nil && f.ID == was.ID && f.State == was.State && f.Due.Equal(was.Due) {
			change(u, f)
		}
	}}
}

// ofConnection: the connection has the same token.
func ofConnection(was github.Token, change func(u *User, c *Connection)) outcome {
	hash := was.Access.Hash()
	return outcome{change: func(u *User) {
		if c := u.Connection; c != nil && c.Token.Access.Hash() == hash {
			change(u, c)
		}
	}}
}

// revokePatience is how long a revocation lets what people wait for go first.
const revokePatience = 10 * time.Second

// next is the one place that decides what a record needs now: what has been due
// longest, so that nothing starves. Nil: nothing.
func (e *Engine) next(u *User) step {
	now := e.Clock()
	var chosen step
	var since time.Time
	consider := func(due time.Time, patience time.Duration, s step) {
		if due.IsZero() || due.After(now) {
			return
		}
		if at := due.Add(patience); chosen == nil || at.Before(since) {
			chosen, since = s, at
		}
	}
	if f := u.Flow; f != nil && !f.State.Final() {
		consider(f.Due, 0, e.nextOfFlow(f, now))
	}
	if c := u.Connection; c != nil {
		consider(c.Token.ExpiresAt, 0, e.expireConnection)
	}
	for _, d := range u.Deliveries {
		consider(d.Due, 0, e.nextOfDelivery(d))
	}
	if c := u.Connection; c != nil {
		consider(c.RefreshDue, 0, e.refresh)
		consider(c.CheckDue, 0, e.checkAccess)
		consider(c.LookDue, 0, e.look)
	}
	if !u.HubToken.Empty() {
		consider(u.HubTokenExpires, 0, nothing) // storing the record tidies it
	}
	patience := revokePatience
	if c := u.Connection; c != nil && c.narrowing() {
		patience = -revokePatience // a token may take the place of another: that one goes first
		for _, n := range c.Narrowed {
			consider(n.Due, 0, e.narrow(n))
		}
	}
	for _, r := range u.Revocations {
		consider(r.Due, patience, e.revokeOne(r))
	}
	return chosen
}

func nothing(context.Context, *User) outcome { return outcome{} }

func (e *Engine) nextOfFlow(f *Flow, now time.Time) step {
	switch {
	case f.State == Pending && (f.Mode == Web || !f.ExpiresAt.After(now)):
		return e.expireCode
	case f.State == Pending:
		return e.poll
	case f.State == Approved && f.Account != nil:
		return e.expireConfirmation
	case f.State == Approved && f.Session != "" && !f.Present:
		return e.stillHere
	case f.State == Approved:
		return e.identify
	}
	return e.plan
}

func (e *Engine) nextOfDelivery(d Delivery) step {
	switch {
	case e.Deliverer == nil:
		return e.leaveAlone(d)
	case d.State == DeliveryRemoving:
		return e.remove(d)
	}
	return e.deliver(d)
}

// settle stores what a step found and ends the claim until held. The record may
// have been changed by a command since u was read (nil: it was not): then the
// change is applied to the newer state. Trouble with the store is waited out
// until ctx ends.
func (e *Engine) settle(ctx context.Context, name string, u *User, held time.Time, found outcome) error {
	var err error
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		if u != nil {
			if err = e.settleOnce(ctx, u, held, found.change); err == nil {
				e.nudge()
				return nil
			}
		}
		u = nil // it has the change already: never apply it twice to the same state
		for u == nil {
			if ctx.Err() != nil || (err != nil && !errors.Is(err, ErrConflict) && !pause(ctx, wait)) {
				err = errors.Join(err, ctx.Err())
				e.giveUp(ctx, name, found, err)
				return err
			}
			u, err = e.load(ctx, name)
		}
	}
}

func (e *Engine) settleOnce(ctx context.Context, u *User, held time.Time, change func(*User)) error {
	was := stateOf(u)
	if u.Held.Equal(held) {
		u.Held = time.Time{}
	}
	if change != nil {
		change(u)
	}
	return e.save(ctx, u, was)
}

// giveUp: the store did not take what a step found. The record stands as it
// was, and its claim runs out by itself.
func (e *Engine) giveUp(ctx context.Context, name string, found outcome, err error) {
	e.Logger.Error("a step could not be stored", "user", name, "error", err)
	if found.lost == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoLimit)
	defer cancel()
	found.lost(ctx)
}

// pause waits, and reports false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
