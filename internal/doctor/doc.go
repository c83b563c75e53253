// Package doctor looks at each leg the service stands on, one after the other,
// and says of each what it saw and what to change: the settings, the key file,
// the store, the Hub, the way to users' servers, GitHub and the App there.
//
// It changes nothing: no file is made, no record written, no token asked for.
// The one thing it leaves behind is a device code at GitHub that nobody enters.
// What cannot be seen from here is said to be unseen, with what is assumed.
//
// Border: the package knows no flags and prints no colours unless told to. It
// declares what it asks of the store, the Hub and GitHub; internal/app joins it
// to them.
package doctor
