// Package journey is what a person does, from signing in at the Hub to a git
// push in their own server, done in a real Chromium and a real terminal. The
// demo's check and the end-to-end tests share it.
//
// Where a test is about something else than the pages, the same is done by the
// service's API (flow.go), as the page's script and the programs in a server do.
//
// Its border: it sees what a person or a caller sees. It starts nothing (hubtest
// does) and asks neither the service nor the simulator behind their pages; who
// wants a code approved without a browser brings that along. The names of the
// elements of all pages are in selectors.go.
package journey
