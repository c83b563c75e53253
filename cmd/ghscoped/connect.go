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

// lingering ends a while after ctx does: for a question whose answer decides
// what an interruption has to undo.
func lingering(ctx context.Context) (longer context.Context, cancel func()) {
	longer, end := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		late := time.AfterFunc(partingLimit, end)
		context.AfterFunc(longer, func() { late.Stop() })
	})
	return longer, func() { stop(); end() }
}

// startFlow starts a flow, or joins the one under way; created tells which.
func startFlow(ctx context.Context, service *client.Client) (flow client.Flow, created bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	return service.StartFlow(ctx)
}

// follow follows a flow until the connection stands or limit has passed.
func follow(ctx context.Context, service *client.Client, flow client.Flow, to announcer, limit time.Duration) error {
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
		return outcome(last)
	}
	err := service.WatchFlow(waiting, see)
	stop()
	if err == nil {
		return outcome(last)
	}
	if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		err = &commandError{exit: exitNotConnected, code: "not_approved", message: "Nobody has approved within " + lasts(limit) + ".",
			hint: "Do this again; the code is valid until it expires."}
	}
	return err
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
	f := &commandError{exit: exitNotConnected, code: flow.State, hint: "Do this again for a new code."}
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
	page  string // the service's page; may be empty
	enter bool   // Enter goes on without
}

func (p *forPeople) announce(flow client.Flow) {
	if flow.UserCode == "" { // it was begun on the page, in the web flow
		p.line("  Continue in your browser, where you began to connect: " + p.page)
		return
	}
	p.line("  Open           " + p.bold(printable(flow.VerificationURI)))
	p.line("  Enter the code " + p.bold(printable(flow.UserCode)))
	if p.page != "" {
		p.line("  (or connect at " + p.page + ")")
	}
}

func (p *forPeople) waiting(ctx context.Context, left func() time.Duration) func() {
	keys := "Ctrl-C gives up"
	if p.enter {
		keys = "Enter goes on without, " + keys
	}
	return p.countdown(ctx, "  Waiting for your approval ("+keys+"),", left)
}
