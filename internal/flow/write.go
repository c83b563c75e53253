package flow

import (
	"context"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/audit"
	"github.com/ghscoped/ghscoped-service/internal/hub"
)

// write puts the credential into a server that runs.
func (e *Engine) write(ctx context.Context, u *User, d Delivery, server hub.Server) outcome {
	target, end, err := e.open(ctx, u, server)
	if err != nil {
		return e.hubFailed(u, d, err)
	}
	token, began := u.Connection.Token, e.Clock()
	hubToken, hubTokenExpires := u.HubToken, u.HubTokenExpires
	method, err := e.Deliverer.Deliver(ctx, target, e.credential(u.Connection))
	end()
	event := audit.Event{Action: "delivered", OfUser: audit.OfUser{Account: u.Connection.Account.Login, Server: d.Server, Method: method},
		TokenHash: token.Access.Hash(), ExpiresAt: token.ExpiresAt, Outcome: status(err)}
	var cause *apierror.Error
	if err != nil {
		cause, method = e.trouble(u.Name, "deliver", err), "none"
		event.Code = cause.Code
	}
	e.metrics.countDelivered(method, status(err), e.Clock().Sub(began))
	e.audit(ctx, u, event)
	written := ofDelivery(e, d, func(_ *User, d *Delivery) {
		if cause != nil {
			e.writeFailed(d, cause)
			return
		}
		d.Delivered, d.Method, d.Attempts = token.Access.Hash(), method, 0
		if d.State != DeliveryRemoving { // else it is taken out again at once
			e.change(d, DeliveryDelivered, nil)
		}
	})
	person := u.Created
	return outcome{change: func(u *User) {
		if u.Created != person { // that home is gone, or another's, and the token revoked
			return
		}
		if u.Delivery(d.Server) == nil { // forgotten in mid-write: take out whatever got there
			now := e.Clock()
			u.Deliveries = append(u.Deliveries, Delivery{Server: d.Server, State: DeliveryRemoving,
				At: now, Due: now, Delivered: token.Access.Hash(), MayHold: true})
			if u.HubToken.Empty() {
				u.HubToken, u.HubTokenExpires = hubToken, hubTokenExpires
			}
			return
		}
		written.change(u)
	}}
}

// writeFailed tries again a few times where the trouble may pass, unless the
// entry is to be removed by now.
func (e *Engine) writeFailed(d *Delivery, cause *apierror.Error) {
	d.Attempts++
	switch {
	case d.State == DeliveryRemoving:
	case !cause.Retryable || d.Attempts >= deliveryTries:
		e.change(d, DeliveryFailed, cause)
	default:
		d.Error = cause
		d.Due = e.Clock().Add(max(backoff(time.Second, d.Attempts), cause.RetryAfter))
	}
}

// remove takes the credential out of a server, now or when it next runs.
func (e *Engine) remove(d Delivery) step {
	return func(ctx context.Context, u *User) outcome {
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
		method, err := e.Deliverer.Remove(ctx, target)
		end()
		event := audit.Event{Action: "removed", OfUser: audit.OfUser{Server: d.Server, Method: method}, TokenHash: d.Delivered, Outcome: status(err)}
		var cause *apierror.Error
		if err != nil {
			cause = e.trouble(u.Name, "remove", err)
			event.Code = cause.Code
		}
		e.audit(ctx, u, event)
		return e.removed(d, cause)
	}
}

// awaitRemoval: the server does not run. The credential is taken out when it does.
func (e *Engine) awaitRemoval(d *Delivery) {
	d.Error, d.Due = nil, e.Clock().Add(waitingPoll+jitter(waitingPoll))
}

func (e *Engine) removed(d Delivery, cause *apierror.Error) outcome {
	return ofDelivery(e, d, func(u *User, d *Delivery) {
		switch {
		case cause == nil && d.State == DeliveryRemoving:
			e.forget(u, d.Server)
		case cause == nil: // connected again meanwhile
			d.Delivered, d.MayHold = "", false
		case d.State == DeliveryRemoving:
			d.Attempts++
			d.Error, d.Due = cause, time.Time{} // the next sign-in tries again
			if cause.Retryable && d.Attempts < deliveryTries {
				d.Due = e.Clock().Add(max(backoff(time.Second, d.Attempts), cause.RetryAfter))
			}
		}
	})
}

// leaveAlone: servers are not written into (any more), nor can the credential
// be taken out of them.
func (e *Engine) leaveAlone(d Delivery) step {
	return func(context.Context, *User) outcome {
		return ofDelivery(e, d, func(_ *User, d *Delivery) {
			d.Due = time.Time{}
			if d.State != DeliveryRemoving {
				e.change(d, DeliveryFailed, errPullOnly)
			}
		})
	}
}

func status(err error) string {
	if err != nil {
		return "error"
	}
	return "ok"
}
