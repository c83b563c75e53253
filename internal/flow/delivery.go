package flow

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

const (
	// startingPoll and waitingPoll are how often the Hub is asked about a server
	// that is on its way, and about one that is not running.
	startingPoll = time.Second
	waitingPoll  = 30 * time.Second
	// startLimit is how long a server may take to start.
	startLimit = 10 * time.Minute
	// deliveryTries bounds the attempts at a server that runs but fails in a
	// passing way: together about a minute.
	deliveryTries = 8
)

// deliver brings one delivery a step further: look the server up, start it if
// asked to, write the credential once it is ready.
func (e *Engine) deliver(d Delivery) step {
	return func(ctx context.Context, u *User) outcome {
		server, err := e.find(ctx, u, d.Server)
		switch {
		case err != nil:
			return e.hubFailed(u, d, err)
		case u.Connection == nil:
			return ofDelivery(e, d, func(u *User, d *Delivery) { e.forget(u, d.Server) })
		case server.Ready:
			return e.write(ctx, u, d, server)
		case server.Pending == "spawn", d.Start && server.Pending != "":
			return ofDelivery(e, d, func(_ *User, d *Delivery) { e.awaitStart(d) })
		case d.Start:
			return e.start(ctx, u, d)
		}
		return ofDelivery(e, d, func(_ *User, d *Delivery) { e.awaitServer(d) })
	}
}

// find looks a server up; one that the Hub does not list is a stopped one.
func (e *Engine) find(ctx context.Context, u *User, name string) (hub.Server, error) {
	servers, err := e.servers(ctx, u)
	for _, server := range servers {
		if server.Name == name {
			return server, err
		}
	}
	return hub.Server{Name: name}, err
}

func (e *Engine) start(ctx context.Context, u *User, d Delivery) outcome {
	err := e.Hub.StartServer(ctx, u.HubToken.String, u.Name, d.Server)
	if err != nil {
		return e.hubFailed(u, d, err)
	}
	return ofDelivery(e, d, func(_ *User, d *Delivery) {
		d.Start = false // asked for once; a server that dies is not started again and again
		e.awaitStart(d)
	})
}

// awaitStart: the server is on its way. One that takes too long does not hold up
// the flow any longer.
func (e *Engine) awaitStart(d *Delivery) {
	now := e.Clock()
	if d.State != DeliveryStarting {
		e.change(d, DeliveryStarting, nil)
	}
	if now.Sub(d.At) > startLimit {
		d.Start = false
		e.awaitServer(d)
		return
	}
	d.Error, d.Due = nil, now.Add(startingPoll)
}

// awaitServer: the server does not run. The credential goes in when it does.
func (e *Engine) awaitServer(d *Delivery) {
	var cause *Error
	if d.State == DeliveryStarting || (d.Error != nil && d.Error.Code == errNotStarted.Code) {
		cause = errNotStarted
	}
	e.change(d, DeliveryWaiting, cause)
	d.Due = e.Clock().Add(waitingPoll + jitter(waitingPoll))
}

var errNotStarted = &Error{Code: "server_did_not_start", Message: "The server did not start.",
	Hint: "Start it from the Hub's home page; the token goes in as soon as it runs."}

// hubFailed: the Hub did not answer, or not as the delivery needs it.
func (e *Engine) hubFailed(u *User, was Delivery, err error) outcome {
	cause, used := hubTrouble(err), u.HubToken.Hash()
	signedOut := errors.Is(err, hub.ErrUnauthorized)
	return ofDelivery(e, was, func(u *User, d *Delivery) {
		switch {
		case cause.Passing:
			d.HubFailures = was.HubFailures + 1
			d.Error = cause
			d.Due = e.Clock().Add(max(backoff(time.Second, d.HubFailures), cause.RetryAfter))
			return
		case signedOut && u.HubToken.Hash() != used:
			d.Due = e.Clock() // signed in again meanwhile
			return
		case signedOut:
			u.HubToken = secret.Stored{} // goes on at the next sign-in
		}
		switch {
		case d.State == DeliveryRemoving: // tried again at the next sign-in
			d.Error, d.Due = cause, time.Time{}
		case signedOut:
			e.change(d, DeliveryWaiting, cause)
		default:
			e.change(d, DeliveryFailed, cause)
		}
	})
}

// ofDelivery limits a change to the entry it was made for. The entry may have
// been queued anew since (another At): then it is left as it is, except that
// the record of what was written must not be lost.
func ofDelivery(e *Engine, was Delivery, change func(*User, *Delivery)) outcome {
	return outcome{change: func(u *User) {
		d := u.Delivery(was.Server)
		if d == nil {
			return
		}
		kept, requeued := *d, !d.At.Equal(was.At)
		d.HubFailures = 0
		change(u, d)
		if requeued {
			if d = u.Delivery(was.Server); d != nil {
				kept.Delivered, kept.Attempts = d.Delivered, d.Attempts
				*d = kept
			}
		}
		e.completeDelivering(u)
	}}
}

// change moves a delivery to a state; nothing is due there unless the caller
// says so.
func (e *Engine) change(d *Delivery, state DeliveryState, cause *Error) {
	if d.State != state {
		d.State, d.At, d.Progress = state, e.Clock(), ""
	}
	d.Error, d.Due = cause, time.Time{}
}

func (e *Engine) forget(u *User, server string) {
	u.Deliveries = slices.DeleteFunc(u.Deliveries, func(d Delivery) bool { return d.Server == server })
}
