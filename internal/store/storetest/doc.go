// Package storetest is the suite that every [store.Backend] must pass, and the
// clock that goes with it.
//
// Border: it knows the contract only. What belongs to one backend (a file held
// by another process, a Redis that restarts) is tested beside that backend.
package storetest
