package flow

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/hub"
	"github.com/ghscoped/ghscoped-service/internal/secret"
)

const (
	// startingPoll and waitingPoll are how often the Hub is asked about a server
	// that is on its way, and about one that is not running.
	// readyPoll is for one that the Hub has just called ready.
	startingPoll = time.Second
	readyPoll    = 100 * time.Millisecond
	waitingPoll  = 30 * time.Second
	// startPatience is how long the Hub may take to answer that it starts one.
	startPatience = 3 * time.Second
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
		servers, err := e.servers(ctx, u)
		server := named(servers, d.Server)
		switch {
		case err != nil:
			return e.hubFailed(u, d, err)
		case u.Connection == nil:
			return ofDelivery(e, d, func(u *User, d *Delivery) { e.forget(u, d.Server) })
		case server.Ready && !d.MayHold: // known before anything is written, whatever becomes of the write
			return ofDelivery(e, d, func(_ *User, d *Delivery) { d.MayHold, d.Due = true, e.Clock() })
		case server.Ready:
			return e.write(ctx, u, d, server)
		case server.Pending == "spawn":
			return e.follow(ctx, u, d, e.awaitStart)
		case d.Start && server.Pending != "": // it is stopping
			return ofDelivery(e, d, func(_ *User, d *Delivery) { e.awaitStart(d) })
		case d.Start:
			return e.start(ctx, u, d)
		case d.State == DeliveryStarting: // no more; the Hub may say why
			return e.follow(ctx, u, d, e.awaitServer)
		}
		return ofDelivery(e, d, func(u *User, d *Delivery) {
			e.awaitServer(d)
			e.awaitOthers(u, servers)
		})
	}
}

// named finds a server; one that the Hub does not list is a stopped one.
func named(servers []hub.Server, name string) hub.Server {
	for _, server := range servers {
		if server.Name == name {
			return server
		}
	}
	return hub.Server{Name: name}
}

// start asks for a server to be started. The Hub answers when the server runs or
// after 10 s; meanwhile it can tell more about it, so it is not waited for. An
// answer that does not say when to ask again may mean that the server failed at
// once: the next look decides.
func (e *Engine) start(ctx context.Context, u *User, d Delivery) outcome {
	asking, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	err := e.Hub.StartServer(asking, u.HubToken.String, u.Name, d.Server)
	var unavailable *hub.UnavailableError
	unknown := errors.As(err, &unavailable) && unavailable.RetryAfter == 0
	if err != nil && !unknown {
		return e.hubFailed(u, d, err)
	}
	return ofDelivery(e, d, func(_ *User, d *Delivery) {
		d.Start = false // asked for once; a server that dies is not started again and again
		e.awaitStart(d)
	})
}

// follow asks the Hub how far a server is that is, or was, on its way. That is
// for people to read: what is done next does not depend on it.
func (e *Engine) follow(ctx context.Context, u *User, was Delivery, then func(*Delivery)) outcome {
	message, ready, err := e.Hub.Progress(ctx, u.HubToken.String, u.Name, was.Server)
	if err != nil {
		e.trouble(u.Name, "progress", err)
	}
	return ofDelivery(e, was, func(_ *User, d *Delivery) {
		then(d)
		if message != "" {
			d.Progress = message
		}
		if ready {
			d.Due = e.Clock().Add(readyPoll)
		}
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
	var cause *apierror.Error
	if d.State == DeliveryStarting || (d.Error != nil && d.Error.Code == errNotStarted.Code) {
		cause = errNotStarted
	}
	e.change(d, DeliveryWaiting, cause)
	d.Due = e.Clock().Add(waitingPoll + jitter(waitingPoll))
}

// awaitOthers: the look that shows one server stopped shows all of them. What
// waits for another one that does not run need not ask by itself.
func (e *Engine) awaitOthers(u *User, servers []hub.Server) {
	for i := range u.Deliveries {
		d := &u.Deliveries[i]
		if server := named(servers, d.Server); d.Due.IsZero() || server.Ready || server.Pending != "" {
			continue
		}
		switch d.State {
		case DeliveryWaiting:
			e.awaitServer(d)
		case DeliveryRemoving:
			e.awaitRemoval(d)
		}
	}
}

var errNotStarted = &apierror.Error{Code: apierror.CodeServerDidNotStart, Message: "The server did not start.",
	Hint: "Start it from the Hub's home page; the token goes in as soon as it runs."}

// hubFailed: the Hub did not answer, or not as the delivery needs it.
func (e *Engine) hubFailed(u *User, was Delivery, err error) outcome {
	cause, used := hubTrouble(err), u.HubToken.Hash()
	signedOut := errors.Is(err, hub.ErrUnauthorized)
	return ofDelivery(e, was, func(u *User, d *Delivery) {
		switch {
		case cause.Retryable:
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
				kept.Delivered, kept.MayHold, kept.Attempts = d.Delivered, d.MayHold, d.Attempts
				*d = kept
			}
		}
		e.completeDelivering(u)
	}}
}

// change moves a delivery to a state; nothing is due there unless the caller
// says so.
func (e *Engine) change(d *Delivery, state DeliveryState, cause *apierror.Error) {
	if d.State != state {
		d.State, d.At, d.Progress = state, e.Clock(), ""
	}
	d.Error, d.Due = cause, time.Time{}
}

func (e *Engine) forget(u *User, server string) {
	u.Deliveries = slices.DeleteFunc(u.Deliveries, func(d Delivery) bool { return d.Server == server })
}
