package flow

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ghscoped/ghscoped-service/internal/audit"
	"github.com/ghscoped/ghscoped-service/internal/github"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// saveAttempts bounds the re-reads of one change. Writers of one user's record
// are a few tabs and one scheduler, so more conflicts in a row mean an error in
// this program.
const saveAttempts = 20

// Engine carries out flows. Its methods are what a caller may ask for a user;
// [Engine.Run] does the rest. Safe for concurrent use.
type Engine struct {
	github        GitHub
	webFlow       WebFlow
	hub           Hub
	store         Store
	recorder      audit.Recorder
	deliverer     Deliverer
	gitHubURL     *url.URL
	identity      Identity
	hubTokenLife  time.Duration
	keepFresh     bool
	revokeOnStop  bool
	oneRepository bool
	clock         func() time.Time
	logger        *slog.Logger

	metrics *metrics
	wake    chan struct{}
	// began is when Run did.
	began time.Time
}

// Options are what an Engine is made of.
type Options struct {
	GitHub GitHub
	// WebFlow is nil where it is not offered.
	WebFlow WebFlow
	Hub     Hub
	Store   Store
	Audit   audit.Recorder
	// Deliverer is nil in pull mode: nothing is written into servers.
	Deliverer Deliverer

	// GitHubURL is GitHub's web address, the host that credentials are for.
	GitHubURL *url.URL
	Identity  Identity
	// HubTokenLife bounds how long a user's Hub token is kept for what waits for
	// it, besides the end of its session.
	HubTokenLife time.Duration
	// KeepFresh asks for tokens to be refreshed before they expire, while a
	// server that holds the token runs; which means that the long-lived refresh
	// token is stored. Off: it is thrown away. Needs a Deliverer.
	KeepFresh bool
	// RevokeOnStop ends the connection when no server that holds it runs, or
	// when that cannot be seen any more. Needs a Deliverer.
	RevokeOnStop bool
	// OneRepository never gives the connection's own token away: who asks names a
	// repository and gets a token for that one alone. Needs the client secret,
	// and no Deliverer, which has one file for all.
	OneRepository bool

	Clock  func() time.Time
	Logger *slog.Logger
	// Registry gets what the engine counts.
	Registry prometheus.Registerer
}

// New returns an engine that does nothing until Run.
func New(o Options) *Engine {
	return &Engine{
		github: o.GitHub, webFlow: o.WebFlow, hub: o.Hub, store: o.Store, recorder: o.Audit, deliverer: o.Deliverer,
		gitHubURL: o.GitHubURL, identity: o.Identity, hubTokenLife: o.HubTokenLife,
		keepFresh: o.KeepFresh, revokeOnStop: o.RevokeOnStop, oneRepository: o.OneRepository,
		clock: o.Clock, logger: o.Logger, metrics: newMetrics(o.Registry, o.Clock), wake: make(chan struct{}, 1),
	}
}

// Caller is a Hub user, by the Hub token that was shown: a browser's session has
// one, a program shows its own.
type Caller struct {
	User string
	// Created is when the Hub made the user, as the Hub writes it: names are given
	// again, and with it this is a person.
	Created  string
	HubToken secret.String
	// HubTokenExpires is when the session ends that HubToken is of; zero: nobody
	// said so.
	HubTokenExpires time.Time
	// Program: no browser, so that nobody sees or confirms anything.
	Program bool
	// Server is the one that a program runs in, by its Hub token; nil: the token is
	// not of one server.
	Server *string
}

// load returns the record of a name as it stands, whoever's it is.
func (e *Engine) load(ctx context.Context, name string) (*User, error) {
	user, err := e.store.Load(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("load the record of a user: %w", err)
	}
	return user, nil
}

// Watch reports changes of a user's record, or with the name "" of all, as [Store]
// does.
func (e *Engine) Watch(ctx context.Context, name string) <-chan map[string]struct{} {
	return e.store.Watch(ctx, name)
}

// updateNamed changes the record of a name, whoever's it is, and reports whether
// there was anything to change: change says so, and returned false or an error
// stores nothing. It may run more than once, since the record is read again
// whenever another writer was faster.
func (e *Engine) updateNamed(ctx context.Context, name string, change func(*User) (bool, error)) (user *User, changed bool, err error) {
	for range saveAttempts {
		user, err := e.load(ctx, name)
		if err != nil {
			return nil, false, err
		}
		was := stateOf(user)
		if changed, err := change(user); !changed || err != nil {
			return user, false, err
		}
		switch err := e.save(ctx, user, was); {
		case err == nil:
			e.nudge()
			return user, true, nil
		case !errors.Is(err, ErrConflict):
			return nil, false, err
		}
	}
	return nil, false, fmt.Errorf("save the record of a user: %w", ErrConflict)
}

// before is what [Engine.save] compares a changed record with.
type before struct {
	flow       Flow
	connection *Connection
}

func stateOf(u *User) before {
	was := before{connection: u.Connection}
	if u.Flow != nil {
		was.flow = *u.Flow
	}
	return was
}

// save stores a changed record, and tells metrics and audit what has ended.
func (e *Engine) save(ctx context.Context, user *User, was before) error {
	e.tidy(user)
	if err := e.store.Save(ctx, user); err != nil {
		return fmt.Errorf("save the record of a user: %w", err)
	}
	e.metrics.saved(user)
	if ended := was.ended(user.Flow, e.clock()); ended != nil {
		e.flowEnded(ctx, user, ended)
	}
	if was.connection != nil && user.Connection == nil {
		e.audit(ctx, user, audit.Event{Action: "disconnected", OfUser: audit.OfUser{Account: was.connection.Account.Login},
			TokenHash: was.connection.Token.Access.Hash(), Outcome: "ok", Reason: user.dropped})
	}
	return nil
}

// ended is the flow that came to its end by a change; nil: none did.
func (was before) ended(now *Flow, at time.Time) *Flow {
	switch {
	case was.flow.State.Final():
		return nil
	case now != nil && now.ID == was.flow.ID && now.State.Final():
		return now
	case now != nil && now.ID == was.flow.ID:
		return nil
	}
	dropped := was.flow // for another one
	if dropped.State = Cancelled; was.flow.State == Pending && !dropped.ExpiresAt.After(at) {
		dropped.State = Expired
	}
	return &dropped
}

func (e *Engine) flowEnded(ctx context.Context, user *User, f *Flow) {
	e.metrics.countFinished(f.State, e.clock().Sub(f.StartedAt))
	event := audit.Event{Action: "flow_finished", OfUser: audit.OfUser{FlowID: f.ID}, Outcome: string(f.State)}
	if f.Error != nil {
		event.Code = f.Error.Code
	}
	if f.State == Connected && user.Connection != nil {
		event.Account = user.Connection.Account.Login
		event.TokenHash = user.Connection.Token.Access.Hash()
		event.ExpiresAt = user.Connection.Token.ExpiresAt
	}
	e.audit(ctx, user, event)
}

// nudge tells the scheduler that something may be due now.
func (e *Engine) nudge() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

func newID() string { return rand.Text() }

const (
	// Hold is how long a claimed record is another scheduler's no business. A
	// process that dies leaves its records unattended for that long, unless the
	// store knows that it is dead.
	Hold = 45 * time.Second
	// stepLimit bounds one step well within Hold, so that its result is stored
	// while the claim still stands.
	stepLimit = 35 * time.Second
	// workers bounds the steps under way at once.
	workers = 256
	// idle is the longest pause between two looks for due records; it covers
	// what other processes planned.
	idle = time.Second
	// When the service stops, steps under way get handOver to end, then are
	// broken off; storing what they found gets saveLimit, undoing what could not be
	// stored undoLimit. Together 10 s at most.
	handOver  = 4 * time.Second
	saveLimit = 2 * time.Second
	undoLimit = 3 * time.Second
)

// Run carries out what is due until ctx ends, then lets the steps under way
// finish within handOver and gives every claimed record back.
func (e *Engine) Run(ctx context.Context) {
	stepCtx, breakOff := context.WithCancel(context.WithoutCancel(ctx))
	defer breakOff()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(handOver, breakOff) })()

	e.began = e.clock()
	var underWay sync.WaitGroup
	free := make(chan struct{}, workers)
	for ctx.Err() == nil {
		if len(free) == workers {
			e.awaitWorker(ctx)
			continue
		}
		claimed, err := e.claim(ctx, workers-len(free))
		for _, user := range claimed {
			free <- struct{}{}
			underWay.Go(func() {
				e.work(stepCtx, user)
				<-free
				e.nudge()
			})
		}
		switch {
		case err != nil:
			pause(ctx, idle)
		case len(claimed) == 0:
			e.rest(ctx)
		}
	}
	underWay.Wait()
}

// Advance claims what is due now and carries out one step for each record, one
// after the other. It returns how many there were.
func (e *Engine) Advance(ctx context.Context) int {
	claimed, _ := e.claim(ctx, workers)
	for _, user := range claimed {
		e.work(ctx, user)
	}
	return len(claimed)
}

func (e *Engine) claim(ctx context.Context, limit int) ([]*User, error) {
	claimed, err := e.store.Claim(ctx, Hold, limit)
	if err != nil && ctx.Err() == nil {
		e.logger.Error("due records could not be claimed", "error", err)
	}
	return claimed, err
}

// work carries out one step for a claimed record.
func (e *Engine) work(ctx context.Context, user *User) {
	if due := user.Due(); !due.IsZero() {
		e.metrics.stepBegan(user, max(0, e.clock().Sub(due)))
	}
	var found outcome
	if step := e.next(user); step != nil { // nil after a claim that ran out: storing the record ends it
		limited, cancel := context.WithTimeout(ctx, stepLimit)
		found = step(e, limited, user)
		cancel()
	}
	storing, cancel := context.WithTimeout(context.WithoutCancel(ctx), Hold-stepLimit)
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(saveLimit, cancel) })()
	_ = e.settle(storing, user.Name, user, user.Held, found) // logged there
}

// awaitWorker waits for the end of a step, which nudges.
func (e *Engine) awaitWorker(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-e.wake:
	}
}

// rest waits until the next record is due, something is planned here, or idle
// is over.
func (e *Engine) rest(ctx context.Context) {
	wait := idle
	if due, err := e.store.NextDue(ctx); err == nil && !due.IsZero() {
		wait = min(wait, max(due.Sub(e.clock()), 10*time.Millisecond))
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-e.wake:
	case <-timer.C:
	}
}

// A step does one thing to the outside for a record and returns what is to be
// changed. It does not change the record it is given: the change may have to be
// applied to a newer state of it.
type step func(e *Engine, ctx context.Context, u *User) outcome

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

// task is something that a record needs from a point in time on.
type task struct {
	due time.Time
	// patience is how much longer this can wait than other tasks.
	patience time.Duration
	do       step
}

// tasks are all that the record needs, now and later. The order counts among those
// that are due at the same time.
func (u *User) tasks() []task {
	var all []task
	add := func(due time.Time, patience time.Duration, do step) {
		if !due.IsZero() {
			all = append(all, task{due, patience, do})
		}
	}

	c := u.Connection
	if f := u.Flow; f != nil && !f.State.Final() {
		add(f.Due, 0, (*Engine).advanceFlow)
	}
	if c != nil {
		add(c.Token.ExpiresAt, 0, (*Engine).expireConnection)
	}
	for _, d := range u.Deliveries {
		add(d.Due, 0, func(e *Engine, ctx context.Context, u *User) outcome { return e.advanceDelivery(ctx, u, d) })
	}
	if c != nil {
		add(c.nextRefresh().Due, 0, (*Engine).refresh)
		add(c.nextCheck().Due, 0, (*Engine).checkAccess)
		add(c.LookDue, 0, (*Engine).look)
	}
	if !u.HubToken.Empty() {
		add(u.HubTokenExpires, 0, nothing) // storing the record tidies it
	}

	patience := revokePatience
	if c != nil && c.makesScoped() {
		patience = -revokePatience // a token may take the place of another: that one goes first
	}
	if c != nil {
		for _, n := range c.Scoped {
			add(n.Due, 0, func(e *Engine, ctx context.Context, u *User) outcome { return e.makeScoped(ctx, u, n) })
		}
	}
	for _, r := range u.Revocations {
		add(r.Due, patience, func(e *Engine, ctx context.Context, u *User) outcome { return e.revokeOne(ctx, u, r) })
	}
	return all
}

// Due is when the record next needs a step; the zero time: never.
func (u *User) Due() time.Time {
	var due time.Time
	for _, t := range u.tasks() {
		if due.IsZero() || t.due.Before(due) {
			due = t.due
		}
	}
	return due
}

// next is the step that the record needs now: what has been due longest, so that
// nothing starves. Nil: nothing is due.
func (e *Engine) next(u *User) step {
	now := e.clock()
	var chosen *task
	for _, t := range u.tasks() {
		if !t.due.After(now) && (chosen == nil || t.due.Add(t.patience).Before(chosen.due.Add(chosen.patience))) {
			chosen = &t
		}
	}
	if chosen == nil {
		return nil
	}
	return chosen.do
}

func nothing(*Engine, context.Context, *User) outcome { return outcome{} }

// advanceFlow brings a flow that is under way one step further.
func (e *Engine) advanceFlow(ctx context.Context, u *User) outcome {
	f := u.Flow
	switch {
	case f.State == Pending && (f.Mode == Web || !f.ExpiresAt.After(e.clock())):
		return e.expireCode(ctx, u)
	case f.State == Pending:
		return e.poll(ctx, u)
	case f.State == Approved && f.Account != nil:
		return e.expireConfirmation(ctx, u)
	case f.State == Approved && f.Session != "" && !f.Present:
		return e.stillHere(ctx, u)
	case f.State == Approved:
		return e.identify(ctx, u)
	}
	return e.planDeliveries(ctx, u)
}

// advanceDelivery brings a delivery one step further.
func (e *Engine) advanceDelivery(ctx context.Context, u *User, d Delivery) outcome {
	switch {
	case e.deliverer == nil:
		return e.leaveAlone(ctx, u, d)
	case d.State == DeliveryRemoving:
		return e.remove(ctx, u, d)
	}
	return e.deliver(ctx, u, d)
}

// settle stores what a step found and ends the claim until held. The record may
// have been changed by a command since u was read (nil: it was not): then the
// change is applied to the newer state. A store that fails is retried
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
	e.logger.Error("a step could not be stored", "user", name, "error", err)
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
