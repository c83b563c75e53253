// Package webaddr has the rules on web addresses that the service and the
// user's program both keep: where a GitHub has its API, and over what a
// credential may go.
//
// This package does not read addresses that people wrote; whoever was given one says
// what is wrong with it.
package webaddr
