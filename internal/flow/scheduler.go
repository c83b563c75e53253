package flow

import (
	"context"
	"sync"
	"time"
)

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
	// broken off; storing what they found gets handIn, undoing what could not be
	// stored undoLimit. Together 10 s at most.
	handOver  = 4 * time.Second
	handIn    = 2 * time.Second
	undoLimit = 3 * time.Second
)

// Run carries out what is due until ctx ends, then lets the steps under way
// finish within handOver and gives every claimed record back.
func (e *Engine) Run(ctx context.Context) {
	stepCtx, breakOff := context.WithCancel(context.WithoutCancel(ctx))
	defer breakOff()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(handOver, breakOff) })()

	e.began = e.Clock()
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
	claimed, err := e.Store.Claim(ctx, Hold, limit)
	if err != nil && ctx.Err() == nil {
		e.Logger.Error("due records could not be claimed", "error", err)
	}
	return claimed, err
}

// work carries out one step for a claimed record.
func (e *Engine) work(ctx context.Context, user *User) {
	if due := user.Due(); !due.IsZero() {
		e.metrics.stepBegan(user, max(0, e.Clock().Sub(due)))
	}
	var found outcome
	if step := e.next(user); step != nil { // nil after a claim that ran out: storing the record ends it
		limited, cancel := context.WithTimeout(ctx, stepLimit)
		found = step(limited, user)
		cancel()
	}
	storing, cancel := context.WithTimeout(context.WithoutCancel(ctx), Hold-stepLimit)
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(handIn, cancel) })()
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
	if due, err := e.Store.NextDue(ctx); err == nil && !due.IsZero() {
		wait = min(wait, max(due.Sub(e.Clock()), 10*time.Millisecond))
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-e.wake:
	case <-timer.C:
	}
}
