// Package webaddr has the rules on web addresses that the service and the
// user's program both keep: where a GitHub has its API, over what a credential
// may go, and which hosts are the same for git.
//
// This package does not read addresses that people wrote; whoever was given one says
// what is wrong with it.
package webaddr
