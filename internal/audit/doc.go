// Package audit keeps one event for each thing that happened to a token: as a
// line of JSON for the operators' log, and in a [History] for the admin's page.
//
// Audit lines are not log messages: they have no level and cannot be switched
// off. An event names a token by its SHA-256 and has no field that could hold a
// secret.
//
// This package does not decide what is worth an event: internal/flow and internal/bot
// do, where it happens.
package audit
