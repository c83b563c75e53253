// Package doctor checks everything the service depends on, one after the other,
// and says of each what it saw and how to fix it: the settings, the key file, the
// store, the Hub, the way to users' servers, GitHub and the App there.
//
// It changes no record and gets no token. To see that the store can be written
// to it writes a mark there that says nothing, or, where the file is still to be
// made, makes another one beside its place and deletes it. What it leaves behind
// is that mark and a device code at GitHub that nobody enters.
// What cannot be seen from here is said to be unseen, with what is assumed.
//
// This package knows no flags and prints nothing: what it found is a report of
// internal/check. It declares what it asks of the store, the Hub and GitHub;
// internal/app joins it to them.
package doctor
