package flow

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ghscoped/ghscoped-service/internal/audit"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// saveAttempts bounds the re-reads of one change. Writers of one user's record
// are a few tabs and one scheduler, so more conflicts in a row mean a fault.
const saveAttempts = 20

// Engine carries out flows. Its methods are what a caller may ask for a user;
// [Engine.Run] does the rest. Safe for concurrent use.
type Engine struct {
	Options
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
func New(options Options) *Engine {
	return &Engine{Options: options, metrics: newMetrics(options.Registry, options.Clock), wake: make(chan struct{}, 1)}
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
	user, err := e.Store.Load(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("load the record of a user: %w", err)
	}
	return user, nil
}

// Watch reports changes of a user's record until ctx ends.
func (e *Engine) Watch(ctx context.Context, name string) (<-chan struct{}, error) {
	return e.Store.Watch(ctx, name)
}

// WatchAll reports the name of each user whose record changes until ctx ends; "":
// any record may have changed.
func (e *Engine) WatchAll(ctx context.Context) (<-chan string, error) { return e.Store.WatchAll(ctx) }

// updateNamed changes the record of a name, whoever's it is, reading it again whenever
// another writer was faster; change may therefore run more than once. An error
// from change stores nothing and is returned as it is.
func (e *Engine) updateNamed(ctx context.Context, name string, change func(*User) error) (*User, error) {
	for range saveAttempts {
		user, err := e.load(ctx, name)
		if err != nil {
			return nil, err
		}
		was := stateOf(user)
		if err := change(user); err != nil {
			return user, err
		}
		switch err := e.save(ctx, user, was); {
		case err == nil:
			e.nudge()
			return user, nil
		case !errors.Is(err, ErrConflict):
			return nil, err
		}
	}
	return nil, fmt.Errorf("save the record of a user: %w", ErrConflict)
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
	if err := e.Store.Save(ctx, user); err != nil {
		return fmt.Errorf("save the record of a user: %w", err)
	}
	e.metrics.saved(user)
	if ended := was.ended(user.Flow, e.Clock()); ended != nil {
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
	e.metrics.countFinished(f.State, e.Clock().Sub(f.StartedAt))
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
