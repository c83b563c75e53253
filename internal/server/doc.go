// Package server is the service's HTTP face: the page for people, the API for
// programs, metrics and health.
//
// Handlers return errors; one place turns an error into a status, a body and a
// log line. Two kinds of caller are told apart from the start: a browser with a
// session cookie, whose writes must prove that they come from our own page, and
// a program with a Hub token. Templates are filled from a view that knows no
// secret.
//
// This package does not decide what happens to a flow (internal/flow), who calls
// (internal/hubauth) or what a page looks like (web), and it does not call GitHub or
// the store.
package server
