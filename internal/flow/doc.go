// Package flow is the state machine that connects a Hub user to GitHub: it
// starts a flow, polls GitHub (or takes the code that the browser brings back),
// checks who approved, keeps the connection and, where asked to, keeps it fresh
// or makes tokens of it that reach one repository each, sees to it that every
// server gets (and loses) the credential, and revokes tokens that nobody needs any
// more.
//
// Everything known about one Hub user is one record, [User], changed only by
// compare-and-swap. The record says itself when it next needs attention
// ([User.Due]); the scheduler claims due records and runs one [step] after the
// other on them. A step does one thing to the outside (at most one call that
// changes anything there) and returns a change to the record; steps never call
// each other. So a restart, a second process, or a closed tab alters nothing:
// whoever claims the record next continues where it stood.
//
// A change is applied to the record as it stands when it is stored, which may be
// another than the step saw, or have the change already. So every change first
// makes sure that what it is about is still there; and a token is never
// forgotten: one that finds no place any more is revoked.
//
// What may fail has a [Retry] in the record, which says when it is retried. A
// command that finds nothing to change says so to [Engine.update].
//
// This package does not call GitHub, the Hub or a store itself: it declares the
// interfaces it needs ([GitHub], [WebFlow], [Hub], [Deliverer], [Store]) and imports
// none of the packages that satisfy them. It does not know HTTP, cookies or pages.
package flow
