package flow

import "time"

// Metrics is told what to count. status is "ok" or "error".
type Metrics interface {
	Started(mode Mode)
	// Finished is a flow at its final state, and how long it took.
	Finished(state State, took time.Duration)
	// Saved is a user's record as it was stored just now.
	Saved(user *User)
	// Delivered is an attempt to write a credential, by the way that worked;
	// method is "none" where none did.
	Delivered(method, status string, took time.Duration)
	// Revoked is an attempt to revoke a token at GitHub.
	Revoked(status string)
	// StepBegan says that a step for the user began, and how much later than due.
	// It takes no longer than [Hold], and ends with Saved unless that failed.
	StepBegan(u *User, late time.Duration)
}
