package main

import (
	"context"
	"errors"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/client"
)

// partingLimit bounds what is still done after a Ctrl-C.
const partingLimit = 2 * time.Second

// announcer tells people, or programs, of a code to enter.
type announcer interface {
	announce(flow client.Flow)
	// waiting shows that something is waited for, until stopped.
	waiting(ctx context.Context, left func() time.Duration) (stop func())
}

// connect starts a flow, or joins the one under way, and follows it until the
// connection stands or limit has passed.
func (in invocation) connect(ctx context.Context, service *client.Client, p printer, limit time.Duration) (created bool, err error) {
	return in.follow(ctx, service, &forPeople{p, client.Page(in.getenv)}, limit)
}

func (in invocation) follow(ctx context.Context, service *client.Client, to announcer, limit time.Duration) (created bool, err error) {
	starting, cancel := context.WithTimeout(ctx, askLimit)
	flow, created, err := service.StartFlow(starting)
	cancel()
	if err != nil {
		return created, err
	}
	end := service.Now().Add(limit)
	waiting, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	last, stop := client.Flow{}, func() {}
	see := func(now client.Flow) bool {
		if now.Pending() && now.ID != last.ID { // a new one may have replaced it meanwhile
			stop()
			to.announce(now)
			stop = to.waiting(waiting, func() time.Duration { return earlier(now.ExpiresAt, end).Sub(service.Now()) })
		}
		last = now
		return now.Granted() || now.Over() || now.State == ""
	}
	if see(flow) {
		stop()
		return created, outcome(last)
	}
	err = service.WatchFlow(waiting, see)
	stop()
	if err == nil {
		return created, outcome(last)
	}
	if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		err = &fault{exit: exitNotConnected, code: "not_approved", message: "Nobody has approved within " + lasts(limit) + ".",
			hint: "Do this again; the code stays good until it expires."}
	}
	return created, err
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// outcome is nil where the connection stands.
func outcome(flow client.Flow) error {
	if flow.Granted() {
		return nil
	}
	f := &fault{exit: exitNotConnected, code: flow.State, hint: "Do this again for a new code."}
	switch flow.State {
	case "expired":
		f.message = "The code has expired before anybody approved it."
	case "denied":
		f.message = "The request was refused at GitHub."
	default:
		f.code, f.message = "cancelled", "The attempt to connect was cancelled."
	}
	if flow.Error != nil {
		f.code, f.message, f.hint = flow.Error.Code, flow.Error.Message, flow.Error.Hint
	}
	return f
}

// forPeople announces on a terminal.
type forPeople struct {
	printer
	page string // the service's page; may be empty
}

func (p *forPeople) announce(flow client.Flow) {
	if flow.UserCode == "" { // it was begun on the page, in the web flow
		p.line("  Go on in your browser, where you began to connect: " + p.page)
		return
	}
	p.line("  Open           " + p.bold(printable(flow.VerificationURI)))
	p.line("  Enter the code " + p.bold(printable(flow.UserCode)))
	if p.page != "" {
		p.line("  (or connect at " + p.page + ")")
	}
}

func (p *forPeople) waiting(ctx context.Context, left func() time.Duration) func() {
	return p.countdown(ctx, "  Waiting for your approval (Ctrl-C gives up),", left)
}
