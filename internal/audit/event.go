package audit

import (
	"context"
	"time"
)

// Event is one thing that happened to a token. It names the token by its SHA-256
// only. All fields are written side by side.
type Event struct {
	Time   time.Time `json:"time"`
	Action string    `json:"action"`

	OfUser
	OfBot

	TokenHash string    `json:"token_sha256,omitempty"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	Outcome   string    `json:"outcome"`
	// Code is the error's, where there was one.
	Code string `json:"code,omitempty"`
	// Repositories are those that a scoped or a bot's token is for.
	Repositories []string `json:"repositories,omitempty"`
	// RepositoriesLeftOut counts those that were too many for one event.
	RepositoriesLeftOut int `json:"repositories_left_out,omitempty"`
	// Reason is why a token was revoked or a connection ended; for a bot's, what
	// the rule that allowed it is for.
	Reason string `json:"reason,omitempty"`
}

// OfUser is what an event about a user's token adds.
type OfUser struct {
	// User is the Hub user whose token it is.
	User    string `json:"user,omitempty"`
	FlowID  string `json:"flow_id,omitempty"`
	Account string `json:"account,omitempty"`
	Server  string `json:"server,omitempty"`
	Method  string `json:"method,omitempty"`
}

// OfBot is what an event about a bot's token adds.
type OfBot struct {
	// Caller is who asked, as policies name it (service:nbbot, user:ada); for a
	// revocation whose token it was, and By who revoked it.
	Caller      string            `json:"caller,omitempty"`
	Claims      map[string]string `json:"claims,omitempty"` // of a workload's identity token, some
	By          string            `json:"by,omitempty"`
	Rule        string            `json:"rule,omitempty"`
	Permissions map[string]string `json:"permissions,omitempty"`
	// PermissionsLeftOut counts those that were too many for one event.
	PermissionsLeftOut int    `json:"permissions_left_out,omitempty"`
	RequestID          string `json:"request_id,omitempty"`
	// Why says why a request was refused or has failed, here with GitHub's own reason.
	Why string `json:"why,omitempty"`
}

// Recorder keeps events.
type Recorder interface {
	// Record keeps an event about what has happened.
	Record(ctx context.Context, event Event)
	// Keep is Record for a caller that continues only once the event is kept.
	Keep(ctx context.Context, event Event) error
}
