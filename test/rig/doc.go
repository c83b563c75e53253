// Package rig has what the tests of whole processes share: a Hub with the service
// and a simulated GitHub ([World]) for one test or for all tests of a package
// ([Main]), what users do there, programs that are built, started, killed and
// measured, a terminal in which a person types, a gate that holds a request up,
// and the search for secrets in what is left behind.
//
// It is for tests only. internal/hubtest has Hubs and browsers, internal/hubtest/journey
// what people do, internal/githubsim GitHub.
package rig
