// Package rig has what the tests of whole processes share: programs that are
// built, started, killed and measured, a terminal in which a person types, a
// gate that holds a request up, one world for all tests of a package ([Main]),
// GitHub as a service is told of it, and the search for secrets in what is left
// behind.
//
// Border: tests only. Hubs and people are internal/hubtest's affair, what people
// do internal/hubtest/journey's; GitHub itself is internal/githubsim.
package rig
