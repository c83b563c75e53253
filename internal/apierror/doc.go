// Package apierror is the error that callers of this service see: a stable code
// for programs, a message for people, and a hint that says what to do. It lists
// every code of the service, with its HTTP status.
//
// This package does not decide when an error occurs: the packages that meet an
// error make it, and the server and the page show it.
package apierror
