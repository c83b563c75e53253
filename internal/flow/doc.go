// Package flow is the state machine that connects a Hub user to GitHub: it
// starts a flow, polls GitHub, checks who approved, keeps the connection,
// sees to it that every server gets (and loses) the credential, and revokes
// tokens that nobody needs any more.
//
// Everything known about one Hub user is one record, [User], changed only by
// compare-and-swap. The record says itself when it next needs attention
// ([User.Due]); the scheduler claims due records and runs one [step] after the
// other on them. A step makes at most one call to the outside and returns a
// change to the record; steps never call each other. So a restart, a second
// process, or a closed tab alters nothing: whoever claims the record next goes
// on where it stood.
//
// Border: flow declares the interfaces it needs ([GitHub], [Hub], [Deliverer],
// [Store], [Auditor]) and imports none of the packages that satisfy them. It
// knows no HTTP, no cookies and no pages.
package flow
