package githubapi

import (
	"context"
	"sync"
	"time"
)

// The limits that calls without a user's token count against. Calls with a
// token have a limit of their own each ([tokenGate]): otherwise somebody who
// spends his own token's limit would shut GitHub for everybody.
const (
	gateOAuth  = "oauth"  // /login/…: all flows at once
	gateRevoke = "revoke" // POST /credentials/revoke, counted by address
	gateApp    = "app"    // calls with the client secret or the App's key
)

// Limits is what all processes of the service know together of GitHub's
// limits. The name of a limit holds no secret: a token's is its hash.
type Limits interface {
	// Until is when GitHub takes calls against a limit again, as far as any
	// process was told; a time that has passed, or the zero time: now.
	Until(ctx context.Context, limit string) (time.Time, error)
	// Shut tells all that GitHub takes no calls against a limit before a time.
	// It never shortens an earlier wait.
	Shut(ctx context.Context, limit string, until time.Time) error
}

// shareLimit bounds a look at [Limits], and a report to them.
const shareLimit = time.Second

// gate remembers until when GitHub wants no calls against a limit: what this
// process was told, and what it has heard of the others. Trouble with the
// others' part neither opens a gate nor stops a call, and is not reported from
// here: whoever keeps that part does.
type gate struct {
	clock  func() time.Time
	shared Limits // nil: there are no others

	mu    sync.Mutex
	until map[string]time.Time
}

func newGate(clock func() time.Time, shared Limits) *gate {
	return &gate{clock: clock, shared: shared, until: map[string]time.Time{}}
}

// wait is how long the gate stays shut; 0: it is open.
func (g *gate) wait(ctx context.Context, limit string) time.Duration {
	if wait := g.known(limit); wait > 0 || g.shared == nil {
		return wait
	}
	ctx, cancel := context.WithTimeout(ctx, shareLimit)
	defer cancel()
	until, err := g.shared.Until(ctx, limit)
	if err != nil {
		return 0
	}
	// Another process's clock may be far ahead; no wait is longer than bounded.
	g.remember(limit, earlier(until, g.clock().Add(longestWait)))
	return g.known(limit)
}

// close shuts the gate for d, for every process. It never shortens an earlier
// wait.
func (g *gate) close(ctx context.Context, limit string, d time.Duration) {
	until := g.clock().Add(d)
	if !g.remember(limit, until) || g.shared == nil {
		return
	}
	// What GitHub said holds whether or not anybody still waits for the answer.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shareLimit)
	defer cancel()
	_ = g.shared.Shut(ctx, limit, until)
}

func (g *gate) known(limit string) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return max(g.until[limit].Sub(g.clock()), 0)
}

// remember reports whether until is later than what was known.
func (g *gate) remember(limit string, until time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.clock()
	for name, until := range g.until {
		if !until.After(now) {
			delete(g.until, name)
		}
	}
	if !until.After(now) || !until.After(g.until[limit]) {
		return false
	}
	g.until[limit] = until
	return true
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
