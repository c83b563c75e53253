// Package app is the only place where the parts are joined: it turns settings
// into a running service.
//
// The life of an [App] is New, Start, Addr, Stop; it is to be stopped, too,
// when it says that it has [App.Failed]. It knows no flags and no
// signals (cmd/ghscoped-service), so that tests run the same service in their
// own process.
package app
