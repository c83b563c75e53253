// Package rig has what the tests of whole processes share: programs that are
// built, started, killed and measured, a terminal in which a person types, a
// gate that holds a request up, one world for all tests of a package ([Main]),
// GitHub as a service is told of it, and the search for secrets in what is left
// behind.
//
// It is for tests only. internal/hubtest has Hubs and people, internal/hubtest/journey
// what people do, internal/githubsim GitHub.
package rig
