// Package hub has JupyterHub's own things as this service knows them: users and
// what their tokens may do, servers and where they are, the errors of its API.
//
// This package makes no calls: internal/hubapi does.
package hub
