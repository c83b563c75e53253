// Package journey is what a person does, from signing in at the Hub to a git
// push in their own server, done in a real Chromium and a real terminal. The
// demo's check and the end-to-end tests share it.
//
// Its border: it sees what a person sees. It starts nothing (hubtest does) and
// asks neither the service nor the simulator behind their pages. The names of
// the elements of all pages are in selectors.go.
package journey
