// Package bench measures what the service costs: with many flows pending at
// once, and in the check of a browser's session, the latter side by side with a
// service built on JupyterHub's own HubOAuthenticated (sessions.py).
package bench
