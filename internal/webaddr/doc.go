// Package webaddr has the rules on web addresses that the service and the
// user's program both keep: where a GitHub has its API, and over what a
// credential may go.
//
// Border: reading an address that somebody wrote, and saying what is wrong with
// it, is for who was given it.
package webaddr
