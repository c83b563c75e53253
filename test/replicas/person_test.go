package replicas_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/ghscoped/ghscoped-service/internal/githubsim"
	"github.com/ghscoped/ghscoped-service/internal/hubtest"
	"github.com/ghscoped/ghscoped-service/internal/hubtest/journey"
)

// person is one user of the Hub with one intention.
type person struct {
	*hubtest.Visitor
	name   string // at the Hub and at GitHub
	intent intent
	lost   int // how often GitHub's answer with the token was lost
}

// intent is what a person does once the code is there.
type intent string

const (
	stay   intent = "stay"   // approves, and stays connected
	leave  intent = "leave"  // approves, and disconnects
	deny   intent = "deny"   // declines at GitHub
	cancel intent = "cancel" // cancels on the service's page
)

// intents are dealt out in turn: most approve.
var intents = []intent{stay, leave, stay, leave, stay, deny, stay, leave, cancel, stay}

// ask asks until there is an answer below 500, as somebody who presses a button
// again; every other status must be one of those wanted.
func (p *person) ask(ctx context.Context, method, path string, want ...int) (journey.Flow, error) {
	for {
		var got journey.Flow
		status, err := p.Call(ctx, method, path, nil, &got)
		if err == nil && status < 500 {
			for _, w := range want {
				if status == w {
					return got, nil
				}
			}
			return got, fmt.Errorf("%s: %s %s answers %d %s", p.name, method, path, status, got.Error.Code)
		}
		if !pause(ctx, time.Second) {
			return got, fmt.Errorf("%s: %s %s: %d %v: %w", p.name, method, path, status, err, ctx.Err())
		}
	}
}

// live carries out the intention.
func (p *person) live(ctx context.Context, github *githubsim.Server) error {
	if !pause(ctx, rand.N(starts)) {
		return ctx.Err()
	}
	state, err := p.flow(ctx, github)
	if err != nil {
		return err
	}
	want := map[intent]string{stay: "connected", leave: "connected", deny: "denied", cancel: "cancelled"}[p.intent]
	if state != want {
		return fmt.Errorf("%s, who wants to %s, ends %s", p.name, p.intent, state)
	}
	if p.intent == leave {
		pause(ctx, rand.N(5*time.Second))
		_, err = p.ask(ctx, http.MethodDelete, "api/connection", http.StatusNoContent, http.StatusNotFound)
	}
	return err
}

// flow is one flow to its end; again where GitHub's answer was lost, which the
// page says.
func (p *person) flow(ctx context.Context, github *githubsim.Server) (state string, err error) {
	begun, err := p.ask(ctx, http.MethodPost, "api/flows", http.StatusCreated, http.StatusOK)
	if err != nil {
		return "", err
	}
	pause(ctx, rand.N(thinks))
	switch p.intent {
	case deny:
		err = github.Deny(begun.UserCode)
	case cancel:
		_, err = p.ask(ctx, http.MethodDelete, "api/flows/current", http.StatusOK, http.StatusNotFound)
	default:
		err = github.Approve(begun.UserCode, p.name)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", p.name, err)
	}
	for {
		now, err := p.ask(ctx, http.MethodGet, "api/flows/current", http.StatusOK)
		switch {
		case err != nil:
			return "", err
		case now.State == "failed" && now.Error.Code == "answer_lost":
			p.lost++
			return p.flow(ctx, github)
		case now.State != "pending" && now.State != "approved" && now.State != "delivering":
			return now.State, nil
		}
		if !pause(ctx, 2*time.Second) {
			return "", fmt.Errorf("%s is still %s: %w", p.name, now.State, ctx.Err())
		}
	}
}

// pause waits, and reports false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
