// Package hub speaks to JupyterHub: its REST API, and through its proxy to the
// servers of a user.
//
// Every call carries the token it is given, a user's own; the package holds
// none. Only paths are ever taken from the Hub's answers and joined to the
// configured addresses; a user's own host only names the server to the proxy
// there. No redirect is followed with a token.
//
// This package does not sign people in (internal/hubauth does), and does not decide
// what is done inside a server (internal/deliver does).
package hubapi
