// Package storetest is the suite that every [store.Backend] must pass, and the
// clock that goes with it.
//
// This package does not test what belongs to one backend (a file held by another
// process, a Redis that restarts): that is tested beside the backend.
package storetest
