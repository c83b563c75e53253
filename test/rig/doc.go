// Package rig has what the tests of whole processes share: programs that are
// started, killed and measured, and the search for secrets in what they leave
// behind.
//
// Border: tests only. Hubs and people are internal/hubtest's affair, GitHub is
// internal/githubsim's.
package rig
