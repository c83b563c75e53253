package github

import (
	"time"

	"github.com/ghscoped/ghscoped-service/internal/secret"
)

// DeviceCode is GitHub's answer to the start of a device flow (RFC 8628, 3.2).
type DeviceCode struct {
	DeviceCode      secret.String
	UserCode        string
	VerificationURI string
	ExpiresIn       time.Duration
	Interval        time.Duration
}

// PollStatus is what one poll found.
type PollStatus int

// What a poll can find (RFC 8628, 3.5).
const (
	PollPending PollStatus = iota
	PollSlowDown
	PollGranted
	PollDenied
	PollExpired
	PollIncorrect
)

// PollResult is a [PollStatus] with what belongs to it.
type PollResult struct {
	Status PollStatus
	// Interval is the new one of a PollSlowDown; 0: GitHub named none.
	Interval time.Duration
	// Token is set when PollGranted.
	Token Token
}
