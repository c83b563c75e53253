// Package hubauth answers one question: who is calling? A browser is signed in
// through the Hub's OAuth (RFC 6749 with PKCE, RFC 7636) and then known by a
// session cookie; a program shows a Hub token.
//
// The cookie holds the id of a session and nothing else. The session, with the
// user's own Hub token, is kept by whoever satisfies [Sessions]. A session ends
// when its time is over, when the Hub no longer knows its token or says that it
// is somebody else's (a user was renamed), or when the browser's Hub session is
// another one: a logout at the Hub is a logout here.
//
// This package does not decide what a caller may do (internal/server does), and the
// REST calls are internal/hubapi's.
package hubauth
