package github

import (
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

// gate remembers until when GitHub wants no calls against a limit.
type gate struct {
	clock func() time.Time

	mu    sync.Mutex
	until map[string]time.Time
}

func newGate(clock func() time.Time) *gate {
	return &gate{clock: clock, until: map[string]time.Time{}}
}

// wait is how long the gate stays shut; 0: it is open.
func (g *gate) wait(limit string) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return max(g.until[limit].Sub(g.clock()), 0)
}

// close shuts the gate for d. It never shortens an earlier wait.
func (g *gate) close(limit string, d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.clock()
	for name, until := range g.until {
		if !until.After(now) {
			delete(g.until, name)
		}
	}
	if until := now.Add(d); until.After(g.until[limit]) {
		g.until[limit] = until
	}
}
