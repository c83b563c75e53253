// Package github has GitHub's own things as this service knows them: accounts,
// tokens and what they reach, the steps of the device flow, the App.
//
// This package makes no calls: internal/githubapi does, and what asks for them
// (internal/flow, internal/bot) declares the interface it needs over these types.
package github
