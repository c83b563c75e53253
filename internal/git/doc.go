// Package git asks the git programs of a machine what they do: where they read
// their configuration, which credential helpers they call for an address, and which
// credential they come to; and of a repository, which commits a branch has.
//
// A machine may have several (of the system, of conda, of a module), each built to
// read another file; and what a configuration means is for the git that reads it to
// say. So nothing here reads a configuration file, and nothing writes one: that is
// internal/gitconfig's.
package git
