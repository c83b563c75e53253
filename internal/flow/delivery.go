package flow

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/audit"
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
	// deliveryTries bounds the attempts at a server that runs but fails with
	// retryable errors: together about a minute.
	deliveryTries = 8
)

// deliver brings one delivery a step further: look the server up, start it if
// asked to, write the credential once it is ready.
func (e *Engine) deliver(ctx context.Context, u *User, d Delivery) outcome {
	servers, err := e.servers(ctx, u)
	server := named(servers, d.Server)
	switch {
	case err != nil:
		return e.hubFailed(u, d, err)
	case u.Connection == nil:
		return ofDelivery(e, d, func(u *User, d *Delivery) { e.forget(u, d.Server) })
	case server.Ready && !d.MayHold: // known before anything is written, whatever becomes of the write
		return ofDelivery(e, d, func(_ *User, d *Delivery) { d.MayHold, d.Due = true, e.clock() })
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
	err := e.hub.StartServer(asking, u.HubToken.String, u.Name, d.Server)
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
	message, ready, err := e.hub.Progress(ctx, u.HubToken.String, u.Name, was.Server)
	e.logged(u.Name, "progress", err)
	return ofDelivery(e, was, func(_ *User, d *Delivery) {
		then(d)
		if message != "" {
			d.Progress = message
		}
		if ready {
			d.Due = e.clock().Add(readyPoll)
		}
	})
}

// awaitStart: the server is on its way. One that takes too long does not hold up
// the flow any longer.
func (e *Engine) awaitStart(d *Delivery) {
	now := e.clock()
	if d.State != DeliveryStarting {
		e.setState(d, DeliveryStarting, nil)
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
	e.setState(d, DeliveryWaiting, cause)
	d.Due = e.clock().Add(waitingPoll + jitter(waitingPoll))
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
	cause, used := hubError(err), u.HubToken.Hash()
	signedOut := errors.Is(err, hub.ErrUnauthorized)
	return ofDelivery(e, was, func(u *User, d *Delivery) {
		switch {
		case cause.Retryable:
			hub := Retry{Failures: was.HubFailures}
			hub.later(e.clock(), cause)
			d.Due, d.HubFailures, d.Error = hub.Due, hub.Failures, cause
			return
		case signedOut && u.HubToken.Hash() != used:
			d.Due = e.clock() // signed in again meanwhile
			return
		case signedOut:
			u.HubToken = secret.Stored{} // continues at the next sign-in
		}
		switch {
		case d.State == DeliveryRemoving: // retried at the next sign-in
			d.Error, d.Due = cause, time.Time{}
		case signedOut:
			e.setState(d, DeliveryWaiting, cause)
		default:
			e.setState(d, DeliveryFailed, cause)
		}
	})
}

// ofDelivery limits a change to the entry it was made for. Where the server holds
// another token by now, the step was paused and overtaken: nothing is changed. The
// entry may also have been queued again since (another At): then it is left as it
// is, except that the record of what was written must not be lost.
func ofDelivery(e *Engine, was Delivery, change func(*User, *Delivery)) outcome {
	return outcome{change: func(u *User) {
		d := u.Delivery(was.Server)
		if d == nil || d.Delivered != was.Delivered {
			return
		}
		kept, requeued := *d, !d.At.Equal(was.At)
		d.HubFailures = 0
		change(u, d)
		if requeued {
			if d = u.Delivery(was.Server); d != nil {
				kept.Delivered, kept.MayHold, kept.Failures = d.Delivered, d.MayHold, d.Failures
				*d = kept
			}
		}
		e.completeDelivering(u)
	}}
}

// setState moves a delivery to a state; nothing is due there unless the caller
// says so.
func (e *Engine) setState(d *Delivery, state DeliveryState, cause *apierror.Error) {
	if d.State != state {
		d.State, d.At, d.Progress = state, e.clock(), ""
	}
	d.Error, d.Due = cause, time.Time{}
}

func (e *Engine) forget(u *User, server string) {
	u.Deliveries = slices.DeleteFunc(u.Deliveries, func(d Delivery) bool { return d.Server == server })
}

const (
	// serverTokenLife is how long a token for one server is valid at most. A
	// delivery or removal has stepLimit, and deletes it at its end.
	serverTokenLife = 2 * time.Minute
	// endLimit bounds that, and lastLimit where the step itself has no time left.
	endLimit  = 5 * time.Second
	lastLimit = time.Second
)

// open makes a server that runs a [Target], with a Hub token for this server
// alone: the user's own, which opens all of their servers, is shown to none. The
// token is good until end is called.
func (e *Engine) open(ctx context.Context, u *User, server hub.Server) (target hub.Target, end func(), err error) {
	address, err := e.hub.Address(server)
	if err != nil {
		return hub.Target{}, nil, e.logged(u.Name, "server address", &apierror.Error{Code: apierror.CodeServerAddress,
			Message: "The Hub named an address for the server that cannot be right.",
			Hint:    "Contact your Hub's administrators.", Err: err})
	}

	made, err := e.hub.ServerToken(ctx, u.HubToken.String, u.Name, server.Name, serverTokenLife)
	if errors.Is(err, hub.ErrForbidden) && errors.Is(e.signedIn(ctx, u), hub.ErrUnauthorized) {
		err = hub.ErrUnauthorized
	}
	if err != nil {
		e.logged(u.Name, "make server token", err)
		return hub.Target{}, nil, err
	}

	prove := func(ctx context.Context, token secret.String) error { return e.prove(ctx, token, u.Name, server.Name) }
	return hub.Target{Address: address, Token: made.Token, Prove: prove}, func() { e.end(ctx, u, made.ID) }, nil
}

// end deletes a token for one server, whatever became of the step that it was made
// for. One that could not be deleted expires within serverTokenLife.
func (e *Engine) end(ctx context.Context, u *User, id string) {
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), endLimit)
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(lastLimit, cancel) })()
	e.logged(u.Name, "delete server token", e.hub.DeleteToken(ending, u.HubToken.String, u.Name, id))
}

// prove asks the Hub whose a token is that was shown at a server's address.
func (e *Engine) prove(ctx context.Context, token secret.String, user, server string) error {
	if !presentable(token) {
		return errUnproven
	}
	holder, err := e.hub.Whoami(ctx, token)
	var unavailable *hub.UnavailableError
	switch {
	case errors.As(err, &unavailable):
		return hubError(err)
	case err != nil || !holder.IsServer(user, server):
		return errUnproven
	}
	return nil
}

// presentable reports whether text that somebody printed may be shown to the Hub
// as a token.
func presentable(token secret.String) bool {
	text := token.Reveal()
	return text != "" && len(text) <= 512 && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}

var errUnproven = &apierror.Error{Code: apierror.CodeServerUnproven,
	Message: "The program that answers as this server did not show the server's own Hub token, so nothing was sent to it.",
	Hint: "Restart the server and try again. If that does not help, an administrator must leave JUPYTERHUB_API_TOKEN in the " +
		"server's environment and access:servers!server in its scopes, or choose pull delivery. With internal_ssl at the Hub, no other program can answer in a server's place."}

// write puts the credential into a server that runs.
func (e *Engine) write(ctx context.Context, u *User, d Delivery, server hub.Server) outcome {
	target, end, err := e.open(ctx, u, server)
	if err != nil {
		return e.hubFailed(u, d, err)
	}
	token, began := u.Connection.Token, e.clock()
	method, err := e.deliverer.Deliver(ctx, target, e.credential(u.Connection))
	end()
	remark, err := remarkOf(err)

	event := audit.Event{Action: "delivered", OfUser: audit.OfUser{Account: u.Connection.Account.Login, Server: d.Server, Method: method},
		TokenHash: token.Access.Hash(), ExpiresAt: token.ExpiresAt}
	cause := e.recorded(ctx, u, "deliver", event, err)
	if cause != nil {
		method = "none"
	}
	e.metrics.countDelivered(method, status(err), e.clock().Sub(began))

	return e.wrote(*u, d, token.Access.Hash(), method, remark, cause)
}

// remarkOf tells what there is to know about a delivery that has succeeded from why
// one has failed.
func remarkOf(err error) (*apierror.Error, error) {
	if known, ok := errors.AsType[*apierror.Error](err); ok && known.Code == apierror.CodeHelperCopies {
		return known, nil
	}
	return nil, err
}

// wrote is the outcome of writing a token: what is known of the server, and what
// is to be taken out again.
func (e *Engine) wrote(was User, d Delivery, hash, method string, remark, cause *apierror.Error) outcome {
	known := ofDelivery(e, d, func(_ *User, d *Delivery) {
		if cause != nil {
			e.writeFailed(d, cause)
			return
		}
		d.Delivered, d.Method, d.Failures = hash, method, 0
		if d.State != DeliveryRemoving { // else it is taken out again at once
			e.setState(d, DeliveryDelivered, remark)
		}
	})
	return outcome{change: func(u *User) {
		switch now := e.clock(); {
		case u.Created != was.Created: // that home is gone, or another's, and the token revoked
		case u.Delivery(d.Server) != nil:
			known.change(u)
		default: // forgotten in mid-write: take out whatever got there
			u.Deliveries = append(u.Deliveries, Delivery{Server: d.Server, State: DeliveryRemoving,
				At: now, Retry: Retry{Due: now}, Delivered: hash, MayHold: true})
			if u.HubToken.Empty() {
				u.HubToken, u.HubTokenExpires = was.HubToken, was.HubTokenExpires
			}
		}
	}}
}

// writeFailed plans another try, unless the entry is to be removed by now.
func (e *Engine) writeFailed(d *Delivery, cause *apierror.Error) {
	switch {
	case d.State == DeliveryRemoving:
		d.Failures++
	case !d.tryLater(e.clock(), cause):
		e.setState(d, DeliveryFailed, cause)
	}
}

// tryLater plans another try at a server where the last one failed; false: the
// error is not retryable, or there were enough tries.
func (d *Delivery) tryLater(now time.Time, cause *apierror.Error) bool {
	d.later(now, cause)
	d.Error = cause
	if cause.Retryable && d.Failures < deliveryTries {
		return true
	}
	d.Due = time.Time{}
	return false
}

// remove takes the credential out of a server, now or when it next runs.
func (e *Engine) remove(ctx context.Context, u *User, d Delivery) outcome {
	servers, err := e.servers(ctx, u)
	server := named(servers, d.Server)
	if err != nil {
		return e.hubFailed(u, d, err)
	}
	if !server.Ready {
		return ofDelivery(e, d, func(u *User, d *Delivery) {
			e.awaitRemoval(d)
			e.awaitOthers(u, servers)
		})
	}
	target, end, err := e.open(ctx, u, server)
	if err != nil {
		return e.hubFailed(u, d, err)
	}
	takeOut := e.deliverer.Remove
	if d.Expired {
		takeOut = e.deliverer.Expire
	}
	method, err := takeOut(ctx, target)
	end()
	event := audit.Event{Action: "removed", OfUser: audit.OfUser{Server: d.Server, Method: method}, TokenHash: d.Delivered}
	return e.removed(d, e.recorded(ctx, u, "remove", event, err))
}

// awaitRemoval: the server does not run. The credential is taken out when it does.
func (e *Engine) awaitRemoval(d *Delivery) {
	d.Error, d.Due = nil, e.clock().Add(waitingPoll+jitter(waitingPoll))
}

// removed is the outcome of a removal. One that was asked for again meanwhile is
// made again: something may have been written in between.
func (e *Engine) removed(was Delivery, cause *apierror.Error) outcome {
	return ofDelivery(e, was, func(u *User, d *Delivery) {
		switch {
		case cause == nil && d.State == DeliveryRemoving && d.At.Equal(was.At):
			e.forget(u, d.Server)
		case cause == nil:
			d.Delivered = ""
		case d.State == DeliveryRemoving:
			d.tryLater(e.clock(), cause) // or else the next sign-in tries again
		}
	})
}

// leaveAlone: servers are not written into (any more), nor can the credential
// be taken out of them.
func (e *Engine) leaveAlone(_ context.Context, _ *User, d Delivery) outcome {
	return ofDelivery(e, d, func(_ *User, d *Delivery) {
		d.Due = time.Time{}
		if d.State != DeliveryRemoving {
			e.setState(d, DeliveryFailed, errPullOnly)
		}
	})
}
