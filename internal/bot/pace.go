package bot

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/apierror"
	"github.com/ghscoped/ghscoped-service/internal/audit"
)

// Each request that is refused costs an event of the audit: one caller in a loop
// would fill disks with them. So a caller may be refused refusalBurst times in a
// row, as somebody who tries what a rule allows, and then once each refusalPace.
// What comes beyond that is refused without a look at it, and counted.
const (
	refusalPace  = 10 * time.Second
	refusalBurst = 20
	// maxPaced bounds the callers that are told apart; further ones share one
	// count.
	maxPaced = 4096
)

// Paced is the outcome of a request that was not looked at.
const Paced = "paced"

// pace counts refusals (the generic cell rate algorithm). Safe for concurrent
// use.
type pace struct {
	clock   func() time.Time
	mu      sync.Mutex
	callers map[string]*refusals
}

// refusals are those of one caller.
type refusals struct {
	until  time.Time // when none of them counts any more
	unseen int       // requests that were not looked at, since the last report
}

// take counts a refusal before it is known to be one, so that requests at the
// same time do not pass together; [pace.giveBack] undoes it. The error says: too
// many.
func (p *pace) take(caller string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	now, r := p.clock(), p.of(caller)
	if early := r.until.Sub(now.Add((refusalBurst - 1) * refusalPace)); early > 0 {
		r.unseen++
		return &apierror.Error{Code: apierror.CodeTooManyRefusals, Message: "Too many requests of this caller were refused in a row.",
			Hint: "Ask only for what a rule allows; the answers before this one say why they were refused.", RetryAfter: early}
	}
	r.add(now)
	return nil
}

// add counts a refusal.
func (p *pace) add(caller string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.of(caller).add(p.clock())
}

func (p *pace) giveBack(caller string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.of(caller)
	r.until = r.until.Add(-refusalPace)
}

// add counts one more; many that come at once count no longer than a burst.
func (r *refusals) add(now time.Time) {
	if r.until.Before(now) {
		r.until = now
	}
	r.until = r.until.Add(refusalPace)
	if last := now.Add((refusalBurst + 1) * refusalPace); r.until.After(last) {
		r.until = last
	}
}

// of is where a caller's refusals are counted; p.mu is held.
func (p *pace) of(caller string) *refusals {
	if r, known := p.callers[caller]; known {
		return r
	}
	if len(p.callers) >= maxPaced {
		p.forget()
	}
	if len(p.callers) >= maxPaced {
		caller = "" // whoever comes now
	}
	if p.callers[caller] == nil {
		p.callers[caller] = &refusals{}
	}
	return p.callers[caller]
}

// forget drops what does not count any more; p.mu is held.
func (p *pace) forget() {
	now := p.clock()
	for caller, r := range p.callers {
		if r.unseen == 0 && !r.until.After(now) {
			delete(p.callers, caller)
		}
	}
}

// report is how many requests of each caller were not looked at since the last
// report.
func (p *pace) report() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	unseen := map[string]int{}
	for caller, r := range p.callers {
		if r.unseen > 0 {
			unseen[caller], r.unseen = r.unseen, 0
		}
	}
	p.forget()
	return unseen
}

// ReportPaced writes one event for each caller whose requests were refused
// without a look at them since it was last called, with their number.
func (i *Issuer) ReportPaced(ctx context.Context) error {
	for caller, requests := range i.refusals.report() {
		if caller == "" {
			caller = "other callers"
		}
		event := audit.Event{Time: i.Clock(), Action: ActionIssue,
			OfBot: audit.OfBot{Caller: caller, Why: fmt.Sprintf("%d further requests were refused without a look at them", requests)}, Outcome: Refused, Code: apierror.CodeTooManyRefusals}
		if err := i.Audit.Keep(ctx, event); err != nil {
			return err
		}
	}
	return nil
}
