package app

import "net/http"

// Web is the server that answers requests, for tests that make its limits
// shorter, count its connections, or take its listener away.
func (a *App) Web() *http.Server { return a.web }

// LoseListener ends the listener as if the system had taken it away.
func (a *App) LoseListener() error { return a.listener.Close() }
